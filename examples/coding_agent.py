"""An agent that writes code, runs it in the sandbox of Coding, reads the error, and mends the code.

    python -m pip install -e . && python examples/coding_agent.py

``mend`` stands where a language model would: it gets the code and what came of it, and returns new
code. This one knows a few modules. ``--transport docker`` puts the sandbox into a container.
"""

from __future__ import annotations

import argparse
import re

import gymnasium as gym

import openenv_gym  # noqa: F401  # registers openenv/*

TASKS = {
    "the area of a circle of radius 2": ("print(round(math.pi * 2**2, 3))", "12.566"),
    "the weekday of 2000-01-01": ("print(f'{datetime.date(2000, 1, 1):%A}')", "Saturday"),
    "1/3 + 1/6": ("print(fractions.Fraction(1, 3) + fractions.Fraction(1, 6))", "1/2"),
}
TRIES = 4


def mend(code: str, error: str) -> str:
    """Return better code: here what a missing name says is imported."""
    missing = re.search(r"name '(\w+)' is not defined", error)
    return f"import {missing[1]}\n{code}" if missing else code


def solve(env: gym.Env, code: str, expected: str) -> int:
    """Return how many tries it took, 0 if all failed."""
    for count in range(1, TRIES + 1):
        observation, *_ = env.step(code)
        if observation["stdout"].strip() == expected:
            return count
        error = observation["stderr"].strip()
        print(f"  try {count}: {error.splitlines()[-1] if error else observation['stdout']!r}")
        code = mend(code, error)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Solve all tasks; return how many were solved."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--transport", default="inprocess", help="(%(default)s)")
    parsed = parser.parse_args(arguments)

    solved = 0
    with gym.make("openenv/Coding-v0", transport=parsed.transport) as env:
        for task, (code, expected) in TASKS.items():
            env.reset(seed=0)
            print(task)
            tries = solve(env, code, expected)
            solved += tries > 0
            print(f"  solved at try {tries}" if tries else "  not solved")
    print(f"{solved} of {len(TASKS)} tasks solved")
    return solved


if __name__ == "__main__":
    main()
