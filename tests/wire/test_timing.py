"""Where the time of a step goes: measured where it was asked for, and nowhere else."""

from __future__ import annotations

import gymnasium
import pytest

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.wire.timing import Timing


@pytest.mark.parametrize("transport", ["process", "websocket", "http"])
def test_the_parts_of_a_step_are_measured(transport: str) -> None:
    env = gymnasium.make("openenv/Connect4-v0", transport=transport, timing=True)
    try:
        env.reset(seed=0)
        _, _, _, _, info = env.step(3)
        timing = env.unwrapped.last_timing
        assert isinstance(timing, Timing)
        assert all(part >= 0 for part in timing)
        # Both ends have had their hands on it, and what was between them took the rest.
        assert min(timing.encode, timing.wire, timing.environment, timing.decode) > 0
        assert not any("tim" in key for key in info)
    finally:
        env.close()


def test_in_process_it_is_all_the_environment() -> None:
    with gymnasium.make("openenv/Connect4-v0", timing=True) as env:
        env.reset(seed=0)
        timing = env.unwrapped.last_timing
        assert timing.environment > 0
        assert sum(timing) == timing.environment


def test_none_unless_asked_for() -> None:
    with gymnasium.make("openenv/Connect4-v0", transport="process") as env:
        env.reset(seed=0)
        env.step(0)
        assert env.unwrapped.last_timing is None
