"""The episode of TextArena that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode(actions=("[crane]", "[pilot]", "[bushy]"), steps=3)
