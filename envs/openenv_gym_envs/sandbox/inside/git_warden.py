"""A folder with git: repositories, commands in them, and a server of them.

There are two of these: an agent's workspace, and what holds the repositories of the server. What
git asks for in the first, over HTTP, goes out over the channel to its owner, who has it answered by
the second, or by a Gitea.

    python -m openenv_gym_envs.sandbox.inside.git_warden
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import resource
import shutil
import socket
import socketserver
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openenv_gym_envs.sandbox.inside import confine, frames, git_http, seccomp, system
from openenv_gym_envs.sandbox.inside.git_config import Guard
from openenv_gym_envs.sandbox.inside.git_process import Watched, run

LONGEST = 128 << 20
"""Bytes of a frame: the bodies of requests and responses are in there."""

_LARGEST_BODY = 32 << 20
_LARGEST_FILE = 64 << 20
_PROCESSES = 64
_TRUSTED_SECONDS = 30.0
_DYING_SECONDS = 2.0


class Host:
    """Carries out what the owner of the sandbox asks.

    Args:
        owner: The channel to it.
        server: Takes the requests of git.
        root: The folder.
        allowed: The filter of the system calls of an agent's commands, where these have fewer than
            this process.
    """

    def __init__(
        self,
        owner: socket.socket,
        server: socketserver.TCPServer,
        root: Path,
        allowed: bytes | None,
    ) -> None:
        self._allowed = allowed
        self._owner = owner
        self._server = server
        self._root = root
        self._guard = Guard(root.resolve())
        self._proxy = f"http://127.0.0.1:{server.server_address[1]}"

    def serve(self) -> None:
        """Answers, for as long as there is an owner."""
        does: dict[str, Callable[..., dict[str, Any]]] = {
            "clear": self._clear,
            "create": self._create,
            "run": self._run,
            "remove": self._remove,
            "http": self._http,
        }
        try:
            while True:
                request = json.loads(frames.receive(self._owner, LONGEST))
                reply = does[request.pop("do")](**request)
                if not _nothing_is_left():
                    # The end of this process would not be the end of the channel: what is around it
                    # has that too, and waits for what is left.
                    self._owner.shutdown(socket.SHUT_RDWR)
                    return
                frames.send(self._owner, json.dumps(reply).encode())
        except frames.FrameError:
            self._clear()  # where the owner was killed it cannot do that itself

    def _clear(self) -> dict[str, Any]:
        self._guard.clear()
        for path in self._root.iterdir():
            _delete(path)
        return {}

    def _remove(self, path: str) -> dict[str, Any]:
        _delete(self._root / path)
        return {}

    def _create(self, name: str, description: str, stream: str) -> dict[str, Any]:
        """A bare repository, of a stream of ``git fast-import``; returns its commits by mark."""
        folder = git_http.create(self._root, name, description)
        done = run(
            [f"--git-dir={folder}", "fast-import", "--quiet", "--export-marks=marks"],
            str(folder),
            stream.encode(),
            {},
            time.monotonic() + _TRUSTED_SECONDS,
            1 << 16,
        )
        if done.status or done.fate != "exited":
            raise OSError(done.stderr.decode(errors="replace"))
        marks = (folder / "marks").read_text().split()
        return {"marks": dict(zip(marks[::2], marks[1::2], strict=True))}

    def _run(
        self,
        arguments: list[str],
        folder: str,
        stdin: str,
        environment: dict[str, str],
        seconds: float,
        longest: int,
    ) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        root = self._root.resolve()
        at = (root / folder).resolve()
        if not at.is_relative_to(root) or not at.is_dir():
            return {"fate": "nowhere", "status": 0, "stdout": "", "stderr": ""}
        problem = self._guard.problem(at, arguments)
        if problem is not None:
            return {"fate": "refused", "status": 0, "stdout": "", "stderr": f"{problem}\n"}
        done = run(
            arguments,
            str(at),
            stdin.encode(),
            {"http_proxy": self._proxy, "GIT_CEILING_DIRECTORIES": str(root), **environment},
            deadline,
            longest,
            Watched(self._owner, self._server.socket, self._relay),
            self._allowed,
        )
        return {
            "fate": done.fate,
            "status": done.status,
            "stdout": done.stdout.decode(errors="replace"),
            "stderr": done.stderr.decode(errors="replace"),
        }

    def _http(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        request["body"] = base64.b64decode(request["body"])
        response = git_http.answer(self._root, git_http.Request(**request), seconds)
        body = base64.b64encode(response.body).decode()
        return {"status": response.status, "headers": response.headers, "body": body}

    def _relay(self, deadline: float) -> None:
        """Takes one request of git; it is answered by the owner, within the same command."""
        self._server.timeout = 0
        self._server.deadline = deadline  # type: ignore[attr-defined]  # for the handler
        self._server.owner = self._owner  # type: ignore[attr-defined]
        self._server.handle_request()


class _Relay(http.server.BaseHTTPRequestHandler):
    """One request of git, which comes as to a proxy: with the name of the server in it."""

    server: Any

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(max(self.server.deadline - time.monotonic(), 0.001))

    def do_GET(self) -> None:
        self._pass_on()

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def _pass_on(self) -> None:
        url = urlsplit(self.path)
        size = self.headers.get("Content-Length", "0")
        if f"{url.scheme}://{url.netloc}" != git_http.URL:
            self.send_error(403, "There is no such host")
            return
        if not size.isdigit() or int(size) > _LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.send_error(413, "Too large")
            return
        body = self.rfile.read(int(size))
        request = {
            "method": self.command,
            "path": url.path,
            "query": url.query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(body).decode(),
        }
        frames.send(self.server.owner, json.dumps({"http": request}).encode())
        response = json.loads(frames.receive(self.server.owner, LONGEST))
        answered = base64.b64decode(response["body"])
        self.send_response_only(response["status"])
        for name, value in response["headers"].items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)


class _Server(socketserver.TCPServer):  # an HTTPServer would look its own name up
    def handle_error(self, request: Any, client_address: Any) -> None:
        """What git does to its own request is its own affair; the owner's end is ours."""
        error = sys.exc_info()[1]
        if isinstance(error, frames.FrameError):
            raise error


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _nothing_is_left() -> bool:
    """Waits for what was killed with its group. What has left its group stays on.

    Git leaves none; a program that has taken it over may.
    """
    deadline = time.monotonic() + _DYING_SECONDS
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if not pid:
            time.sleep(0.001)
    return False


def main() -> None:
    """Serves the owner of the sandbox."""
    # Landlock allows a port to be connected to, not to be taken, so this comes before.
    server = _Server(("127.0.0.1", 0), _Relay)
    owner, setting = confine.enter(connect=(server.server_address[1],))
    system.adopt_orphans()
    # For this process too: to do that in each new one would take longer than what git does.
    confine.limit(setting["memory"], _PROCESSES if setting["count_threads"] else None, None)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    # Where nothing else keeps their signals from others, the programs have none, and stay in the
    # group that is killed. It is this process that kills them.
    allowed = None if setting["keeps_signals"] else seccomp.for_programs(signals=False).program()
    seccomp.for_programs(signals=True).load()
    frames.send(owner, b"{}")
    Host(owner, server, Path(setting["workspace"]), allowed).serve()


if __name__ == "__main__":
    main()
