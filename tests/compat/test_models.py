"""Models with ``@dataclass``, as OpenEnv's guide writes them."""

from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass, field

import pytest
from pydantic import ValidationError

from openenv_gym import models
from openenv_gym.compat import Action, Observation, State


@dataclass
class Move(Action):
    direction: str
    speed: int = 1


@dataclass
class Seen(Observation):
    position: list[int] = field(default_factory=list)
    done: bool = False


@dataclass(kw_only=True)
class Level(models.State):
    level: int = 1


class Plain(Action):
    direction: str


def test_fields_by_name_and_by_position() -> None:
    assert Move("up") == Move(direction="up", speed=1) != Move("up", 2)
    assert Plain("up") == Plain(direction="up")
    assert Seen(position=[1]).model_dump(exclude={"metadata"})["position"] == [1]
    assert Seen().position == []
    assert asdict(Move("up", 3)) == {"direction": "up", "speed": 3}
    for values, said in ((("up", 1, 2), "takes 2 values"), (("up",), "several values for")):
        with pytest.raises(TypeError, match=said):
            Move(*values, **({"direction": "up"} if len(values) == 1 else {}))


def test_they_are_models_still() -> None:
    assert Level(level=2, episode_id="ep").step_count == 0
    assert not Level.__pydantic_custom_init__
    assert Move.model_validate({"direction": "up"}).speed == 1
    assert pickle.loads(pickle.dumps(Level(level=3))).level == 3
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Move("up", turbo=True)
    with pytest.raises(ValidationError, match="valid integer"):
        Move("up", "fast")
    assert State(episode_id="x", further=1).model_dump()["further"] == 1
