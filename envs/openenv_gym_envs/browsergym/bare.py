"""BrowserGym's own environment, as ``gymnasium.make`` makes it, in the task click-test.

It looks for its browser where ``playwright install`` puts it, and for a second one, which shows the
chat. This module puts the browser that our environment uses there.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

import gymnasium

from openenv_gym_envs.comparison import Comparison, Player

ACTIONS = ("noop(0)", "noop(0)", "noop(0)", "click('13')")
"""The actions of an episode."""


class ClickTest(Player):
    def __init__(self) -> None:
        import playwright.sync_api

        from openenv_gym_envs.browsergym.launching import find

        self._folder = tempfile.TemporaryDirectory()
        os.environ["PLAYWRIGHT_BROWSERS_PATH"] = self._folder.name
        browser = find(None, headless=True)
        if browser is not None:
            with playwright.sync_api.sync_playwright() as started:
                wanted = Path(started.chromium.executable_path)
            wanted.parent.mkdir(parents=True)
            # As root, and in containers, Chromium cannot use its own sandbox.
            wanted.write_text(f'#!/bin/sh\nexec {browser} --disable-gpu --no-sandbox "$@"\n')
            wanted.chmod(0o755)
        package = importlib.util.find_spec("miniwob")
        assert package is not None
        assert package.origin is not None
        os.environ["MINIWOB_URL"] = f"file://{Path(package.origin).parent}/html/miniwob/"
        import browsergym.miniwob  # noqa: F401  # registers its tasks, with that address

        self._env = gymnasium.make("browsergym/miniwob.click-test", disable_env_checker=True)
        self._step = 0

    def reset(self) -> None:
        self._env.reset(seed=0)
        self._step = 0

    def choose(self) -> Any:
        self._step += 1
        return ACTIONS[(self._step - 1) % len(ACTIONS)]

    def step(self, action: Any) -> bool:
        _, _, terminated, truncated, _ = self._env.step(action)
        return terminated or truncated

    def close(self) -> None:
        self._env.close()
        self._folder.cleanup()


COMPARISONS = (Comparison("BrowserGym", "openenv/BrowserGym-v0", ClickTest, actions=ACTIONS),)
