"""Servers of repositories: the embedded one, and a Gitea."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from openenv_gym.errors import EnvironmentFailedError, OptionError
from openenv_gym_envs.git.folder import Finished, Folder
from openenv_gym_envs.git.history import History
from openenv_gym_envs.sandbox.inside.git_http import OWNER, URL, Request, Response

_SECONDS = 20.0  # for one request
_MARK = "A task of openenv-gym. It is deleted and made again at each reset. "
"""How the description of a repository begins that we may delete from a Gitea."""

_GIT_PATH = re.compile(r"/([^/]+)/([^/]+)\.git/(info/refs|git-upload-pack|git-receive-pack)")
_KEPT_HEADERS = ("accept", "content-encoding", "content-type", "git-protocol")


class Repository:
    """A bare repository of the server, for those who look whether a task is done.

    Args:
        folder: Where it is.
        name: Its name.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name

    def git(self, *arguments: str) -> str | None:
        """Standard output of a command in it; None where it fails."""
        done: Finished = self._folder.run([f"--git-dir={self._name}.git", *arguments])
        return done.stdout if done.succeeded else None

    def commit(self, name: str) -> str | None:
        """The hash of the commit that a name stands for."""
        reported = self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return reported.strip() if reported else None

    def parents(self, name: str) -> list[str]:
        """Hash of the parents of a commit."""
        reported = self.git("rev-list", "--parents", "--max-count=1", name)
        return reported.split()[1:] if reported else []

    def blobs(self, name: str) -> dict[str, str]:
        """Hash of the files of a commit, by path."""
        reported = self.git("ls-tree", "-r", "-z", name) or ""
        lines = (line.split("\t", 1) for line in reported.split("\0") if line)
        return {path: head.split()[2] for head, path in lines}

    def subjects(self, revisions: str) -> list[str]:
        """First lines of the messages of commits, the newest first."""
        return (self.git("log", "--format=%s", revisions) or "").splitlines()


class Server(ABC):
    """Has the repositories of an episode."""

    def __init__(self) -> None:
        self._store = Folder()

    def begin(self, repositories: Mapping[str, tuple[str, History]]) -> dict[str, dict[int, str]]:
        """Make the repositories as they are at the beginning, whatever was pushed before.

        Args:
            repositories: Description and history, by name.

        Returns:
            Hashes of commits by mark, by name.
        """
        self._store.clear()
        return {
            name: self._store.create(name, description, history.stream())
            for name, (description, history) in repositories.items()
        }

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """Answer the git of the agent."""

    @abstractmethod
    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the REST API; returns the status and what the body says."""

    def repositories(self) -> list[dict[str, str]]:
        """``name``, ``full_name``, ``clone_url`` and ``description`` of each."""
        _, reported = self.api("GET", "/user/repos?limit=50")
        return [
            {
                "name": one["name"],
                "full_name": one["full_name"],
                "clone_url": self.clone_url(one["name"]),
                "description": (one.get("description") or "").removeprefix(_MARK),
            }
            for one in reported
        ]

    @abstractmethod
    def clone_url(self, name: str) -> str:
        """What the agent's git calls a repository."""

    def look(self, name: str) -> Repository:
        """A repository as it is now."""
        return Repository(self._store, name)

    def close(self) -> None:
        """End what it started."""
        self._store.close()


