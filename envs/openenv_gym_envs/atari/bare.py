"""Pong on ALE's own interface."""

from __future__ import annotations

import random
from typing import Any

from openenv_gym_envs.comparison import Comparison, Player

FRAMESKIP = 4


class Pong(Player):
    def __init__(self) -> None:
        import ale_py
        from ale_py.roms import get_rom_path

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEInterface()
        self._ale.setFloat("repeat_action_probability", 0.25)
        self._ale.setInt("random_seed", 0)
        rom = get_rom_path("pong")
        assert rom is not None, "ale-py brings it"
        self._ale.loadROM(rom)
        self._actions = self._ale.getMinimalActionSet()

    def reset(self) -> None:
        self._ale.reset_game()
        self._ale.getScreenRGB()

    def choose(self) -> Any:
        return random.choice(self._actions)

    def step(self, action: Any) -> bool:
        for _ in range(FRAMESKIP):
            self._ale.act(action)
        self._ale.getScreenRGB()
        self._ale.lives()
        over: bool = self._ale.game_over()
        return over


COMPARISONS = (Comparison("Atari", "openenv/Atari.pong-v0", Pong, bar=0.8),)
