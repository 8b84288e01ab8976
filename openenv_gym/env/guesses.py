"""Spaces that are guesses, at the end of the user: what is said of them, and how they widen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium.spaces import Discrete, Space

from openenv_gym.errors import DefaultSpacesWarning
from openenv_gym.spaces.describe import parse
from openenv_gym.spaces.guesses import guesses_text, is_guessed
from openenv_gym.transport import Link, expect
from openenv_gym.wire.messages import Answer, Description, Query


def warn_of_guesses(description: Description) -> None:
    """Warn once of all Spaces that are defaults."""
    text = guesses_text(description.sources)
    if text:
        warnings.warn(text, DefaultSpacesWarning, stacklevel=2)


def warn_of_widening(changed: Sequence[str]) -> None:
    """Warn of Spaces that became wider, as :func:`changed_spaces` returns them."""
    warnings.warn(
        "A value was outside of the Spaces that one observation showed, which are wider from now "
        f"on: {'; '.join(changed)}. Give spaces= to have them from the beginning.",
        DefaultSpacesWarning,
        stacklevel=2,
    )


def changed_spaces(*pairs: tuple[Space[Any], Space[Any]]) -> list[str]:
    """Return what is to be said of the action and the observation space, before and after."""
    sides = zip(("action", "observation"), pairs, strict=True)
    return [
        f"the {side} space is {after!r:.300}" for side, (before, after) in sides if before != after
    ]


class Guesses:
    """Follows the Spaces of a link, which may become wider.

    Args:
        link: The open session.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self._known = link.description
        self._some = is_guessed(link.space_sources)
        self._here = type(link).description_follows
        self._in_vain = 0  # questions in a row to which the answer was nothing new
        self._passed_over = 0  # values that do not fit, until the next question
        self._warned = False

    def __bool__(self) -> bool:
        return self._some

    def follow(
        self, env: gymnasium.Env[Any, Any], observation: Any, info: Mapping[str, Any]
    ) -> None:
        """Take over Spaces that became wider, with one warning.

        Args:
            env: The environment that has them.
            observation: What arrived last.
            info: What arrived beside it.
        """
        description = self.link.description
        if self._here:
            if description is self._known:
                return
            self._known = description
            spaces = {
                "action": description.action_space,
                "observation": description.observation_space,
            }
        else:
            if _fits(env, observation, info) or self._passes_over():
                return
            spaces = expect(Answer, self.link.exchange(Query("spaces"))).value
        action, seen = parse(spaces["action"]), parse(spaces["observation"])
        changed = changed_spaces((env.action_space, action), (env.observation_space, seen))
        self._in_vain = 0 if changed else self._in_vain + 1
        self._passed_over = 2**self._in_vain - 1
        if action != env.action_space:
            env.action_space = _with_generator(action, env.action_space)
        if seen != env.observation_space:
            env.observation_space = _with_generator(seen, env.observation_space)
        if changed and not self._warned:
            self._warned = True
            warn_of_widening(changed)

    def _passes_over(self) -> bool:
        """Return whether a value that does not fit is no reason to ask: NaN never fits a Box.

        A question is a round trip, so after some in vain it is asked ever more seldom.
        """
        if not self._passed_over:
            return False
        self._passed_over -= 1
        return True


def _fits(env: gymnasium.Env[Any, Any], observation: Any, info: Mapping[str, Any]) -> bool:
    mask, actions = info.get("action_mask"), env.action_space
    if mask is not None and isinstance(actions, Discrete) and len(mask) != actions.n:
        return False
    return env.observation_space.contains(observation)


def _with_generator(space: Space[Any], before: Space[Any]) -> Space[Any]:
    """Return a Space that goes on with the random numbers of another of its kind."""
    if type(space) is type(before) and before._np_random is not None:
        space._np_random = before._np_random
    return space
