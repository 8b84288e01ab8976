"""JSON fields that OpenEnv's clients read: ``OPENENV`` of an environment's ``contract.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Kinds = Mapping[str, str]


@dataclass(frozen=True)
class OpenEnvFields:
    """Names and kinds of the fields of OpenEnv's own environment, written down by hand.

    The kinds are ``int``, ``str``, ``num``, ``bool``, ``obj``, ``[int]`` and ``int?``.

    Attributes:
        action: Fields of an action; ``!`` after the kind marks a required one.
        observation: Fields of an observation, and no others: OpenEnv's client may refuse them.
        sample: An action to step with, whose reply has the same fields.
        state: Fields of the state, beside ``episode_id`` and ``step_count``.
        metadata: Fields of the metadata, after a reset and after a step.
        stepped: Fields of the metadata after a step only.
        reset_reward: The reward of a reset.
        config: Fields of ``GET /config``, where that route exists.
    """

    action: Kinds
    observation: Kinds
    sample: dict[str, Any]
    state: Kinds = field(default_factory=dict)
    metadata: Kinds = field(default_factory=dict)
    stepped: Kinds = field(default_factory=dict)
    reset_reward: float | None = 0.0
    config: Kinds = field(default_factory=dict)
