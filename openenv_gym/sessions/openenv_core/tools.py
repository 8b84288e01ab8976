"""Environments of ``openenv.core`` whose actions call tools: ``MCPEnvironment`` and its like."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable, Hashable
from typing import Any, cast

from pydantic_core import to_json

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.registry import Entry
from openenv_gym.sessions.model_adapter import reset_keywords
from openenv_gym.sessions.openenv_core.adapter import OpenEnvCoreEnvironment, adapted_class
from openenv_gym.sessions.openenv_core.loop import EventLoop
from openenv_gym.sessions.openenv_core.models import Models, environment_base, named_models
from openenv_gym.sessions.openenv_core.rubric import RubricScores
from openenv_gym.sessions.payload import Payload
from openenv_gym.sessions.tasks import ask
from openenv_gym.spaces.tools import CALL_TOOL, LIST_TOOLS, ToolSpec, calls_tools, read_tool

_HOME, _BASE = "env_server.mcp_environment", "MCPEnvironment"
_SESSION_LIMIT = 30.0  # seconds until the session with the tools' server is open
_BESIDE = {"done", "reward"}


def is_tool_class(kind: type, entry: Entry) -> bool:
    """Whether the actions of an environment call tools.

    Args:
        kind: Its class.
        entry: What it was found by.
    """
    action = named_models(kind, entry).get("action")
    if action is None:
        return _mcp_base(kind) is not None
    schema = getattr(action, "model_json_schema", dict)
    return calls_tools(schema())


def _mcp_base(kind: type) -> type | None:
    """Return OpenEnv's own ``MCPEnvironment``, if the class is derived from it."""
    for base in kind.__mro__:
        if base.__name__ == _BASE and base.__module__.endswith(_HOME):
            return base
    return None


class CoreToolEnvironment:
    """An environment of ``openenv.core`` in terms of its JSON.

    Args:
        environment: The environment.
        entry: What it was found by.

    Attributes:
        inner: The environment.
        models: Its models.
    """

    def __init__(self, environment: Any, entry: Entry) -> None:
        kind = type(environment)
        self._tools: Any = importlib.import_module(
            environment_base(kind).__module__.replace(".interfaces", ".mcp_types")
        )
        named = named_models(kind, entry)
        self.models = Models(
            named.get("action") or self._tools.CallToolAction,
            named.get("observation") or self._tools.CallToolObservation,
            named["state"],
        )
        self.inner = environment
        self._base = _mcp_base(kind)
        self._name = entry.name
        adapted = adapted_class(cast("Hashable", kind), self.models)
        self._adapted: OpenEnvCoreEnvironment = adapted(environment)
        self._scores = RubricScores(environment)
        self._session: _HeldSession | None = None
        if hasattr(environment, "mcp_session"):
            self._session = _HeldSession(self._adapted.loop, environment.mcp_session)

    def tools(self) -> list[ToolSpec]:
        """Implements ToolEnvironment.tools; environments that count steps do not count this."""
        action = self._tools.ListToolsAction()
        if self._base is None:
            seen = self._adapted.step(action)
        else:
            base: Any = self._base
            seen = self._adapted.loop.run(base.step_async(self.inner, action))
        return [read_tool(tool) for tool in self._payload(seen)["observation"].get("tools") or ()]

    def begin(self, seed: int | None, options: dict[str, Any]) -> Payload:
        """Implements ToolEnvironment.begin."""
        keywords = reset_keywords(self._adapted, seed, options, self._name)
        return self._payload(self._adapted.reset(**keywords))

    def carry_out(self, action: Payload) -> Payload:
        """Implements ToolEnvironment.carry_out; also of an action that lists the tools."""
        if action["type"] == LIST_TOOLS:
            return self._payload(self._adapted.step(self._tools.ListToolsAction()))
        return self._payload(self._adapted.step(self.models.action.model_validate(action)))

    def _payload(self, seen: Any) -> Payload:
        """Return an observation as OpenEnv's own server sends it."""
        fields = seen.model_dump(exclude=_BESIDE)  # the method: some have their own
        data = {"observation": fields, "reward": seen.reward, "done": seen.done}
        payload: Payload = _as_json({**data, "metadata": seen.metadata})
        return payload

    def mcp_tools(self) -> list[dict[str, Any]]:
        """Return the tools as OpenEnv's own server lists them by MCP's method."""
        if self._session is None:
            return [tool._asdict() for tool in self.tools()]
        found: list[Any] = self._adapted.loop.run(self._asked("list_tools"))
        return [_as_json(tool.model_dump()) for tool in found]

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        """Call a tool directly, which is not a step of the episode; return its result as JSON.

        Raises:
            EnvironmentFailedError: The tool failed, or there is none of that name.
        """
        if self._session is None:
            return self.carry_out({"type": CALL_TOOL, "tool_name": name, "arguments": arguments})[
                "observation"
            ]
        call = self._asked("call_tool", name=name, arguments=arguments)
        try:
            return _as_json(self._adapted.loop.run(call))
        except Exception as error:  # which agents see in observations too
            raise EnvironmentFailedError(str(error), tool=name) from error

    async def _asked(self, method: str, **keywords: Any) -> Any:
        async with self.inner.mcp_session() as client:
            return await getattr(client, method)(**keywords)

    def ask_task(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Return what the environment answers as a provider of tasks."""
        return ask(self.inner, subject, arguments, self._adapted.awaited)

    def scores(self) -> dict[str, float]:
        """Return what the rubric scored in the last step, by the names of its parts."""
        return self._scores.take()

    def state(self) -> Payload:
        """Implements ToolEnvironment.state."""
        state = self._adapted.state
        reported: Payload = _as_json(state.model_dump())
        return reported

    def close(self) -> None:
        """Implements ToolEnvironment.close."""
        try:
            if self._session is not None:
                self._session.close()
        finally:
            self._adapted.close()


class _HeldSession:
    """Holds the session of an environment with its own server of tools, until it is closed.

    Each call would open one of its own otherwise. It is opened and closed by the same task, as the
    asynchronous libraries below it want it.
    """

    def __init__(self, loop: EventLoop, session: Callable[[], Any]) -> None:
        self._loop = loop
        self._end: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        loop.run(self._begin(session))

    async def _begin(self, session: Callable[[], Any]) -> None:
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._end = asyncio.Event()
        self._task = asyncio.create_task(self._hold(session, begun, self._end))
        await asyncio.wait_for(begun, _SESSION_LIMIT)

    async def _hold(
        self, session: Callable[[], Any], begun: asyncio.Future[None], end: asyncio.Event
    ) -> None:
        try:
            async with session():
                begun.set_result(None)
                await end.wait()
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(error)

    def close(self) -> None:
        """Close the session."""
        if self._task is not None:
            self._loop.run(self._finish(self._task))

    async def _finish(self, task: asyncio.Task[None]) -> None:
        assert self._end is not None, "the task waits for it"
        self._end.set()
        await asyncio.wait({task}, timeout=_SESSION_LIMIT)


def _as_json(value: Any) -> Any:
    """Return a value as it is at the other end of OpenEnv's protocol."""
    return json.loads(to_json(value, by_alias=False, fallback=_plain, inf_nan_mode="null"))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__dict__"):
        return vars(value)
    return str(value)
