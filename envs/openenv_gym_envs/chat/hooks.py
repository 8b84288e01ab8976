"""Functions of the user's: the other side of the conversation, and the reward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from openenv_gym import registry
from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.registry import Entry

Messages = list[dict[str, str]]
Reply = Callable[[Messages, np.random.Generator], str | None]
"""Takes the conversation; returns the user's answer, or None to end the conversation."""
RewardFunction = Callable[[Messages], float]
"""Takes the conversation, the agent's new message included; returns the reward."""


def load(target: str) -> Callable[..., Any]:
    """Import a function by its name, ``module:function``.

    Raises:
        RegistryError: The function does not exist.
    """
    return registry.load(Entry(target, target))


class Script:
    """Answers with texts in their order and then ends the conversation.

    Args:
        texts: The answers.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __call__(self, messages: Messages, rng: np.random.Generator) -> str | None:
        """Implements Reply."""
        said = sum(message["role"] == "assistant" for message in messages)
        return self._texts[said - 1] if said <= len(self._texts) else None


def make_reply(reply: str | list[str] | None) -> Reply | None:
    """Return the function that the option ``reply`` stands for.

    Raises:
        RegistryError: The function does not exist.
    """
    if reply is None:
        return None
    return Script(reply) if isinstance(reply, list) else load(reply)


def answer(reply: Reply, messages: Messages, rng: np.random.Generator) -> str | None:
    """Return the answer of a function.

    Raises:
        EnvironmentFailedError: The answer is not a text.
    """
    text = reply(messages, rng)
    if text is not None and not isinstance(text, str):
        raise EnvironmentFailedError(
            f"reply returned {text!r}, a {type(text).__name__}. It must return a text, or None to "
            "end the conversation."
        )
    # A text with half a surrogate pair has no tokens.
    return None if text is None else text.encode("utf-8", "replace").decode()


def reward(function: RewardFunction, messages: Messages) -> float:
    """Return the reward of a function.

    Raises:
        EnvironmentFailedError: The reward is not a number.
    """
    value = function(messages)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise EnvironmentFailedError(
            f"reward_fn returned {value!r}, a {type(value).__name__}. It must return a number."
        ) from error
