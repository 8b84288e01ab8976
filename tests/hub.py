"""The hub of Hugging Face, as far as Spaces are found and pushed: its HTTP API, in memory."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of-a-test"


@dataclass
class Space:
    """A Space.

    Attributes:
        private: Who has no token does not see it.
        host: Where it is served.
        stage: What becomes of it.
        files: What was pushed, by path.
        variables: Its variables.
    """

    private: bool = False
    host: str | None = None
    stage: str = "RUNNING"
    files: dict[str, bytes] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


class Hub(ThreadingHTTPServer):
    """The server.

    Attributes:
        spaces: The Spaces that there are, by ``owner/name``.
        asked: Each request that came: its method, its path, and what it sent as token.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spaces: dict[str, Space] = {}
        self.asked: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_GET  # as the base class names them

    def _handle(self) -> None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path, token))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/api/repos/create":
            return self._create(json.loads(body), token)
        if path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        found = re.fullmatch(r"/api/spaces/([^/]+/[^/]+)(/.*)?", path)
        space = self.server.spaces.get(found[1]) if found else None
        if found is None or space is None or (space.private and token != TOKEN):
            return self._answer(404, {"error": "Repository not found"})
        return self._space(found[1], space, found[2] or "", body)

    def _create(self, asked: dict[str, Any], token: str | None) -> None:
        assert (asked["type"], asked["sdk"]) == ("space", "docker")
        name = f"{asked['organization'] or 'team'}/{asked['name']}"
        if token != TOKEN:
            return self._answer(401, {"error": "Invalid credentials"})
        if name in self.server.spaces:
            return self._answer(409, {"error": "there", "url": f"{self.server.url}/spaces/{name}"})
        private = asked.get("private") is True or asked.get("visibility") == "private"
        self.server.spaces[name] = Space(private)
        return self._answer(200, {"url": f"{self.server.url}/spaces/{name}", "name": name})

    def _space(self, name: str, space: Space, rest: str, body: bytes) -> None:
        if rest in ("", "/revision/main"):
            files = [{"rfilename": path} for path in sorted(space.files)]
            facts = {"id": name, "private": space.private, "siblings": files, "sha": "0" * 40}
            runtime = {"stage": space.stage, "hardware": {}}
            return self._answer(200, {**facts, "host": space.host, "runtime": runtime})
        if rest.startswith("/tree/"):
            listed = [
                {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
                for path, data in sorted(space.files.items())
            ]
            return self._answer(200, listed)
        if rest == "/preupload/main":
            asked = json.loads(body)["files"]
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in asked
            ]
            return self._answer(200, {"files": files})
        if rest == "/commit/main":
            self._commit(space, [json.loads(line) for line in body.splitlines()])
            sha = "1" * 40
            url = f"{self.server.url}/spaces/{name}/commit/{sha}"
            return self._answer(200, {"commitUrl": url, "commitOid": sha, "success": True})
        if rest == "/settings":
            space.private = json.loads(body).get("visibility") == "private"
            return self._answer(200, {})
        if rest == "/variables":
            variable = json.loads(body)
            space.variables[variable["key"]] = variable["value"]
            listed = {key: {"value": value} for key, value in space.variables.items()}
            return self._answer(200, listed)
        return self._answer(404, {"error": f"no such route: {rest}"})

    def _commit(self, space: Space, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                space.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del space.files[value["path"]]

    def _answer(self, status: int, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub() -> Iterator[Hub]:
    """Runs one while the block runs."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
