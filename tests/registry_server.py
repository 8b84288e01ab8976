"""A registry of images, as far as an engine pushes to one: the OCI distribution API, in memory."""

from __future__ import annotations

import hashlib
import io
import json
import re
import secrets
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

SAID = b"an image of one file"


class Registry(ThreadingHTTPServer):
    """The server.

    Attributes:
        blobs: What was pushed, by its digest.
        manifests: Manifests, by ``repository:tag``.
        closed: Nobody may push.
    """

    daemon_threads = True

    def __init__(self, *, closed: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.closed = closed
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}

    @property
    def name(self) -> str:
        """What the names of its images begin with."""
        return f"127.0.0.1:{self.server_address[1]}"

    def image(self, name: str) -> list[bytes]:
        """The layers of an image, all of which must be there."""
        manifest = json.loads(self.manifests[name])
        assert manifest["config"]["digest"] in self.blobs
        return [self.blobs[layer["digest"]] for layer in manifest["layers"]]


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.closed:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="registry"'})
        elif self.path == "/v2/":
            self._answer(200)
        else:
            self._send(body=True)

    def do_HEAD(self) -> None:
        self._send(body=False)

    def _send(self, *, body: bool) -> None:
        """Send what was pushed: a blob, or a manifest by its tag or digest."""
        repository, _, name = self.path.removeprefix("/v2/").rpartition("/")
        found, kind = self.server.blobs.get(name), "application/octet-stream"
        if found is None:
            tagged = f"{repository.removesuffix('/manifests')}:{name}"
            named = {_digest(one): one for one in self.server.manifests.values()}
            found = self.server.manifests.get(tagged, named.get(name))
            kind = "" if found is None else json.loads(found)["mediaType"]
        if found is None:
            self._answer(404)
            return
        headers = {"Content-Length": str(len(found)), "Content-Type": kind}
        self._answer(200, {**headers, "Docker-Content-Digest": _digest(found)})
        if body:
            self.wfile.write(found)

    def do_POST(self) -> None:
        upload = f"{self.path.partition('?')[0].rstrip('/')}/{len(self.server.uploads)}"
        self.server.uploads[upload] = self._body()
        self._answer(202, {"Location": upload})

    def do_PATCH(self) -> None:
        self.server.uploads[self.path] += self._body()
        end = len(self.server.uploads[self.path]) - 1
        self._answer(202, {"Location": self.path, "Range": f"0-{end}"})

    def do_PUT(self) -> None:
        path, _, query = self.path.partition("?")
        body = self._body()
        if manifest := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            self.server.manifests[f"{manifest[1]}:{manifest[2]}"] = body
        else:
            body = self.server.uploads[path] + body
            assert query.endswith(_digest(body).replace(":", "%3A"))
            self.server.blobs[_digest(body)] = body
        self._answer(201, {"Location": path, "Docker-Content-Digest": _digest(body)})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextmanager
def registry(*, closed: bool = False) -> Iterator[Registry]:
    """Runs one while the block runs."""
    server = Registry(closed=closed)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def small_image(engine: DockerClient) -> Iterator[str]:
    """A small image, new each time, so that no engine has pushed it before."""
    name = f"openenv-gym-test/push-{secrets.token_hex(6)}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, data in (("said", SAID), ("own", name.encode())):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    engine.api.import_image_from_data(archive.getvalue(), repository=name, tag="latest")
    try:
        yield name
    finally:
        engine.images.remove(name)
