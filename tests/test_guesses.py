"""Guessed Spaces at the user's end of a wire, where each question costs a round trip."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from openenv_gym.env.guesses import Guesses
from openenv_gym.errors import DefaultSpacesWarning
from openenv_gym.spaces.describe import describe
from openenv_gym.transport import ImmediateLink
from openenv_gym.wire.messages import Answer, Description, Query, Reply, Request

NARROW, WIDE = Box(0.0, 1.0, (1,), np.float64), Box(0.0, np.inf, (1,), np.float64)


class Guessing(ImmediateLink):
    """The end of a wire behind which the observation space is a guess.

    Attributes:
        observation_space: What it is there now.
        asked: How often somebody asked.
    """

    def __init__(self) -> None:
        self.observation_space, self.asked = NARROW, 0
        self.description = Description(
            "guessed",
            describe(Discrete(2)),
            describe(NARROW),
            {},
            False,
            sources={"observation": "probe"},
        )

    def handle(self, request: Request) -> Reply:
        assert isinstance(request, Query)
        self.asked += 1
        spaces = {"action": Discrete(2), "observation": self.observation_space}
        return Answer({side: describe(space) for side, space in spaces.items()})

    def close(self) -> None:
        pass


class Seen(gymnasium.Env[Any, Any]):
    action_space, observation_space = Discrete(2), NARROW


def follow(guesses: Guesses, env: Seen, value: float, times: int) -> None:
    for _ in range(times):
        guesses.follow(env, np.array([value]), {})


def test_nan_fits_no_box_and_a_later_widening_is_seen_all_the_same() -> None:
    link, env = Guessing(), Seen()
    guesses = Guesses(link)
    follow(guesses, env, np.nan, times=1000)
    assert 1 <= link.asked <= 10
    link.observation_space = WIDE
    with pytest.warns(DefaultSpacesWarning, match="wider from now on"):
        follow(guesses, env, 5.0, times=2000)
    assert env.observation_space == WIDE


def test_nothing_is_asked_while_all_fits() -> None:
    link = Guessing()
    follow(Guesses(link), Seen(), 0.5, times=10)
    assert link.asked == 0
