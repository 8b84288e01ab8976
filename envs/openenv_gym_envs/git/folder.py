"""Folder: a sandbox with git in it, and what is asked of it."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from openenv_gym.errors import EnvironmentFailedError, MissingDependencyError
from openenv_gym_envs.sandbox.boundary import WORKSPACE, View
from openenv_gym_envs.sandbox.inside.git_http import Request, Response
from openenv_gym_envs.sandbox.inside.git_process import GIT
from openenv_gym_envs.sandbox.inside.git_warden import LONGEST
from openenv_gym_envs.sandbox.process import Sandbox, SandboxLostError

_SPACE = 256 << 20  # bytes
_MEMORY = 1 << 30
_GRACE_SECONDS = 10.0  # beyond the limit of a command, which is kept within
_TRUSTED_SECONDS = 60.0

Answer = Callable[[Request], Response]


class Finished(msgspec.Struct):
    """How a command ended.

    Attributes:
        fate: ``"nowhere"``: there is no such folder, and it did not run. ``"refused"``: it did not
            run, for what ``stderr`` says.
        status: Its exit status, or the signal that killed it.
        stdout: What it wrote.
        stderr: The same.
    """

    fate: Literal["exited", "killed", "timeout", "nowhere", "refused"]
    status: Annotated[int, msgspec.Meta(ge=0, le=255)]
    stdout: str
    stderr: str

    @property
    def succeeded(self) -> bool:
        """It exited with 0."""
        return self.fate == "exited" and not self.status


class FolderLostError(Exception):
    """The sandbox broke in the middle of a command; there is nothing in the folder any more."""


def find_git() -> str:
    """Return where git is.

    Raises:
        MissingDependencyError: It is not installed.
    """
    if not os.path.exists(GIT):
        raise MissingDependencyError(
            f"Git is needed, and {GIT} is missing: apt-get install git. Or run the environment in "
            "a container, which brings it, by transport='docker'.",
            package="git",
        )
    return GIT


class Folder:
    """A folder with git, in a sandbox without a network.

    Raises:
        MissingDependencyError: Git or bubblewrap is not installed.
        EnvironmentFailedError: No sandbox can be made here.
    """

    def __init__(self) -> None:
        find_git()
        self._sandbox = self._start()

    def _start(self) -> Sandbox:
        return Sandbox("git_warden", {"memory": _MEMORY}, View(space=_SPACE, programs=True))

    def clear(self) -> None:
        """Empty it; makes it anew, where it broke."""
        with contextlib.suppress(FolderLostError):
            self._ask({"do": "clear"})
            return
        self._sandbox.close()
        self._sandbox = self._start()

    def create(self, name: str, description: str, stream: str) -> dict[int, str]:
        """Make a bare repository of a stream; returns the hashes of its commits by mark."""
        request = {"do": "create", "name": name, "description": description, "stream": stream}
        marks = msgspec.json.decode(self._trusted(request), type=dict[str, dict[str, str]])["marks"]
        return {int(mark[1:]): hash for mark, hash in marks.items()}

    def remove(self, path: str) -> None:
        """Delete a file or folder in it."""
        self._ask({"do": "remove", "path": path})

    def run(
        self,
        arguments: list[str],
        folder: str = "",
        *,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        seconds: float = _TRUSTED_SECONDS,
        longest: int = 1 << 20,
        answer: Answer | None = None,
    ) -> Finished:
        """Run git in it.

        Args:
            arguments: Behind ``git``.
            folder: Where, within.
            stdin: What it reads.
            environment: Variables.
            seconds: When it is killed.
            longest: The most bytes that are kept of each output.
            answer: Answers its requests over HTTP.

        Raises:
            FolderLostError: The sandbox broke.
        """
        inside = self._sandbox.workspace
        request: dict[str, Any] = {
            "do": "run",
            "arguments": [one.replace(WORKSPACE, inside) for one in arguments],
            "folder": folder,
            "stdin": stdin,
            "environment": dict(environment or {}),
            "seconds": seconds,
            "longest": longest,
        }
        try:
            for _ in range(_MOST_REQUESTS):
                reported = msgspec.json.decode(self._ask(request, seconds + _GRACE_SECONDS))
                if "http" not in reported:
                    return self._finished(msgspec.convert(reported, Finished))
                request = _packed(_response(_unpacked(reported["http"]), answer))
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            self.close()
            raise FolderLostError(f"The sandbox said what it never says: {error}") from error
        except BaseException:  # what it waits for would be taken for the next answer
            self.close()
            raise
        self.close()
        raise FolderLostError("A command asked the server without end.")

    def _finished(self, done: Finished) -> Finished:
        """Without the name that the folder has on its host, which is nobody's business."""
        inside = self._sandbox.workspace
        done.stdout = done.stdout.replace(inside, WORKSPACE)
        done.stderr = done.stderr.replace(inside, WORKSPACE)
        return done

    def serve(self, request: Request, seconds: float) -> Response:
        """What the server, whose repositories are in it, answers to a request.

        Raises:
            FolderLostError: The sandbox broke.
        """
        asked = {"do": "http", "request": _packed(request), "seconds": seconds}
        reported = msgspec.json.decode(self._ask(asked, seconds + _GRACE_SECONDS))
        return Response(reported["status"], reported["headers"], base64.b64decode(reported["body"]))

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox.close()

    def _ask(self, request: Mapping[str, Any], seconds: float = _TRUSTED_SECONDS) -> bytes:
        if self._sandbox.closed:
            raise FolderLostError("The sandbox has ended.")
        try:
            return self._sandbox.ask(request, LONGEST, seconds)
        except SandboxLostError as error:
            raise FolderLostError(str(error)) from error

    def _trusted(self, request: Mapping[str, Any]) -> bytes:
        try:
            return self._ask(request)
        except FolderLostError as error:
            raise EnvironmentFailedError(
                f"Git made no repository: {error} The next reset() makes another sandbox.",
                reason=str(error),
            ) from error


_MOST_REQUESTS = 1000


def _response(request: Request, answer: Answer | None) -> Response:
    if answer is None:
        return Response(403, {}, b"there is no server\n")
    try:
        return answer(request)
    except (EnvironmentFailedError, FolderLostError) as error:
        return Response(502, {"Content-Type": "text/plain"}, f"{error}\n".encode())


def _unpacked(reported: dict[str, Any]) -> Request:
    return Request(**{**reported, "body": base64.b64decode(reported["body"])})


def _packed(message: Request | Response) -> dict[str, Any]:
    return {**message._asdict(), "body": base64.b64encode(message.body).decode()}
