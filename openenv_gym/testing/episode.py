"""Episodes that show an environment: what the ``demo.py`` in its folder plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openenv_gym import registry
from openenv_gym.registry import Entry


@dataclass(frozen=True)
class Episode:
    """What is played of an environment to show it.

    Attributes:
        options: Options of the environment.
        actions: The first actions; random legal actions follow.
        steps: How many steps, at most.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    actions: Sequence[Any] = ()
    steps: int = 20


def demo_episode(entry: Entry) -> Episode:
    """Return ``EPISODE`` of the ``demo.py`` in an environment's folder; by default a random one."""
    found: Episode = getattr(registry.part(entry, "demo"), "EPISODE", Episode())
    return found
