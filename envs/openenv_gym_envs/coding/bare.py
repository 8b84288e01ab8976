"""The interpreter of OpenEnv's coding environment: smolagents', which isolates nothing."""

from __future__ import annotations

from typing import Any

from openenv_gym_envs.comparison import Comparison, Player

CODE = "print(2 + 2)"


class Sum(Player):
    def __init__(self) -> None:
        from smolagents.local_python_executor import LocalPythonExecutor

        self._executor = LocalPythonExecutor

    def reset(self) -> None:
        self._interpreter = self._executor([])
        self._interpreter.send_tools({})

    def choose(self) -> Any:
        return CODE

    def step(self, action: Any) -> bool:
        self._interpreter(action)
        return False


COMPARISONS = (Comparison("Coding", "openenv/Coding-v0", Sum, actions=(CODE,)),)
