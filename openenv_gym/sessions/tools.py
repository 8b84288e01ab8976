"""Adapter of environments whose actions call tools, such as those of OpenEnv's ``MCPEnvironment``.

The observation is a Dict of texts: ``tool_name``, what was called; ``result``, what it returned (a
text as it is, all else as JSON); and ``error``, which is empty where there was none. An observation
that is not the result of a tool, as that of a reset, has all of its fields and its metadata in
``result``, as JSON: an agent has to read the task somewhere.

``info["result"]`` has the result of a tool as JSON, whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.payload import Outcome, Payload, outcome
from openenv_gym.sessions.tasks import METHODS
from openenv_gym.spaces.guesses import TOOLS
from openenv_gym.spaces.json_text import LONGEST, dump
from openenv_gym.spaces.tools import CALL_TOOL, ToolActions, ToolSpec
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.wire.messages import StepOutcome

_LONGEST_NAME = 256


class ToolEnvironment(Protocol):
    """An environment whose actions call tools, in terms of OpenEnv's JSON."""

    def tools(self) -> list[ToolSpec]:
        """Return the tools that there are now."""
        raise NotImplementedError

    def begin(self, seed: int | None, options: dict[str, Any]) -> Payload:
        """Begin an episode."""
        raise NotImplementedError

    def carry_out(self, action: Payload) -> Payload:
        """Carry out an action."""
        raise NotImplementedError

    def state(self) -> Payload:
        """Return the environment's state."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the environment."""


class ToolAdapter(Adapter):
    """Makes values of Spaces of calls of tools, and of what comes of them.

    Args:
        environment: The environment.
        form: Form of the actions, as :class:`~openenv_gym.spaces.tools.ToolActions` takes it.

    Attributes:
        environment: The environment.
        actions: The calls that the actions stand for.
        sources: Where the bounds of each leaf of the Spaces came from.

    Raises:
        OptionError: The actions cannot have this form.
    """

    render_mode = None

    def __init__(self, environment: ToolEnvironment, form: str | None = None) -> None:
        self.environment = environment
        self.actions = ToolActions(environment.tools(), form)
        self.action_space = self.actions.space
        self._scores: Callable[[], dict[str, float]] = getattr(environment, "scores", dict)
        texts = {"tool_name": _LONGEST_NAME, "result": LONGEST, "error": LONGEST}
        self.observation_space = spaces.Dict([(name, Utf8(n)) for name, n in texts.items()])
        self.sources = {
            **self.actions.sources,
            **dict.fromkeys((f"observation.{name}" for name in texts), TOOLS),
        }
        self.metadata = {
            "render_modes": [],
            "actions": self.actions.form,
            "tools": [tool._asdict() for tool in self.actions.tools.values()],
        }

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Implements Adapter.field_spaces."""
        sides = (("action", self.action_space), ("observation", self.observation_space))
        return {
            f"{side}.{name}": field
            for side, whole in sides
            if isinstance(whole, spaces.Dict)
            for name, field in whole.items()
        }

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        return self._outcome("", outcome(self.environment.begin(seed, options)))

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        call = self.actions.call(action)
        payload = self.environment.carry_out(
            {"type": CALL_TOOL, "tool_name": call.tool, "arguments": call.arguments}
        )
        return self._outcome(call.tool, outcome(payload))

    def _outcome(self, tool: str, seen: Outcome) -> StepOutcome:
        """Make the outcome of a reset or a step.

        Args:
            tool: Name of the tool that was called; empty after a reset.
            seen: What the environment observed.
        """
        fields, info = dict(seen.fields), dict(seen.metadata)
        result, error = fields.pop("result", None), fields.pop("error", None)
        is_call = fields.pop("tool_name", None) is not None
        value, failure = _unwrapped(result)
        if is_call:
            info |= fields
        if value is None:
            more = {name: field for name, field in fields.items() if field is not None}
            more |= {} if is_call else seen.metadata
            text = _text(more or None)
        else:
            text = _text(value)
            info["result"] = dump(value)
        observation = {
            "tool_name": tool[:_LONGEST_NAME],
            "result": text,
            "error": _error(error or failure),
        }
        scores = self._scores()
        if scores:
            info["rubric"] = scores
        reward = 0.0 if seen.reward is None else seen.reward
        return observation, reward, seen.terminated, seen.truncated, info

    def query(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Implements Adapter.query."""
        if subject == "tools":
            return [tool._asdict() for tool in self.environment.tools()]
        ask_task = getattr(self.environment, "ask_task", None)
        if subject in METHODS and ask_task is not None:
            return ask_task(subject, arguments)
        if subject in ("call_tool", "mcp_tools") and hasattr(self.environment, subject):
            return getattr(self.environment, subject)(**arguments)
        return super().query(subject, arguments)

    def render(self) -> Any:
        """There is nothing to see but texts."""

    def state(self) -> dict[str, Any]:
        """Implements Adapter.state."""
        return self.environment.state()

    def close(self) -> None:
        """Implements Adapter.close."""
        self.environment.close()


def _unwrapped(result: Any) -> tuple[Any, Any]:
    """Return what a tool returned, and its error: a result may be wrapped as MCP has it."""
    if not isinstance(result, dict) or not isinstance(result.get("content"), list):
        return result, None
    flag = result.get("is_error", result.get("isError"))
    if not isinstance(flag, bool):
        return result, None
    content = result["content"]
    value = result.get("data")
    if value is None and content:
        value = result.get("structured_content", result.get("structuredContent"))
    if value is None:
        texts = [part["text"] for part in content if isinstance(part, dict) and "text" in part]
        all_text = bool(texts) and len(texts) == len(content)
        value = "\n".join(map(str, texts)) if all_text else content or None
    return (None, value or "the tool failed") if flag else (value, None)


def _error(error: Any) -> str:
    if isinstance(error, dict) and "message" in error:
        kind = error.get("error_type")
        return _text(f"{kind}: {error['message']}" if kind else error["message"])
    return _text(error)


def _text(value: Any) -> str:
    """Return a value as a text that its Space holds: a text as it is, all else as JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else dump(value)
    text = text[:LONGEST]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
