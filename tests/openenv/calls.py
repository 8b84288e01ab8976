"""Episodes of calls of tools, also for a peer's process."""

from __future__ import annotations

from typing import Any

import gymnasium

from openenv_gym.spaces.tools import ToolActions, read_tool


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "call_tool", "tool_name": tool, "arguments": arguments}


def calls_of(env: gymnasium.Env[Any, Any]) -> ToolActions:
    metadata = env.unwrapped.metadata
    return ToolActions(map(read_tool, metadata["tools"]), metadata["actions"])


def episode(env: gymnasium.Env[Any, Any], seed: int, most: int) -> tuple[list[Any], list[Any]]:
    """Outcomes of sampled actions, and the actions as OpenEnv's clients send them."""
    calls = calls_of(env)
    env.action_space.seed(seed)
    outcomes, actions = [(*env.reset(seed=seed), 0.0, False, False)], []
    while len(actions) < most and not outcomes[-1][3]:
        value = env.action_space.sample()
        made = calls.call(value)
        actions.append(call(made.tool, **made.arguments))
        observation, reward, terminated, truncated, info = env.step(value)
        assert env.observation_space.contains(observation)
        outcomes.append((observation, info, reward, terminated, truncated))
    return outcomes, actions
