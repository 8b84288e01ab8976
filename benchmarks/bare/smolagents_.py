"""The interpreter of OpenEnv's coding environment: smolagents', which isolates nothing."""

from __future__ import annotations

from typing import Any

from smolagents.local_python_executor import LocalPythonExecutor

from bare import Player


class Sum(Player):
    def reset(self) -> None:
        self._interpreter = LocalPythonExecutor([])
        self._interpreter.send_tools({})

    def choose(self) -> Any:
        return "print(2 + 2)"

    def step(self, action: Any) -> bool:
        self._interpreter(action)
        return False
