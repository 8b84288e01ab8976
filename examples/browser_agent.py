"""A loop of one's own over BrowserGym: read the page, choose what to click, see what came of it.

    python -m pip install -e ".[browsergym]" && python examples/browser_agent.py

It needs a Chromium; ``openenv-gym doctor`` says how to get one. ``choose`` stands where a language
model would: it gets the goal and the page as text, and returns an action of BrowserGym's language.
"""

from __future__ import annotations

import argparse
import re

import gymnasium as gym

import openenv_gym  # noqa: F401  # registers openenv/*


def choose(goal: str, page: str) -> str:
    """Return the click on the button that the goal names."""
    wanted = re.search(r'"(.+?)"', goal)
    name = re.escape(wanted[1]) if wanted else ".*"
    found = re.search(rf"\[(\d+)\] button '{name}'", page)
    return f"click('{found[1]}')" if found else "noop()"


def main(arguments: list[str] | None = None) -> float:
    """Play episodes; return the mean reward."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", default="click-button", help="task of MiniWoB++ (%(default)s)")
    parser.add_argument("--episodes", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--transport", default="inprocess", help="(%(default)s)")
    parsed = parser.parse_args(arguments)

    total = 0.0
    with gym.make(
        f"openenv/BrowserGym.miniwob.{parsed.task}-v0",
        transport=parsed.transport,
        include_screenshot=False,
        max_episode_steps=5,
    ) as env:
        for seed in range(parsed.episodes):
            observation, _ = env.reset(seed=seed)
            over, reward = False, 0.0
            while not over:
                action = choose(observation["goal"], observation["text"])
                print(f"{observation['goal']}  {action}")
                observation, reward, terminated, truncated, _ = env.step(action)
                over = terminated or truncated
            total += float(reward)
    print(f"mean reward {total / parsed.episodes:.2f} of {parsed.episodes} episodes")
    return total / parsed.episodes


if __name__ == "__main__":
    main()
