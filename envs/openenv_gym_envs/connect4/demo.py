"""The episode of Connect4 that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode({"opponent": "random"})
