"""Environments written against ``openenv.core``, served by openenv's own server.

Only a peer's process can import this module. ``everything`` serves all, each below its name;
``echo``, ``connect4`` and so on serve one. The models are those of OpenEnv's own environments; the
rules of the games are taken from ours, so that both servers must tell the same.
:mod:`tests.openenv.counterparts` has those that are not among ours anyway.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from openenv.core import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
from openenv_gym_envs.chess import ChessAction as OurChessAction
from openenv_gym_envs.chess.environment import ChessEnvironment as OurChess
from openenv_gym_envs.connect4 import Connect4Action as OurConnect4Action
from openenv_gym_envs.connect4.environment import Connect4Environment as OurConnect4
from tests.openenv.trials import (
    BoardAction,
    BoardEnvironment,
    BoardObservation,
    BrokenEnvironment,
    ControlAction,
    ControlEnvironment,
    ControlObservation,
    ControlState,
    GameEnvironment,
    GameState,
    LedgerAction,
    LedgerEnvironment,
    LedgerObservation,
    ScreenAction,
    ScreenEnvironment,
    ScreenObservation,
)

SESSIONS = 4


class EchoAction(Action):
    message: str


class EchoObservation(Observation):
    echoed_message: str
    message_length: int = 0


class EchoEnvironment(Environment[EchoAction, EchoObservation, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> EchoObservation:
        self._state = State(episode_id=episode_id)
        return EchoObservation(echoed_message="Echo environment ready!", reward=0.0)

    def step(self, action: EchoAction, timeout_s: float | None = None, **_: Any) -> EchoObservation:
        self._state.step_count += 1
        if action.message == "raise":
            raise RuntimeError("cannot read /home/someone/secret")
        return EchoObservation(
            echoed_message=action.message,
            message_length=len(action.message),
            reward=0.1 * len(action.message),
            metadata={"original_message": action.message, "step": self._state.step_count},
        )

    @property
    def state(self) -> State:
        return self._state


class Connect4Action(Action):
    column: int


class Connect4Observation(Observation):
    board: list[list[int]]
    legal_actions: list[int]


class Connect4State(State):
    board: list[list[int]] = Field(default_factory=list)
    next_player: int = 1


class Connect4Environment(Environment[Connect4Action, Connect4Observation, Connect4State]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._game = OurConnect4()
        self._steps = 0

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> Connect4Observation:
        self._steps = 0
        return self._observe(self._game.reset(episode_id))

    def step(
        self, action: Connect4Action, timeout_s: float | None = None, **_: Any
    ) -> Connect4Observation:
        self._steps += 1
        return self._observe(self._game.step(OurConnect4Action(column=action.column)))

    def _observe(self, seen: Any) -> Connect4Observation:
        return Connect4Observation(
            board=seen.board.tolist(),
            legal_actions=seen.legal_actions,
            done=seen.done,
            reward=seen.reward,
            metadata={"next_player": seen.metadata["next_player"]},
        )

    @property
    def state(self) -> Connect4State:
        own = self._game.state
        return Connect4State(**{**own.model_dump(), "step_count": self._steps})


class ChessAction(Action):
    move: str


class ChessObservation(Observation):
    fen: str = ""
    legal_moves: list[str] = Field(default_factory=list)
    is_check: bool = False
    result: str | None = None


class ChessState(State):
    fen: str = ""
    current_player: str = "white"
    move_history: list[str] = Field(default_factory=list)


class ChessEnvironment(Environment[ChessAction, ChessObservation, ChessState]):
    """Both sides are the caller's."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._game = OurChess(opponent="self")

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> ChessObservation:
        return self._observe(self._game.reset(episode_id=episode_id))

    def step(
        self, action: ChessAction, timeout_s: float | None = None, **_: Any
    ) -> ChessObservation:
        return self._observe(self._game.step(OurChessAction(move=action.move)))

    def _observe(self, seen: Any) -> ChessObservation:
        return ChessObservation(
            fen=seen.fen,
            legal_moves=seen.legal_moves,
            is_check=seen.is_check,
            result=seen.result,
            done=seen.done,
            reward=seen.reward,
            metadata=seen.metadata,
        )

    @property
    def state(self) -> ChessState:
        return ChessState(**self._game.state.model_dump())


class Point(BaseModel):
    x: int = Field(ge=-100, le=100)
    y: int = Field(ge=-100, le=100)


class Landmark(BaseModel):
    name: Literal["home", "mine"]
    at: Point


class NestedAction(Action):
    by: Point
    gait: Literal["walk", "run"] = "walk"
    towards: Landmark | None = None


class NestedObservation(Observation):
    here: Point
    landmarks: list[Landmark] = Field(min_length=2, max_length=2)
    gait: Literal["walk", "run"] = "walk"
    nearest: Landmark | None = None


