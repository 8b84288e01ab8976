"""The HTTP routes of a server of OpenEnv's own make: what it is, and sessions that last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from time import monotonic, sleep
from typing import Any, Literal, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from openenv_gym.errors import ConnectError, OptionError
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
    """What a route answered.

    Attributes:
        status: The HTTP status.
        data: The JSON in the body; None where it holds none.
        text: The body, or its beginning where it holds no JSON.
    """

    status: int
    data: Any
    text: str


class Schemas(NamedTuple):
    """What a server tells of its environment; None for what it does not.

    Attributes:
        action: JSON schema of its actions.
        observation: JSON schema of its observations.
    """

    action: dict[str, Any] | None = None
    observation: dict[str, Any] | None = None


class StockServer:
    """A server by its HTTP routes.

    Args:
        url: ``http://`` or ``https://`` and what is before the routes.
        headers: Headers of each request.
        proxies: Use the proxies that the environment variables name.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, proxies: bool) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json", **headers}
        self._opener = build_opener(*([] if proxies else [ProxyHandler({})]))

    def request(self, method: str, path: str, body: Any = None, *, limit: float | None) -> Answer:
        """Makes a request, over a connection of its own.

        Raises:
            TimeoutError: It was not answered within the limit.
            OSError: There was no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, self._headers, method=method)
        try:
            with self._opener.open(request, timeout=limit) as response:
                return _answer(response.status, _read(response))
        except HTTPError as error:
            with error:
                return _answer(error.code, _read(error))
        except HTTPException as error:
            raise ConnectionResetError(str(error) or type(error).__name__) from error
        except OSError as error:
            reason = getattr(error, "reason", None)
            if isinstance(reason, OSError):
                raise reason from error
            raise

    def release(self, limit: float) -> Release | None:
        """What it is by its own description; None if it is none of OpenEnv's.

        Raises:
            OSError: There was no answer.
        """
        answer = self.request("GET", "/openapi.json", limit=limit)
        if not isinstance(answer.data, dict):
            return None
        paths = answer.data.get("paths") or {}
        version = str((answer.data.get("info") or {}).get("version"))
        if "/schema" in paths and version.startswith("1."):
            return "current"
        legacy = {"/reset", "/step", "/state"} <= paths.keys() and "/schema" not in paths
        return "legacy" if legacy and version.startswith("0.1") else None

    def schemas(self, limit: float) -> Schemas:
        """What it tells of actions and observations.

        Raises:
            OSError: There was no answer.
        """
        told = self.request("GET", "/schema", limit=limit).data
        told = told if isinstance(told, dict) else {}
        found = [told.get(name) for name in Schemas._fields]
        return Schemas(*[one if isinstance(one, dict) else None for one in found])

    def name(self, limit: float) -> str:
        """What it calls its environment; its URL, where it does not tell.

        Raises:
            OSError: There was no answer.
        """
        told = self.request("GET", "/metadata", limit=limit).data
        name = told.get("name") if isinstance(told, dict) else None
        return name if isinstance(name, str) else self.url

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
        """Makes a session that outlives its WebSocket.

        Returns:
            Its id; None where the server is too old for such.

        Raises:
            ServerFullError: All sessions are taken.
            EnvironmentFailedError: The environment cannot be made.
            ConnectError: It refuses.
            OSError: There was no answer.
        """
        answer = self._call("openenv/session/create", {}, limit)
        if answer.status in (404, 405) or not isinstance(answer.data, dict):
            return None
        result, error = answer.data.get("result"), answer.data.get("error") or {}
        if isinstance(result, dict) and isinstance(result.get("session_id"), str):
            return str(result["session_id"])
        told = error.get("data") or {}
        if "max_sessions" in told:
            raise full(self.url, told)
        if "factory_name" in told:
            raise not_made(self.url, error)
        if error.get("code") == _METHOD_NOT_FOUND:
            return None
        raise ConnectError(
            f"The server at {self.url} gave no session: {answer.text[:200]}",
            url=self.url,
            status=answer.status,
        )

    def close_session(self, session: str, limit: float) -> None:
        """Ends a session, at once or when its WebSocket is closed; unless the server is gone.

        Args:
            session: Its id.
            limit: Seconds to go on trying, since otherwise it may keep its place for ever.
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
        return self.request("POST", "/mcp", call, limit=limit)


def _read(response: Any) -> bytes:
    body: bytes = response.read(_LARGEST_BODY)
    # What is left of it; None where its headers broke off, which pass for complete.
    if response.length or (response.length is None and not body):
        raise ConnectionResetError("the answer broke off")
    return body


def _answer(status: int, body: bytes) -> Answer:
    text = body.decode(errors="replace")
    try:
        return Answer(status, json.loads(text), text)
    except ValueError:
        return Answer(status, None, text)
