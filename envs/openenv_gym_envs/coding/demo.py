"""The episode of Coding that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode(
    actions=("x = [n * n for n in range(5)]", "print(sum(x)); max(x)", "import os; os.fork()"),
    steps=3,
)
