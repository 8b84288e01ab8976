"""Minari: episodes are recorded, stored as a local dataset, loaded and played again.

    .ci/trainers && .build/trainers-venv/bin/python examples/trainers/minari_dataset.py

What is played again is the same: seeds and actions decide all of it, over each transport.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import gymnasium
import minari
import numpy as np

import openenv_gym.minari  # noqa: F401  # texts in datasets

SEEDS = (3, 4)


def record(id: str, name: str, **options: Any) -> None:
    """Record an episode for each seed, and store them as a dataset."""
    collector = minari.DataCollector(gymnasium.make(id, max_episode_steps=20, **options))
    collector.action_space.seed(0)
    for seed in SEEDS:
        _, info = collector.reset(seed=seed)
        over = False
        while not over:
            action = collector.action_space.sample(info.get("action_mask"))
            _, _, terminated, truncated, info = collector.step(action)
            over = terminated or truncated
    collector.create_dataset(
        dataset_id=name,
        eval_env=gymnasium.spec(id),
        algorithm_name="random",
        author="openenv-gym",
        author_email="nobody@example.com",
        code_permalink="https://example.com/minari_dataset.py",
        description="Random legal actions.",
    )
    collector.close()


def replay(dataset: Any) -> int:
    """Play the episodes again; return how many steps were the same."""
    env = dataset.recover_environment()
    steps = 0
    for seed, episode in zip(SEEDS, dataset.iterate_episodes(), strict=True):
        observation, _ = env.reset(seed=seed)
        for number, action in enumerate(episode.actions):
            assert np.array_equal(observation, episode.observations[number])
            observation, reward, *_ = env.step(action)
            assert reward == episode.rewards[number]
            steps += 1
    env.close()
    return steps


def main() -> None:
    """Record, load and play again: a game, and texts."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        record("openenv/Connect4-v0", "connect4/random-v0", opponent="random")
        record("openenv/Echo-v0", "echo/random-v0")
        for name in ("connect4/random-v0", "echo/random-v0"):
            print(f"{name}: {replay(minari.load_dataset(name))} steps, played again")


if __name__ == "__main__":
    main()
