"""Lanes whose worker is killed in the middle of an episode, and go on.

    python -m pip install -e ".[connect4]" && python examples/vector_failures.py

Four lanes of Connect4 in two processes. One process is killed; with ``on_failure="restart"`` its
two lanes are truncated and begin again, ``infos["failure"]`` says why, and the others lose nothing.
"""

from __future__ import annotations

import os
import signal

import gymnasium as gym
import numpy as np

import openenv_gym  # noqa: F401  # registers openenv/*


def main(steps: int = 40, kill_at: int = 10) -> int:
    """Step the lanes; return how many episodes the loss of the worker cost."""
    lost = 0
    envs = gym.make_vec(
        "openenv/Connect4-v0",
        num_envs=4,
        workers=2,
        transport="process",
        on_failure="restart",
        opponent="random",
    )
    try:
        envs.reset(seed=0)
        for step in range(steps):
            if step == kill_at:
                os.kill(envs.isolation[1]["pid"], signal.SIGKILL)
            actions = np.argmax(envs.action_masks(), axis=1)  # the first column that is not full
            _, _, terminated, truncated, infos = envs.step(actions)
            if "failure" in infos:
                lanes = np.flatnonzero(infos["_failure"])
                lost += len(lanes)
                print(
                    f"step {step}: lanes {lanes.tolist()} were lost: {infos['failure'][lanes[0]]}"
                )
                print(f"  truncated {truncated.tolist()}, terminated {terminated.tolist()}")
    finally:
        envs.close()
    print(f"{steps} steps of 4 lanes; {lost} episodes were lost")
    return lost


if __name__ == "__main__":
    main()
