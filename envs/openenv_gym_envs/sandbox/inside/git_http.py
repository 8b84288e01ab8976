"""A stand-in for a Gitea: the part of its REST API that is used, and ``git http-backend``.

It is not Gitea: what it does not have is a 404.
"""

from __future__ import annotations

import email.parser
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from openenv_gym_envs.sandbox.inside.git_process import run

OWNER = "openenv"
"""The user whom all repositories belong to."""

URL = "http://gitea:3000"
"""What the server is called by the git of an agent."""

_LONGEST = 64 << 20  # bytes of an answer
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_GIT = re.compile(rf"/{OWNER}/({_NAME})\.git/(info/refs|git-upload-pack|git-receive-pack)")
_REPOSITORY = re.compile(rf"/api/v1/repos/{OWNER}/({_NAME})")


class Request(NamedTuple):
    """A request of HTTP.

    Attributes:
        method: Its method.
        path: Its path.
        query: What stands behind the question mark.
        headers: Its headers, by names in lower case.
        body: Its body.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Response(NamedTuple):
    """A response of HTTP.

    Attributes:
        status: Its status.
        headers: Its headers.
        body: Its body.
    """

    status: int
    headers: dict[str, str]
    body: bytes


def answer(root: Path, request: Request, seconds: float) -> Response:
    """What the server answers.

    Args:
        root: The folder of its bare repositories.
        request: What is asked.
        seconds: How long git may take.
    """
    path = unquote(request.path)
    asked = _GIT.fullmatch(path)
    if asked is not None:
        if not (root / f"{asked[1]}.git").is_dir():
            return _json(404, {"message": "not found"})
        return _by_git(root, request, path, seconds)
    if request.method == "GET" and path == "/api/v1/version":
        return _json(200, {"version": "0.0.0+stand-in"})
    if request.method == "GET" and path == "/api/v1/user":
        return _json(200, {"login": OWNER})
    if request.method == "GET" and path == "/api/v1/user/repos":
        return _json(200, [_describe(folder) for folder in sorted(root.glob("*.git"))])
    if request.method == "POST" and path == "/api/v1/user/repos":
        return _create(root, request)
    named = _REPOSITORY.fullmatch(path)
    folder = root / f"{named[1]}.git" if named else root
    if named is None or not folder.is_dir():
        return _json(404, {"message": "not found"})
    if request.method == "GET":
        return _json(200, _describe(folder))
    if request.method == "DELETE":
        shutil.rmtree(folder)
        return Response(204, {}, b"")
    return _json(405, {"message": "method not allowed"})


def create(root: Path, name: str, description: str) -> Path:
    """Makes an empty bare repository, of the files that gitrepository-layout(5) asks for.

    Running ``git init`` would take most of the time of a reset.
    """
    folder = root / f"{name}.git"
    for part in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (folder / part).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    (folder / "description").write_text(description, "utf-8")
    return folder


def _create(root: Path, request: Request) -> Response:
    reported = json.loads(request.body)
    name = reported.get("name", "")
    if not re.fullmatch(_NAME, name):
        return _json(422, {"message": f"{name!r} is not a valid name of a repository"})
    if (root / f"{name}.git").exists():
        return _json(409, {"message": "The repository with the same name already exists."})
    return _json(201, _describe(create(root, name, reported.get("description", ""))))


def _describe(folder: Path) -> dict[str, Any]:
    return {
        "name": folder.stem,
        "full_name": f"{OWNER}/{folder.stem}",
        "clone_url": f"{URL}/{OWNER}/{folder.name}",
        "description": (folder / "description").read_text("utf-8"),
    }


def _json(status: int, value: Any) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


def _by_git(root: Path, request: Request, path: str, seconds: float) -> Response:
    """``git http-backend``, which is a program by the Common Gateway Interface."""
    environment = {
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROJECT_ROOT": os.fspath(root),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "PATH_INFO": path.removeprefix(f"/{OWNER}"),
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": request.method,
    }
    protocol = request.headers.get("git-protocol", "")
    if re.fullmatch(r"[a-z0-9=:]*", protocol):
        environment["GIT_PROTOCOL"] = protocol
    done = run(
        ["http-backend"],
        os.fspath(root),
        request.body,
        environment,
        time.monotonic() + seconds,
        _LONGEST,
    )
    head, found, body = done.stdout.partition(b"\r\n\r\n")
    if not found or done.fate != "exited":
        return Response(500, {"Content-Type": "text/plain"}, b"git http-backend failed\n")
    headers = dict(email.parser.BytesHeaderParser().parsebytes(head + b"\r\n").items())
    status = int(headers.pop("Status", "200").split()[0])
    return Response(status, headers, body)
