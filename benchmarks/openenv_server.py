"""OpenEnv's own server with the no-op environments; runs where ``openenv`` is installed.

``uvicorn openenv_server:app`` serves each workload below a path of its own (one alone: at the
root), on OpenEnv's classes alone, written as its guide says. Arrays are lists of
numbers there: its messages are JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from openenv.core.env_server import Action, Environment, Observation, State, create_app


class NoopAction(Action):
    """One of four."""

    action: int


class NumbersObservation(Observation):
    """A small vector."""

    observation: list[float]


class PixelsObservation(Observation):
    """A picture, flat, as OpenEnv's own Atari environment has it."""

    observation: list[int]


class TextObservation(Observation):
    """A page of text."""

    observation: str


class Noop(Environment[NoopAction, Any, State]):
    """Returns the same value at each step."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    kind: type[Observation]
    value: Any

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Any:
        """Begins an episode."""
        return self.kind(observation=self.value, reward=0.0, done=False)

    def step(self, action: NoopAction, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Carries out one action."""
        return self.kind(observation=self.value, reward=1.0, done=False)

    @property
    def state(self) -> State:
        """What there is to know beside the observation."""
        return State(step_count=0)


_KINDS = {
    "small": NumbersObservation,
    "84x84x4": PixelsObservation,
    "210x160x3": PixelsObservation,
    "text": TextObservation,
}


_SESSIONS = 64  # at a time, as many as the benchmark of vector environments has lanes


def make_app() -> FastAPI:
    """The workload whose value is in the file that ``BENCH_VALUES`` names; or all of them."""
    values = json.loads(Path(os.environ["BENCH_VALUES"]).read_text())
    apps = {}
    for name, value in values.items():
        kind = _KINDS[name]
        environment = type("Noop", (Noop,), {"kind": kind, "value": value})
        apps[name] = create_app(
            environment, NoopAction, kind, env_name=name, max_concurrent_envs=_SESSIONS
        )
    if len(apps) == 1:
        return apps.popitem()[1]
    root = FastAPI()
    for name, app in apps.items():
        root.mount(f"/{name}", app)
    return root


app = make_app()
