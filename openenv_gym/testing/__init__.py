"""Contracts and checks for tests: what every environment must hold, over every transport.

The contracts need pytest, which is loaded with the first of them; trajectories do not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from openenv_gym.testing.episode import Episode, demo_episode
from openenv_gym.testing.trajectory import Env, Transition, play, same

if TYPE_CHECKING:
    from openenv_gym.testing.contract import EnvironmentContract as EnvironmentContract
    from openenv_gym.testing.contract import TrajectoryContract as TrajectoryContract
    from openenv_gym.testing.contract import assert_checked as assert_checked
    from openenv_gym.testing.contract import assert_same_trajectory as assert_same_trajectory

__all__ = [
    "Env",
    "EnvironmentContract",
    "Episode",
    "TrajectoryContract",
    "Transition",
    "assert_checked",
    "assert_same_trajectory",
    "demo_episode",
    "play",
    "same",
]


def __getattr__(name: str) -> Any:
    """Load a contract at its first use: it needs pytest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("openenv_gym.testing.contract"), name)
