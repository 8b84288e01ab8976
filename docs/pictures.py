"""Draws the pictures of the environments' pages: each after its demo episode.

python docs/pictures.py [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openenv_gym import registry
from openenv_gym.env import OpenEnvGym
from openenv_gym.testing.episode import Episode, demo_episode
from openenv_gym.testing.trajectory import play

FOLDER = Path(__file__).parent / "assets" / "environments"
WIDTH = 480  # pixels, at most
SEED = 2026
EPISODES = {"echo": Episode(actions=["What you say comes back."], steps=1)}
"""Episodes that show more than the demo's."""


def main(names: list[str]) -> None:
    """Draw the pictures of some environments, or of all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or registry.ENVIRONMENTS:
        path = FOLDER / f"{name}.png"
        save(picture(name), path)
        print(f"{path}: {path.stat().st_size} bytes")


def picture(name: str) -> NDArray[np.uint8]:
    """Return the picture of an environment, (height, width, 3) uint8."""
    episode = EPISODES.get(name) or demo_episode(registry.environment(name))
    env = OpenEnvGym(name, render_mode="rgb_array", **episode.options)
    try:
        for transition in play(env, seed=SEED, steps=episode.steps, actions=episode.actions):
            if transition.terminated or transition.truncated:
                break
        frame: NDArray[np.uint8] = env.render()
        return frame
    finally:
        env.close()


def save(frame: NDArray[np.uint8], path: Path) -> None:
    """Write a picture as a small file: no wider than WIDTH, in 64 colours."""
    image = Image.fromarray(frame)
    if image.width > WIDTH:
        height = round(image.height * WIDTH / image.width)
        image = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    image.quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
