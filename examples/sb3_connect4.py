"""MaskablePPO learns Connect4 against an opponent that plays at random.

    python -m pip install -e ".[sb3,connect4,bench]" && python examples/sb3_connect4.py

A few minutes on two cores. All games are played by one process, which answers for all lanes at
once; ``--transport docker`` puts it into a container, and changes nothing of what is learned.
Then 200 games are played, and the learning curve is drawn to ``sb3_connect4.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from openenv_gym.sb3 import make_vec_env

ID = "openenv/Connect4-v0"
LANES = 16
SETTINGS: dict[str, Any] = {
    "n_steps": 128,
    "batch_size": 256,
    "n_epochs": 4,
    "learning_rate": 1e-3,
    "gamma": 0.97,
    "ent_coef": 0.01,
    "policy_kwargs": {"net_arch": [128, 128]},
}


class Curve(BaseCallback):
    """Notes after each rollout how the last hundred games went."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.returns: list[float] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.model.ep_info_buffer:
            self.steps.append(self.num_timesteps)
            self.returns.append(float(np.mean([game["r"] for game in self.model.ep_info_buffer])))

    def draw(self, path: Path) -> None:
        """Draws the learning curve."""
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.steps, self.returns)
        axes.set(
            title=f"MaskablePPO on {ID}, random opponent",
            xlabel="steps",
            ylabel="mean reward of the last 100 games",
            ylim=(-1.05, 1.05),
        )
        axes.grid(alpha=0.3)
        figure.savefig(path, dpi=150)


def wins(model: MaskablePPO, envs: VecEnv, games: int) -> float:
    """Which part of the games it wins; each lane plays as many, so short ones do not count more."""
    each = -(-games // envs.num_envs)
    played, won = np.zeros(envs.num_envs, int), np.zeros(envs.num_envs, int)
    observations: Any = envs.reset()
    while (played < each).any():
        masks = np.stack(envs.env_method("action_masks"))
        actions, _ = model.predict(observations, action_masks=masks, deterministic=True)
        observations, rewards, dones, _ = envs.step(actions)
        counted = dones & (played < each)
        played += counted
        won += counted & (rewards == 1)
    return float(won.sum() / played.sum())


def main(arguments: list[str] | None = None) -> float:
    """Trains, plays, draws; returns the part of the games that were won."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=200_000, help="steps to train (%(default)s)")
    parser.add_argument("--games", type=int, default=200, help="games after that (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--transport", default="process", help="(%(default)s)")
    parser.add_argument("--plot", type=Path, default=Path("sb3_connect4.png"), metavar="FILE")
    given = parser.parse_args(arguments)

    console = Console()
    torch.set_num_threads(1)  # the network is too small to gain by more
    keywords = {"transport": given.transport, "opponent": "random"}
    curve = Curve()
    envs = make_vec_env(ID, LANES, seed=given.seed, **keywords)
    try:
        model = MaskablePPO("MlpPolicy", envs, seed=given.seed, device="cpu", **SETTINGS)
        model.learn(given.steps, callback=curve, progress_bar=True)
    finally:
        envs.close()
    curve.draw(given.plot)
    # Other games than those of the training.
    envs = make_vec_env(ID, 10, seed=given.seed + 1_000_000, **keywords)
    try:
        part = wins(model, envs, given.games)
    finally:
        envs.close()
    console.print(f"won {part:.1%} of {given.games} games against the random opponent")
    console.print(f"wrote {given.plot}", highlight=False)
    return part


if __name__ == "__main__":
    main()