class EmbeddedServer(Server):
    """``git http-backend``, with a stand-in for a part of Gitea's REST API. No Gitea."""

    def answer(self, request: Request) -> Response:
        """Implements Server.answer."""
        if not _GIT_PATH.fullmatch(request.path):
            return Response(404, {}, b"not found\n")
        return self._store.serve(request, _SECONDS)

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Implements Server.api."""
        path, _, query = path.partition("?")
        data = json.dumps(body).encode() if body is not None else b""
        reported = self._store.serve(Request(method, f"/api/v1{path}", query, {}, data), _SECONDS)
        return reported.status, json.loads(reported.body) if reported.body else None

    def clone_url(self, name: str) -> str:
        """Implements Server.clone_url."""
        return f"{URL}/{OWNER}/{name}.git"


class GiteaServer(Server):
    """A Gitea, by its REST API. The repositories of tasks belong to the user of the token.

    Args:
        url: Where it is: ``"http://gitea:3000"``.
        token: Of a user, to read the user and to read and write repositories. It stays in this
            process.

    Raises:
        OptionError: The address is invalid.
        EnvironmentFailedError: It does not answer, or refuses the token.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise OptionError(
                f"gitea_url={url!r} is not a valid address: give one such as 'http://gitea:3000'.",
                url=url,
            )
        self._url = url.rstrip("/")
        self._token = token
        self._owner: str = self.api("GET", "/user")[1]["login"]
        super().__init__()
        self._names: set[str] = set()

    def begin(self, repositories: Mapping[str, tuple[str, History]]) -> dict[str, dict[int, str]]:
        """Implements Server.begin."""
        marks = super().begin(repositories)
        self._names = set(repositories)
        for name, (description, _) in repositories.items():
            self._delete(name)
            new = {"name": name, "description": _MARK + description, "default_branch": "main"}
            self.api("POST", "/user/repos", new)
            self._transfer(name, ["push", "--quiet", "--mirror", self.clone_url(name)])
        return marks

    def answer(self, request: Request) -> Response:
        """Implements Server.answer."""
        asked = _GIT_PATH.fullmatch(request.path)
        mine = asked is not None and asked[1] == self._owner
        if not mine or (self._names and asked is not None and asked[2] not in self._names):
            return Response(404, {}, b"not found\n")
        headers = {key: request.headers[key] for key in _KEPT_HEADERS if key in request.headers}
        query = f"?{request.query}" if request.query else ""
        return self._fetch(
            request.method, f"{quote(request.path)}{query}", headers, request.body or None
        )

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Implements Server.api."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        reported = self._fetch(method, f"/api/v1{path}", headers, data)
        if reported.status >= 400 and reported.status != 404:
            raise EnvironmentFailedError(
                f"The Gitea at {self._url} answers {method} {path} with {reported.status}: "
                f"{reported.body[:500].decode(errors='replace')}. The token must allow to read the "
                "user and to write repositories.",
                url=self._url,
                status=reported.status,
            )
        return reported.status, json.loads(reported.body) if reported.body else None

    def repositories(self) -> list[dict[str, str]]:
        """Those of the task; all that the user has, where there is none."""
        found = super().repositories()
        return [one for one in found if not self._names or one["name"] in self._names]

    def clone_url(self, name: str) -> str:
        """Implements Server.clone_url."""
        return f"{URL}/{self._owner}/{name}.git"

    def look(self, name: str) -> Repository:
        """Implements Server.look."""
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        self._transfer(name, ["fetch", "--quiet", "--prune", self.clone_url(name), *refs])
        return super().look(name)

    def _transfer(self, name: str, arguments: list[str]) -> None:
        done = self._store.run([f"--git-dir={name}.git", *arguments], answer=self.answer)
        if not done.succeeded:
            raise EnvironmentFailedError(
                f"git {arguments[0]} with the Gitea at {self._url} failed: {done.stderr}",
                url=self._url,
            )

    def _delete(self, name: str) -> None:
        """Delete a repository, if it is one of ours."""
        path = f"/repos/{quote(self._owner)}/{quote(name)}"
        status, reported = self.api("GET", path)
        if status == 404:
            return
        if not (reported.get("description") or "").startswith(_MARK):
            raise EnvironmentFailedError(
                f"{self._owner} has a repository {name} at {self._url} that is not of "
                "openenv-gym, and would be deleted. Give the token of a user without one.",
                url=self._url,
                name=name,
            )
        self.api("DELETE", path)

    def _fetch(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> Response:
        import httpx  # here, since the embedded server does not need it

        try:
            reply = httpx.request(
                method,
                self._url + path,
                content=body,
                headers={**headers, "Authorization": f"token {self._token}"},
                timeout=_SECONDS,
                follow_redirects=False,  # the token is for this server
                verify=self._url.startswith("https:"),  # else there is nothing to verify
            )
        except httpx.HTTPError as error:
            raise EnvironmentFailedError(
                f"The Gitea at {self._url} does not answer: {error}", url=self._url
            ) from error
        kind = reply.headers.get("Content-Type", "") if reply.is_success else "text/plain"
        return Response(reply.status_code, {"Content-Type": kind}, reply.content)
