"""Code of the user's: who answers, and what is rewarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from openenv_gym import registry
from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.registry import Entry

Messages = list[dict[str, str]]
Reply = Callable[[Messages, np.random.Generator], str | None]
"""Given the conversation, what the user answers, or None to end it."""
RewardFunction = Callable[[Messages], float]
"""Given the conversation up to what the agent said, the reward for that."""


def load(target: str) -> Callable[..., Any]:
    """The function of a name, ``module:function``.

    Raises:
        RegistryError: There is none.
    """
    return registry.load(Entry(target, target))


class Script:
    """Answers with texts in their order, and then ends the conversation.

    Args:
        texts: What is answered.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __call__(self, messages: Messages, rng: np.random.Generator) -> str | None:
        """Implements Reply."""
        said = sum(message["role"] == "assistant" for message in messages)
        return self._texts[said - 1] if said <= len(self._texts) else None


def make_reply(reply: str | list[str] | None) -> Reply | None:
    """Who answers, by the option of that name.

    Raises:
        RegistryError: There is no such function.
    """
    if reply is None:
        return None
    return Script(reply) if isinstance(reply, list) else load(reply)


def answer(reply: Reply, messages: Messages, rng: np.random.Generator) -> str | None:
    """What is answered.

    Raises:
        EnvironmentFailedError: It is no text.
    """
    text = reply(messages, rng)
    if text is not None and not isinstance(text, str):
        raise EnvironmentFailedError(
            f"reply gave {text!r}, a {type(text).__name__}. It must give a text, or None to end "
            "the conversation."
        )
    # What is no Unicode text has no tokens.
    return None if text is None else text.encode("utf-8", "replace").decode()


def reward(function: RewardFunction, messages: Messages) -> float:
    """What is rewarded.

    Raises:
        EnvironmentFailedError: It is no number.
    """
    value = function(messages)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise EnvironmentFailedError(
            f"reward_fn gave {value!r}, a {type(value).__name__}. It must give a number."
        ) from error
