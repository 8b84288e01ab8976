"""SkyRL: an environment of text in and text out, as its generator plays it.

    .ci/trainers && .build/trainers-venv/bin/python examples/trainers/skyrl_text.py

Here the answers of the language model are made up: the first legal column in each turn.
"""

from __future__ import annotations

import skyrl_gym

import openenv_gym.skyrl  # noqa: F401  # registers "openenv" with SkyRL


def main() -> None:
    """Play one game."""
    config = {"id": "openenv/Connect4-v0", "options": {"opponent": "random"}}
    env = skyrl_gym.make("openenv", env_config=config, extras={"seed": 3, "max_turns": 30})
    conversation, _ = env.init([{"role": "user", "content": "You play Connect Four."}])
    print(conversation[-1]["content"])
    total, column, done = 0.0, 0, False
    while not done:
        output = env.step(f"I take this one. <action>{column % 7}</action>")
        column += 1
        total += output["reward"]
        done = output["done"]
    print(env.get_metrics())
    assert env.get_metrics()["invalid_actions"] == 0
    assert total == env.get_metrics()["episode_reward"]
    env.close()


if __name__ == "__main__":
    main()
