"""SkyRL: environments of text in and text out, over every transport.

::

    import skyrl_gym
    from openenv_gym import skyrl                          # registers "openenv"

    config = {"id": "openenv/Connect4-v0", "options": {"opponent": "random"}}
    env = skyrl_gym.make("openenv", env_config=config, extras={"seed": 3, "max_turns": 30})
    conversation, _ = env.init([{"role": "user", "content": "You play Connect Four."}])
    output = env.step("I take the middle. <action>3</action>")

Where the action is a text, the model's whole answer is the action, or what is in its last
``<action>...</action>``. Any other action is in there as JSON: its only value, an object of its
fields, or a call ``{"name": ..., "arguments": {...}}`` where there are several kinds of actions.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from openenv_gym.errors import ActionError, OptionError, missing_package
from openenv_gym.trl import environment_factory
from openenv_gym.trl.environment import Content, ToolEnvironment
from openenv_gym.trl.tools import Tool

try:
    import skyrl_gym
    from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
except ImportError as error:
    raise missing_package("openenv_gym.skyrl", error.name or str(error), None) from error

__all__ = ["SKYRL_ID", "OpenEnvTextEnv"]

SKYRL_ID = "openenv"
"""The id that it has in SkyRL's registry."""

Call = tuple[str, dict[str, Any]]
"""Name of a tool, and its arguments."""

_IN_TAGS = re.compile(r"<action>(.*?)</action>", re.DOTALL)


class OpenEnvTextEnv(BaseTextEnv):
    """An OpenEnv environment as SkyRL's generator plays it.

    Args:
        env_config: ``id``, as ``gymnasium.make`` takes it; ``options``, the other keywords of
            ``make``, the transport among them; ``max_turns``; ``invalid_reward`` for an answer
            without a valid action, by default 0, which steps nothing; ``explain``: say after the
            first observation how to answer, by default True; ``parse``: a function, or
            ``"module:function"``, that takes an answer and returns a tool's name and arguments.
        extras: ``seed`` of the episode, ``reset_options``, ``max_turns``; all others are the
            trainer's affair.

    Raises:
        OptionError: There is no id, or the environment has no action models.
        RegistryError: There is no such environment.
    """

    def __init__(
        self, env_config: Mapping[str, Any], extras: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        extras = extras or {}
        if "id" not in env_config:
            raise OptionError(
                'env_config names no environment: give {"id": "openenv/Connect4-v0"}.',
                env_config=sorted(map(str, env_config)),
            )
        reset_options = dict(extras.get("reset_options") or {})
        made = environment_factory(
            env_config["id"],
            reset_options=list(reset_options),
            **dict(env_config.get("options") or {}),
        )
        self.max_turns = int(extras.get("max_turns") or env_config.get("max_turns") or 1_000_000)
        self._columns = {"seed": extras.get("seed"), **reset_options}
        self._invalid_reward = float(env_config.get("invalid_reward", 0.0))
        self._explain = bool(env_config.get("explain", True))
        self._tools = {tool.name: tool for tool in made._tools}
        parse = env_config.get("parse")
        self._parse = _loaded(parse) if parse else self._parsed
        self._environment: ToolEnvironment = made()
        self._invalid = 0

    def init(self, prompt: list[dict[str, str]]) -> tuple[list[dict[str, str]], dict[str, Any]]:
        """Implements BaseTextEnv.init: begins an episode, and adds its first observation."""
        self.turns = self._invalid = 0
        seen = _text_of(self._environment.reset(**self._columns))
        if self._explain:
            seen = f"{seen}\n{self._instructions()}"
        return [*prompt, _message(seen)], {}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Implements BaseTextEnv.step; an answer without a valid action steps nothing."""
        environment = self._environment
        before = environment.reward
        self.turns += 1
        valid = True
        try:
            name, arguments = self._parse(action)
            seen = _text_of(getattr(environment, name)(**arguments))
        except ActionError as error:
            valid, seen = False, f"{error} {self._instructions()}"
            self._invalid += 1
        reward = environment.reward - before if valid else self._invalid_reward
        done = environment.done or self.turns >= self.max_turns
        output = {
            "observations": [] if done else [_message(seen)],
            "reward": float(reward),
            "done": done,
            "metadata": {"valid": valid, "last_observation": seen},
        }
        return cast("BaseTextEnvStepOutput", output)

    def get_metrics(self) -> dict[str, Any]:
        """Implements BaseTextEnv.get_metrics."""
        return {
            "turns": self.turns,
            "invalid_actions": self._invalid,
            "episode_reward": self._environment.reward,
        }

    def close(self) -> None:
        """Implements BaseTextEnv.close."""
        self._environment._close()

    def _parsed(self, answer: str) -> Call:
        """Return the call that an answer makes.

        Raises:
            ActionError: It makes none.
        """
        tagged = _IN_TAGS.findall(answer)
        text = (tagged[-1] if tagged else answer).strip()
        only = next(iter(self._tools.values())) if len(self._tools) == 1 else None
        if only is not None and _takes_text(only):
            return only.name, {only.parameters[0].name: text}
        try:
            value = json.loads(text)
        except ValueError:
            value = text if tagged else None
        if isinstance(value, dict) and value.get("name") in self._tools:
            arguments = value.get("arguments", {})
            if isinstance(arguments, dict):
                return value["name"], arguments
        elif only is not None and isinstance(value, dict):
            return only.name, value
        elif only is not None and len(only.parameters) == 1 and value is not None:
            return only.name, {only.parameters[0].name: value}
        raise ActionError("Your answer has no action.", answer=answer[:1000])

    def _instructions(self) -> str:
        """Return how to answer, in words."""
        tools = [*self._tools.values()]
        if len(tools) == 1 and _takes_text(tools[0]):
            return "Answer with your action, or with <action>your action</action>."
        forms = "\n".join(f"{tool.name}: {tool.doc}" for tool in tools)
        if len(tools) == 1 and len(tools[0].parameters) == 1:
            how = f"<action>{tools[0].parameters[0].name}</action>"
        elif len(tools) == 1:
            fields = ", ".join(f'"{each.name}": ...' for each in tools[0].parameters)
            how = f"<action>{{{fields}}}</action>"
        else:
            how = '<action>{"name": ..., "arguments": {...}}</action>'
        return f"Answer with {how}.\n{forms}"


def _takes_text(tool: Tool) -> bool:
    return len(tool.parameters) == 1 and tool.parameters[0].annotation is str


def _text_of(content: Content) -> str:
    """Return the text of a message, without pictures, which SkyRL's conversations do not have."""
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def _message(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _loaded(parse: str | Callable[[str], Call]) -> Callable[[str], Call]:
    if not isinstance(parse, str):
        return parse
    module, _, name = parse.partition(":")
    found = getattr(importlib.import_module(module), name)
    if not inspect.isroutine(found):
        raise OptionError(f"parse={parse!r} is not a function.", parse=parse)
    return cast("Callable[[str], Call]", found)


if SKYRL_ID not in skyrl_gym.registry:
    skyrl_gym.register(id=SKYRL_ID, entry_point="openenv_gym.skyrl:OpenEnvTextEnv")
