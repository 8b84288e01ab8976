"""Trainers that are killed leave nothing behind."""

from __future__ import annotations

import random
import signal

from tests.faults.kills import Case, cases, kill_all


def test_a_killed_trainer_leaves_nothing() -> None:
    chosen = [
        Case("process", "step", "lock", signal.SIGKILL, 0.2),
        Case("http", "reset", "lock", signal.SIGTERM, 0.2),
        *cases(4, ("process", "websocket", "http"), random.Random(15)),
    ]
    left = [killed for killed in kill_all(chosen, at_once=4) if killed.left]
    assert not left
