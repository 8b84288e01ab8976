"""Models to Spaces: every kind of field, and errors that say which line to write."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, Optional, Union

import annotated_types
import numpy as np
import pydantic
import pytest
from gymnasium import spaces
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, OneOf, Space
from pydantic import BaseModel, Field, create_model

from openenv_gym.errors import SpaceError
from openenv_gym.models import Action, Array, Choice, Info, LegalActions, Observation
from openenv_gym.spaces.derive import ModelSpace, derive
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.testing import same


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"
    ROUGE = "r"  # an alias is no value of its own


class Level(enum.IntEnum):
    LOW = 10
    HIGH = 20


class Point(BaseModel):
    x: Annotated[float, Field(ge=0, le=1)]
    color: Color


class Go(Action):
    kind: Literal["go"] = "go"
    far: Annotated[int, Discrete(3)]


class Wait(BaseModel):
    kind: Literal["wait"] = "wait"


def model(annotation: Any, base: type[BaseModel] = Action, **more: Any) -> type[BaseModel]:
    fields: dict[str, Any] = {"field": (annotation, ...), **more}
    return create_model("Model", __base__=base, **fields)


def bounded(kind: Any, **constraints: Any) -> Any:
    return Annotated[kind, Field(**constraints)]


def ulp(bound: float, towards: float) -> float:
    return float(np.nextafter(bound, towards))


small = bounded(int, ge=0, le=3)
KINDS: dict[str, tuple[Any, Space[Any]]] = {
    "declared Discrete": (Annotated[int, Discrete(7)], Discrete(7)),
    "declared Box": (Annotated[Array, Box(-1, 1, (2, 3))], Box(-1, 1, (2, 3))),
    "declared Box for a list": (Annotated[list[float], Box(-1, 1, (3,))], Box(-1, 1, (3,))),
    "declared Box for a number": (Annotated[float, Box(0, 1, ())], Box(0, 1, ())),
    "declared MultiDiscrete": (Annotated[list[int], MultiDiscrete([2, 3])], MultiDiscrete([2, 3])),
    "declared MultiBinary": (Annotated[Array, MultiBinary(4)], MultiBinary(4)),
    "declared Text": (Annotated[str, spaces.Text(5)], spaces.Text(5)),
    "declared for any": (
        Annotated[Any, spaces.Sequence(Discrete(2))],
        spaces.Sequence(Discrete(2)),
    ),
    "declared Sequence": (
        Annotated[list[Color], spaces.Sequence(Discrete(2))],
        spaces.Sequence(Discrete(2)),
    ),
    "declared Tuple": (
        Annotated[tuple[bool, Color], spaces.Tuple([Discrete(2), Discrete(2)])],
        spaces.Tuple([Discrete(2), Discrete(2)]),
    ),
    "declared Dict": (
        Annotated[dict[str, Color], spaces.Dict({"a": Discrete(2)})],
        spaces.Dict({"a": Discrete(2)}),
    ),
    "declared Graph": (
        Annotated[Any, spaces.Graph(Box(0, 1, (2,)), None)],
        spaces.Graph(Box(0, 1, (2,)), None),
    ),
    "choice": (Annotated[str, Choice(["up", "down", "über"])], Discrete(3)),
    "bool": (bool, Discrete(2)),
    "literal": (Literal["a", "b", 3], Discrete(3)),
    "enum": (Color, Discrete(2)),
    "int enum": (Level, Discrete(2)),
    "int between": (bounded(int, ge=-2, le=5), Discrete(8, start=-2)),
    "int inside": (bounded(int, gt=0, lt=5), Discrete(4, start=1)),
    "int by its author": (pydantic.conint(ge=0, le=3), Discrete(4)),
    "int in an interval": (Annotated[int, annotated_types.Interval(ge=0, lt=3)], Discrete(3)),
    "float between": (bounded(float, ge=-1, le=1), Box(-1, 1, (1,), np.float64)),
    "float inside": (
        bounded(float, gt=0, lt=1),
        Box(ulp(0, 1), ulp(1, 0), (1,), np.float64),
    ),
    "float inside large": (
        bounded(float, gt=1e20, lt=2e20),
        Box(ulp(1e20, np.inf), ulp(2e20, 0), (1,), np.float64),
    ),
    "text": (bounded(str, max_length=9), Utf8(9)),
    "text of two lengths": (bounded(str, min_length=2, max_length=9), Utf8(9, min_length=2)),
    "text of annotated_types": (Annotated[str, annotated_types.Len(2, 9)], Utf8(9, min_length=2)),
    "bools": (bounded(list[bool], min_length=3, max_length=3), MultiBinary(3)),
    "ints": (bounded(list[small], min_length=2, max_length=2), MultiDiscrete([4, 4])),
    "ints that start elsewhere": (
        bounded(list[bounded(int, ge=-1, le=1)], min_length=2, max_length=2),
        MultiDiscrete([3, 3], start=[-1, -1]),
    ),
    "floats": (
        bounded(list[bounded(float, ge=0, le=1)], min_length=2, max_length=2),
        Box(0, 1, (2,), np.float64),
    ),
    "rows": (
        bounded(
            list[bounded(list[bounded(float, ge=0, le=1)], min_length=2, max_length=2)],
            min_length=3,
            max_length=3,
        ),
        Box(0, 1, (3, 2), np.float64),
    ),
    "enums": (
        bounded(list[Color], min_length=2, max_length=2),
        spaces.Tuple([Discrete(2), Discrete(2)]),
    ),
    "list": (list[Color], spaces.Sequence(Discrete(2))),
    "list of something": (bounded(list[Color], min_length=1), NonEmpty(Discrete(2))),
    "declared Sequence of something": (
        Annotated[Array, Field(min_length=1), spaces.Sequence(Discrete(2), stack=True)],
        NonEmpty(Discrete(2), stack=True),
    ),
    "tuple of any length": (tuple[small, ...], spaces.Sequence(Discrete(4))),
    "tuple of one length": (
        bounded(tuple[Color, ...], min_length=1, max_length=1),
        spaces.Tuple([Discrete(2)]),
    ),
    "pair": (tuple[bool, Color], spaces.Tuple([Discrete(2), Discrete(2)])),
    "variants": (
        Annotated[Union[Go, Wait], Field(discriminator="kind")],  # noqa: UP007
        OneOf([spaces.Dict(kind=Discrete(1), far=Discrete(3)), spaces.Dict(kind=Discrete(1))]),
    ),
    "variants or none": (
        Wait | Point | None,
        OneOf(
            [
                Discrete(1),
                OneOf(
                    [
                        spaces.Dict(kind=Discrete(1)),
                        spaces.Dict(x=Box(0, 1, (1,), np.float64), color=Discrete(2)),
                    ]
                ),
            ]
        ),
    ),
    "nested": (
        Point,
        spaces.Dict([("x", Box(0, 1, (1,), np.float64)), ("color", Discrete(2))]),
    ),
    "list of nested": (
        list[Point],
        spaces.Sequence(spaces.Dict([("x", Box(0, 1, (1,), np.float64)), ("color", Discrete(2))])),
    ),
    "optional": (bounded(int, ge=0, le=3) | None, OneOf([Discrete(1), Discrete(4)])),
    "optional, bounds outside": (
        bounded(int | None, ge=0, le=3),
        OneOf([Discrete(1), Discrete(4)]),
    ),
    "optional of old": (Optional[Color], OneOf([Discrete(1), Discrete(2)])),  # noqa: UP045
    "optional declared": (Annotated[str, Utf8(7)] | None, OneOf([Discrete(1), Utf8(7)])),
    "optional choice": (
        Annotated[str, Choice(["a", "b"])] | None,
        OneOf([Discrete(1), Discrete(2)]),
    ),
    "optional nested": (
        Point | None,
        OneOf(
            [
                Discrete(1),
                spaces.Dict([("x", Box(0, 1, (1,), np.float64)), ("color", Discrete(2))]),
            ]
        ),
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_space_of_a_field(name: str) -> None:
    annotation, space = KINDS[name]
    derived = derive(model(annotation))
    assert derived.space == space
    assert derived.space.dtype == space.dtype


def round_trips(derived: ModelSpace, samples: int = 20) -> None:
    derived.space.seed(1)
    for _ in range(samples):
        sample = derived.space.sample()
        made = derived.model(**derived.from_space(sample))
        back = derived.to_space(made)
        assert derived.space.contains(back)
        assert _plain(back) == _plain(sample)
        again = derived.model(**derived.from_space(back))
        assert same(_plain(made.model_dump()), _plain(again.model_dump()))


def _plain(value: Any) -> Any:
    """With lists for arrays, and Python's numbers for numpy's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return (
            type(value)(*map(_plain, value))
            if hasattr(value, "_fields")
            else [_plain(item) for item in value]
        )
    return value


