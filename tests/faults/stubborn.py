"""An environment that does not end in one of its phases; a container can import it too."""

from __future__ import annotations

import contextlib
import ctypes
import time
from typing import Annotated, ClassVar, Literal

from gymnasium.spaces import Discrete

from openenv_gym import Action, Environment, Observation, State

Phase = Literal["make", "reset", "step", "render", "close"]
How = Literal["lock", "sleep", "quick", "fill", "eat"]

_holding_the_lock = ctypes.PyDLL(None)  # unlike CDLL, its calls keep the interpreter lock


class StubbornAction(Action):
    go: bool = True


class StubbornObservation(Observation):
    count: Annotated[int, Discrete(1 << 31)] = 0


class Stubborn(Environment[StubbornAction, StubbornObservation, State]):
    """Hangs in its phase.

    Args:
        phase: Where.
        how: ``"lock"``: and no other thread of its process runs; ``"sleep"``: others do;
            ``"quick"``: it does not hang at all; ``"fill"``: it fills its disk, and goes on;
            ``"eat"``: it takes all memory.
        first: How many times it passes the phase before that.
    """

    render_modes: ClassVar[tuple[str, ...]] = ("ansi",)

    def __init__(self, phase: Phase = "make", how: How = "quick", first: int = 0) -> None:
        self._phase, self._how, self._left, self._count = phase, how, first, 0
        self._pass("make")

    def _pass(self, phase: Phase) -> None:
        if phase != self._phase or self._how == "quick":
            return
        self._left -= 1
        while self._left < 0:
            if self._how == "fill":
                _fill_disk()
                return
            if self._how == "eat":
                self._eaten = [bytearray(1 << 26) for _ in range(1 << 10)]
            if self._how == "lock":
                _holding_the_lock.sleep(1000)
            else:
                time.sleep(1000.0)

    def reset(self) -> StubbornObservation:
        self._pass("reset")
        self._count = 0
        return StubbornObservation()

    def step(self, action: StubbornAction) -> StubbornObservation:
        self._pass("step")
        self._count += 1
        return StubbornObservation(count=self._count)

    def render(self) -> str:
        self._pass("render")
        return f"{self._count}"

    @property
    def state(self) -> State:
        return State(step_count=self._count)

    def close(self) -> None:
        self._pass("close")


def _fill_disk() -> None:
    with contextlib.suppress(OSError), open("/tmp/full", "wb") as file:
        for _ in range(1 << 12):  # 4 GiB, which no container may have
            file.write(bytes(1 << 20))
