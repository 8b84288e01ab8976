"""The episode of Echo that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode(actions=("Hello!", "¿Qué tal?", "日本語"), steps=3)