@pytest.mark.parametrize("name", KINDS)
def test_every_sample_is_a_model_and_back(name: str) -> None:
    round_trips(derive(model(KINDS[name][0])))


@pytest.mark.parametrize("name", KINDS)
def test_every_sample_is_a_model_among_other_fields(name: str) -> None:
    derived = derive(model(KINDS[name][0], other=(bool, ...)))
    assert isinstance(derived.space, spaces.Dict)
    assert list(derived.space.spaces) == ["field", "other"]
    round_trips(derived, 5)


def test_fields_keep_their_order() -> None:
    derived = derive(create_model("Model", __base__=Action, z=(bool, ...), a=(bool, ...)))
    assert isinstance(derived.space, spaces.Dict)
    assert list(derived.space.spaces) == ["z", "a"]


def test_info_is_in_no_space() -> None:
    class Seen(Observation):
        board: Annotated[int, Discrete(3)]
        note: Annotated[str, Info()] = ""
        anything: Annotated[dict[str, Any] | None, Info()] = None
        marked_by_class: Annotated[str, Info] = ""

    derived = derive(Seen)
    assert derived.space == Discrete(3)
    assert derived.info_fields == ("note", "anything", "marked_by_class")


@pytest.mark.parametrize("mark", [LegalActions(), LegalActions])
def test_legal_actions_are_in_no_space(mark: Any) -> None:
    seen = create_model(
        "Seen", __base__=Observation, board=(bool, ...), legal=(Annotated[list[int], mark], ...)
    )
    derived = derive(seen)
    assert derived.space == Discrete(2)
    assert derived.legal_actions == "legal"