HOME = Landmark(name="home", at=Point(x=0, y=0))
MINE = Landmark(name="mine", at=Point(x=3, y=-2))


class NestedEnvironment(Environment[NestedAction, NestedObservation, State]):
    """A walk on a plane; all that it observes is a model in a model."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._here = (0, 0)
        self._state = State()

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> NestedObservation:
        self._here = (0, 0)
        self._state = State(episode_id=episode_id)
        return self._observe("walk", None)

    def step(
        self, action: NestedAction, timeout_s: float | None = None, **_: Any
    ) -> NestedObservation:
        self._state.step_count += 1
        pace = 2 if action.gait == "run" else 1
        self._here = (self._here[0] + pace * action.by.x, self._here[1] + pace * action.by.y)
        return self._observe(action.gait, action.towards)

    def _observe(self, gait: Literal["walk", "run"], nearest: Landmark | None) -> NestedObservation:
        x, y = (max(-100, min(100, side)) for side in self._here)
        found = (x, y) == (MINE.at.x, MINE.at.y)
        return NestedObservation(
            here=Point(x=x, y=y),
            landmarks=[HOME, MINE],
            gait=gait,
            nearest=nearest,
            done=found,
            reward=1.0 if found else -0.5,
        )

    @property
    def state(self) -> State:
        return self._state


class SensorsAction(Action):
    gain: float = Field(ge=0.0, le=4.0)


class SensorsObservation(Observation):
    readings: list[float]
    counts: list[int]
    total: float = 0.0


class SensorsEnvironment(Environment[SensorsAction, SensorsObservation, State]):
    """Observes numpy arrays and numbers, among them NaN and infinity."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> SensorsObservation:
        self._state = State(episode_id=episode_id)
        return self._observe(np.float64(0.0))

    def step(
        self, action: SensorsAction, timeout_s: float | None = None, **_: Any
    ) -> SensorsObservation:
        self._state.step_count += 1
        return self._observe(np.float64(action.gain))

    def _observe(self, gain: Any) -> SensorsObservation:
        steps = self._state.step_count
        readings: Any = np.array([np.nan, np.inf, 0.5 * gain, steps / 3])
        counts: Any = np.arange(3, dtype=np.int32) + steps
        return SensorsObservation(
            readings=readings,
            counts=counts,
            total=np.float64(np.nan) if steps == 2 else gain,
            reward=np.float32(0.5) * steps,
            done=steps >= 4,
        )

    @property
    def state(self) -> State:
        return self._state


def _served(
    name: str,
    environment: Any,
    action: Any,
    observation: Any,
    state: Any,
    sessions: int = SESSIONS,
) -> FastAPI:
    app: FastAPI = create_app(
        environment,
        action,
        observation,
        env_name=name,
        max_concurrent_envs=sessions,
        state_cls=state,
    )
    return app


def _older(app: FastAPI, *, creates: bool) -> ASGIApp:
    """Serves as releases before 0.5 did: a WebSocket attaches to no session.

    Args:
        app: What is served.
        creates: Sessions are made by ``openenv/session/create`` nevertheless, as by 0.2.3 to 0.4.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope = {**scope, "query_string": b""}
        elif scope["path"].endswith("/mcp") and not creates:
            scope = {**scope, "path": "/unknown"}
        await app(scope, receive, send)

    return served


echo = _served("echo", EchoEnvironment, EchoAction, EchoObservation, State)
connect4 = _served(
    "connect4", Connect4Environment, Connect4Action, Connect4Observation, Connect4State
)
chess = _served("chess", ChessEnvironment, ChessAction, ChessObservation, ChessState)
nested = _served("nested", NestedEnvironment, NestedAction, NestedObservation, State)
sensors = _served("sensors", SensorsEnvironment, SensorsAction, SensorsObservation, State)
_ledger = ("ledger", LedgerEnvironment, LedgerAction, LedgerObservation, State)
ledger = _served(*_ledger)
single = _served(*_ledger, sessions=1)
old = _older(_served(*_ledger), creates=False)
older = _older(_served(*_ledger), creates=True)
screen = _served("screen", ScreenEnvironment, ScreenAction, ScreenObservation, State, 1)
board = _served("board", BoardEnvironment, BoardAction, BoardObservation, State, 1)
game = _served("game", GameEnvironment, BoardAction, BoardObservation, GameState, 1)
control = _served("control", ControlEnvironment, ControlAction, ControlObservation, ControlState, 1)
broken = _served("broken", BrokenEnvironment, LedgerAction, LedgerObservation, State)

everything = FastAPI()
for _name in (
    *("echo", "connect4", "chess", "nested", "sensors", "ledger", "single", "old", "older"),
    *("screen", "board", "game", "control", "broken"),
):
    everything.mount(f"/{_name}", globals()[_name])
