"""The episode of OpenSpiel that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode({"game": "connect_four", "opponent": "mcts"})