def test_base_fields_are_in_no_space() -> None:
    derived = derive(model(bool, Observation))
    assert list(derived.fields) == ["field"]
    assert list(derive(model(bool, Action)).fields) == ["field"]


def test_overrides_go_first() -> None:
    kind = model(Annotated[Array, Box(0, 1, (2,))], note=(Annotated[str, Choice(["a", "b"])], "a"))
    overrides = {
        "field": Box(0, 9, (5,), np.int8),
        "note": Discrete(2, start=1),
        "elsewhere": Discrete(3),
    }
    derived = derive(kind, overrides)
    assert derived.space["field"] == Box(0, 9, (5,), np.int8)  # type: ignore[index]
    assert derived.from_space({"field": np.zeros(5, np.int8), "note": 2})["note"] == "b"


def test_overrides_give_what_has_no_bounds() -> None:
    assert derive(model(Array), {"field": Box(0, 1, (2,))}).space == Box(0, 1, (2,))
    assert derive(model(Any), {"field": Utf8(3)}).space == Utf8(3)


class Node(BaseModel):
    child: Node | None = None


UNBOUNDED: dict[str, tuple[Any, str]] = {
    "int": (int, r"field: Annotated\[int, Discrete"),
    "float": (float, r"field: Annotated\[float, Box"),
    "half bounded": (bounded(int, ge=0), r"field: Annotated\[int, Discrete"),
    "str": (str, r"field: Annotated\[str, Field\(max_length"),
    "array": (Array, r"field: Annotated\[.*, Box"),
    "any": (Any, r"Annotated\["),
    "dict": (dict[str, int], r"Annotated\["),
    "set": (set[int], r"Annotated\["),
    "bare list": (list, r"Annotated\["),
    "list of int": (list[int], r"Annotated\[int, Discrete"),
    "list of at most": (bounded(list[bool], max_length=3), "min_length"),
    "list of at least": (bounded(list[bool], min_length=3), "max_length"),
    "declared list of at least": (
        Annotated[list[Color], Field(min_length=2), spaces.Sequence(Discrete(2))],
        "max_length",
    ),
    "one of two": (Union[Point, Color], "one type"),  # noqa: UP007
    "multiples": (bounded(int, ge=0, le=10, multiple_of=5), "multiple_of"),
    "pattern": (bounded(str, max_length=3, pattern="^a+$"), "pattern"),
    "changed text": (
        Annotated[str, pydantic.StringConstraints(max_length=3, to_upper=True)],
        "to_upper",
    ),
    "nothing between": (bounded(int, gt=3, lt=4), "Model.field"),
    "nested in itself": (Node, "itself"),
    "same twice": (Annotated[str, Choice(["a", "a"])], "twice"),
    "equal twice": (Literal[1, True], "twice"),
    "no choice": (Annotated[str, Choice([])], "Model.field"),
}


@pytest.mark.parametrize("name", UNBOUNDED)
def test_what_makes_no_space_is_named(name: str) -> None:
    annotation, advice = UNBOUNDED[name]
    with pytest.raises(SpaceError, match=advice) as caught:
        derive(model(annotation))
    assert "Model.field" in str(caught.value) or "Node.child" in str(caught.value)


def test_a_nested_field_is_named() -> None:
    class Inner(BaseModel):
        deep: list[int]

    with pytest.raises(SpaceError, match=r"Inner\.deep\[\]"):
        derive(model(Inner))


def test_a_model_without_a_space() -> None:
    with pytest.raises(SpaceError, match="no field"):
        derive(create_model("Empty", __base__=Action))


def test_a_model_takes_its_fields_by_their_aliases() -> None:
    class Move(Action):
        move: Annotated[int, Discrete(3)] = Field(alias="moveTo")
        done: bool = False
        by_name: Annotated[int, Discrete(3)] = Field(
            default=0, validation_alias=pydantic.AliasChoices("byName", "by")
        )

    derived = derive(Move)
    value = {"move": 2, "done": 1, "by_name": 1}
    assert derived.space.contains(value)
    model = Move(**derived.from_space(value))
    assert (model.move, model.done, model.by_name) == (2, True, 1)
    assert derived.to_space(model) == value

    class Only(Action):
        move: Annotated[int, Discrete(3)] = Field(alias="moveTo")

    assert Only(**derive(Only).from_space(2)).move == 2
