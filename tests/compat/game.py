"""What OpenEnv's guide has its readers write, with the imports changed and nothing else."""

import random
import uuid
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional  # noqa: UP035  # as the guide has it

from openenv_gym.compat.client_types import StepResult
from openenv_gym.compat.env_server import (
    Action,
    Environment,
    Observation,
    State,
    create_fastapi_app,
)
from openenv_gym.compat.http_env_client import HTTPEnvClient

# models.py


@dataclass
class GameAction(Action):
    """What the player does."""

    move_direction: str
    speed: int = 1


@dataclass
class GameObservation(Observation):
    """What the player sees."""

    position: List[int]  # noqa: UP006
    message: str = ""
    items: Dict[str, int] = field(default_factory=dict)  # noqa: UP006


@dataclass
class GameState(State):
    """What there is beside."""

    level: int = 1
    best: Optional[int] = None  # noqa: UP045


# server/game_environment.py


class GameEnvironment(Environment):
    """A walk to a treasure."""

    def __init__(self, size: int = 5) -> None:
        super().__init__()
        self._size = size
        self._state = GameState(episode_id=str(uuid.uuid4()), step_count=0)

    def reset(self, seed: Optional[int] = None) -> GameObservation:  # noqa: UP045
        source = random.Random(seed)
        self._state = GameState(episode_id=str(uuid.uuid4()), step_count=0)
        self._position = [0, 0]
        self._treasure = [source.randrange(self._size), source.randrange(self._size)]
        return self._observation("Find the treasure!", 0.0)

    def step(self, action: GameAction) -> GameObservation:
        self._state.step_count += 1
        x, y = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}.get(
            action.move_direction, (0, 0)
        )
        self._position = [self._position[0] + x * action.speed, self._position[1] + y]
        found = self._position == self._treasure
        return self._observation("Found!" if found else "", 1.0 if found else -0.1)

    def _observation(self, message: str, reward: float) -> GameObservation:
        return GameObservation(
            position=list(self._position),
            message=message,
            items={"steps": self._state.step_count},
            done=message == "Found!",
            reward=reward,
        )

    @property
    def state(self) -> GameState:
        return self._state


# client.py


class GameEnv(HTTPEnvClient[GameAction, GameObservation]):
    """Plays the game at a server."""

    def _step_payload(self, action: GameAction) -> Dict[str, Any]:  # noqa: UP006
        return {"move_direction": action.move_direction, "speed": action.speed}

    def _parse_result(self, payload: Dict[str, Any]) -> StepResult[GameObservation]:  # noqa: UP006
        data = payload["observation"]
        observation = GameObservation(
            position=data["position"],
            message=data.get("message", ""),
            items=data.get("items", {}),
            done=payload.get("done", False),
            reward=payload.get("reward"),
        )
        return StepResult(
            observation=observation,
            reward=payload.get("reward"),
            done=payload.get("done", False),
        )

    def _parse_state(self, payload: Dict[str, Any]) -> GameState:  # noqa: UP006
        return GameState(
            episode_id=payload.get("episode_id"),
            step_count=payload.get("step_count", 0),
            level=payload.get("level", 1),
        )


# server/app.py

env = GameEnvironment()
app = create_fastapi_app(env, GameAction, GameObservation)
