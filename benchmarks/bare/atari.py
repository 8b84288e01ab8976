"""Pong on ALE's own interface."""

from __future__ import annotations

import random
from typing import Any

import ale_py
from ale_py.roms import get_rom_path

from bare import Player

FRAMESKIP = 4


class Pong(Player):
    def __init__(self) -> None:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEInterface()
        self._ale.setFloat("repeat_action_probability", 0.25)
        self._ale.setInt("random_seed", 0)
        self._ale.loadROM(get_rom_path("pong"))
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
