"""Functions of a user's, for the tests of the Chat environment."""

from __future__ import annotations

from typing import Any

import numpy as np

Messages = list[dict[str, str]]


def count(messages: Messages, rng: np.random.Generator) -> str | None:
    """Says how many messages there are, and a number drawn; ends at the fourth of the agent's."""
    said = sum(message["role"] == "assistant" for message in messages)
    return None if said >= 4 else f"{len(messages)} {int(rng.integers(1000))}"


def surrogate(messages: Messages, rng: np.random.Generator) -> str:
    return "\ud800!"


def nothing_to_read(messages: Messages, rng: np.random.Generator) -> Any:
    return 3


def length(messages: Messages) -> float:
    assert messages[-1]["role"] == "assistant"
    return len(messages[-1]["content"]) / 10


def no_number(messages: Messages) -> Any:
    return "much"
