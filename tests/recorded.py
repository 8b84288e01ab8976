"""An environment that records what is called, and sessions with it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
from gymnasium.spaces import Discrete, Space
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import (
    OpenEnvGymError,
)
from openenv_gym.models import Action, Choice, Info, LegalActions, Observation, State
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import (
    Open,
    Reset,
)

SECRET = "/home/someone/secret"


class Move(Action):
    column: Annotated[int, Discrete(4, start=1)]


class Seen(Observation):
    board: Annotated[int, Discrete(9)]
    kind: Annotated[str, Choice(["a", "b"])] = "a"
    legal: Annotated[list[int], LegalActions()] = Field(default_factory=list)
    note: Annotated[str, Info()] = "note"
    moved: Annotated[Move | None, Info()] = None


class Recorded(Environment[Move, Seen, State]):
    """Records what is called, and fails where it is told to.

    Args:
        fails: Name of the method that fails.
        end: How the first step ends the episode.
        legal: The legal actions of each observation.
        engine: For the owner.
    """

    render_modes = ("ansi", "rgb_array")
    calls: ClassVar[list[str]] = []
    made: ClassVar[list[Recorded]] = []

    def __init__(
        self,
        fails: str = "",
        end: dict[str, Any] | None = None,
        legal: list[int] | None = None,
        engine: str = "",
    ) -> None:
        self.fails = fails
        self._end = end or {}
        self._legal = legal or []
        self.calls.clear()
        self.made.append(self)
        self._call("init")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails:
            raise RuntimeError(f"{name}: cannot read {SECRET}")

    def spaces(self) -> dict[str, Space[Any]]:
        self._call("spaces")
        return {}

    def metadata(self) -> dict[str, Any]:
        self._call("metadata")
        return dict(super().metadata())

    def seed(self, seed: int) -> None:
        super().seed(seed)
        self._call(f"seed {seed}")

    def reset(self, size: int = 3, seed: int | None = None, episode_id: str | None = None) -> Seen:
        self._call("reset")
        self.calls[-1] += f" {size} {seed} {episode_id}"
        return Seen(board=0, legal=self._legal)

    def step(self, action: Move) -> Seen:
        self._call("step")
        return Seen(board=action.column, legal=self._legal, moved=action, **self._end)

    @property
    def state(self) -> State:
        self._call("state")
        return State(step_count=7)

    def render(self) -> str:
        self._call("render")
        return f"picture in {self.render_mode}"

    def close(self) -> None:
        self._call("close")


HERE = "tests.recorded:Recorded"


def opened(render_mode: str | None = None, **options: Any) -> Session:
    session = Session()
    session.handle(Open(HERE, options, render_mode))
    return session


def running(**options: Any) -> Session:
    session = opened(**options)
    session.handle(Reset(0))
    return session


def failure(session: Session, request: Any) -> OpenEnvGymError:
    with pytest.raises(OpenEnvGymError) as caught:
        session.handle(request)
    return caught.value
