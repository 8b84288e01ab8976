"""A fake Gitea: the REST API and git over HTTP as the environment uses them, behind a token.

No Gitea can be had here. This speaks the same part of its API by a real server of HTTP, whose
answers are those of the environment's own stand-in; it is no proof that a Gitea answers the same.
"""

from __future__ import annotations

import http.server
import threading
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from openenv_gym_envs.sandbox.inside.git_http import Request, answer

TOKEN = "secret-token"


class FakeGitea:
    """Serves the repositories in a folder while it is entered.

    Attributes:
        url: Where it is.
        asked: Method and path of each request.
    """

    def __init__(self, root: Path) -> None:
        self.asked: list[str] = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                fake.asked.append(f"{self.command} {url.path}")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Authorization") != f"token {TOKEN}":
                    self.send_error(401)
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, url.path, url.query, headers, body)
                response = answer(root, request, 30.0)
                self.send_response(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)

            do_POST = do_DELETE = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> FakeGitea:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
