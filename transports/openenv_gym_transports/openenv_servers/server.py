"""The HTTP routes of OpenEnv's own server, which describe it and make lasting sessions."""

from __future__ import annotations

import json
from time import monotonic, sleep
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from openenv_gym.errors import ConnectError, OptionError
from openenv_gym.wire.names import (
    MCP_PATH,
    OPENAPI_PATH,
    RESET_PATH,
    SCHEMA_PATH,
    STATE_PATH,
    STEP_PATH,
)
from openenv_gym_transports.links.httpx_client import HttpClient
from openenv_gym_transports.links.server import Server
from openenv_gym_transports.openenv_servers.failures import failed, full, not_made

_LARGEST_BODY = 1 << 28
_METHOD_NOT_FOUND = -32601
_PAUSE = 0.2

_TASK_ROUTES = {
    "list_splits": ("GET", "splits", None),
    "list_tasks": ("POST", "tasks", "tasks"),
    "num_tasks": ("POST", "num_tasks", "num_tasks"),
    "get_task": ("POST", "task", "task"),
    "get_task_range": ("POST", "task_range", "tasks"),
}
"""Routes of tasks: method, end of the path, and the key of the answer."""

Release = Literal["current", "legacy"]


class Answer(NamedTuple):
    """The answer of a route.

    Attributes:
        status: The HTTP status.
        data: The JSON in the body; None if the body is not JSON.
        text: The body, or its beginning if it is not JSON.
    """

    status: int
    data: Any
    text: str


class Schemas(NamedTuple):
    """The schemas of a server's environment; None where the server has none.

    Attributes:
        action: JSON schema of the actions.
        observation: JSON schema of the observations.
    """

    action: dict[str, Any] | None = None
    observation: dict[str, Any] | None = None


class OpenEnvServer:
    """The HTTP routes of a server.

    Args:
        server: The server, by the address before the routes, with ``http://`` or ``https://``.
    """

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self._server = server
        self._headers = {
            "Content-Type": "application/json",
            **server.headers,
            "Connection": "close",  # what is sent over a connection that drops may have arrived
        }
        self._client = HttpClient(server)

    def request(self, method: str, path: str, body: Any = None, *, limit: float | None) -> Answer:
        """Make a request over a connection of its own.

        Raises:
            TimeoutError: There was no answer within the limit.
            OSError: The server did not answer.
            ProtocolError: The answer is too large.
        """
        data = None if body is None else json.dumps(body).encode()
        answer = self._client.request(
            method,
            self.url + path,
            data,
            self._headers,
            limit=limit,
            largest=_LARGEST_BODY,
        )
        return _answer(answer.status, bytes(answer.body))

    def release(self, limit: float) -> Release | None:
        """Return the server's release by its own description; None if it is not OpenEnv's.

        Raises:
            OSError: There was no answer.
        """
        answer = self.request("GET", OPENAPI_PATH, limit=limit)
        if not isinstance(answer.data, dict):
            return None
        paths = answer.data.get("paths") or {}
        version = str((answer.data.get("info") or {}).get("version"))
        if SCHEMA_PATH in paths and version.startswith("1."):
            return "current"
        legacy = {RESET_PATH, STEP_PATH, STATE_PATH} <= paths.keys() and SCHEMA_PATH not in paths
        return "legacy" if legacy and version.startswith("0.1") else None

    def schemas(self, limit: float) -> Schemas:
        """Return the schemas of actions and observations.

        Raises:
            OSError: There was no answer.
        """
        reply = self.request("GET", SCHEMA_PATH, limit=limit).data
        reply = reply if isinstance(reply, dict) else {}
        found = [reply.get(name) for name in Schemas._fields]
        return Schemas(*[one if isinstance(one, dict) else None for one in found])

    def ask_task(self, subject: str, arguments: dict[str, Any], limit: float) -> Any:
        """Return what the environment answers as a provider of tasks.

        Args:
            subject: Method of the provider.
            arguments: Its keywords.
            limit: Seconds that the answer may take.

        Raises:
            OptionError: The environment does not have that, or no such task.
            EnvironmentFailedError: It failed.
            OSError: There was no answer.
        """
        method, path, key = _TASK_ROUTES[subject]
        names = self.request("GET", "/list_environments", limit=limit).data
        name = names[0] if isinstance(names, list) and names else ""
        body = arguments if method == "POST" else None
        answer = self.request(method, f"/{quote(str(name))}/{path}", body, limit=limit)
        if answer.status == 200:
            return answer.data if key is None else answer.data[key]
        detail = answer.data.get("detail") if isinstance(answer.data, dict) else answer.text[:200]
        if answer.status in (400, 404, 422, 501):
            fields = {"unsupported": subject} if answer.status in (404, 501) else {}
            raise OptionError(f"The server at {self.url} says: {detail}", url=self.url, **fields)
        raise failed(self.url, f"answer {subject}", {"message": detail, "code": answer.status})

    def create_session(self, limit: float) -> str | None:
        """Make a session that outlives its WebSocket.

        Returns:
            Id of the session; None if the server is too old for such sessions.

        Raises:
            ServerFullError: All sessions are taken.
            EnvironmentFailedError: The environment cannot be made.
            AuthenticationError: The token is wrong, or missing.
            ConnectError: The server refuses.
            OSError: There was no answer.
        """
        answer = self._call("openenv/session/create", {}, limit)
        if answer.status == 401:
            raise self._server.refused(401, b"")
        if answer.status in (404, 405) or not isinstance(answer.data, dict):
            return None
        result, error = answer.data.get("result"), answer.data.get("error") or {}
        if isinstance(result, dict) and isinstance(result.get("session_id"), str):
            return str(result["session_id"])
        facts = error.get("data") or {}
        if "max_sessions" in facts:
            raise full(self.url, facts)
        if "factory_name" in facts:
            raise not_made(self.url, error)
        if error.get("code") == _METHOD_NOT_FOUND:
            return None
        raise ConnectError(
            f"The server at {self.url} did not make a session: {answer.text[:200]}",
            url=self.url,
            status=answer.status,
        )

    def close_session(self, session: str, limit: float) -> None:
        """End a session at once, or when its WebSocket is closed. A missing server is ignored.

        Args:
            session: Id of the session.
            limit: Seconds of tries; a session that is not ended may keep its place forever.
        """
        deadline = monotonic() + limit
        while (left := deadline - monotonic()) > 0:
            try:
                self._call("openenv/session/close", {"session_id": session}, left)
            except ConnectionRefusedError:
                return
            except OSError:
                sleep(_PAUSE)
            else:
                return

    def _call(self, method: str, params: dict[str, Any], limit: float) -> Answer:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.request("POST", MCP_PATH, call, limit=limit)


def _answer(status: int, body: bytes) -> Answer:
    text = body.decode(errors="replace")
    try:
        return Answer(status, json.loads(text), text)
    except ValueError:
        return Answer(status, None, text)
