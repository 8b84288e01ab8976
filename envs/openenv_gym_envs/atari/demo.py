"""The episode of Atari that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode({"game": "breakout"}, steps=100)
