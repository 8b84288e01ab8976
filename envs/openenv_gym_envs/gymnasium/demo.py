"""The episode of Gymnasium that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode({"env_id": "CartPole-v1"})
