"""Actions as tools: names, signatures and docstrings."""

from __future__ import annotations

import enum
import inspect
from typing import Annotated, Any, Literal, Optional, Union

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from pydantic import BaseModel, Field, ValidationError, create_model

from openenv_gym.models import Action, Array, Choice
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.trl.tools import tools_of
from openenv_gym_envs.chess import ChessAction
from openenv_gym_envs.connect4 import Connect4Action


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


class Point(BaseModel):
    x: int


class PlaceBetAction(Action):
    """Places a bet,
    or several.

    Of no interest to a model.

    Attributes:
        amount: How much, see :data:`~elsewhere.module.LIMITS` and ``low``;
            all of it is lost.

            Of no interest either.
        on: Red, say.
    """

    amount: Annotated[int, Discrete(5, start=1)]
    on: Color = Color.RED


class Go(BaseModel):
    """Goes on."""

    kind: Literal["go"] = "go"
    far: Annotated[int, Field(ge=0, le=9, description="How far. Returns: nothing")]


class StandStill(BaseModel):
    kind: Literal["still"] = "still"


class Moved(Action):
    does: Annotated[Union[Go, StandStill], Field(discriminator="kind")]  # noqa: UP007


def only(model: type[BaseModel]) -> dict[str, inspect.Parameter]:
    (tool,) = tools_of(model)
    return {parameter.name: parameter for parameter in tool.parameters}


def test_a_tool_says_what_its_action_says() -> None:
    (tool,) = tools_of(PlaceBetAction)
    assert tool.name == "place_bet"
    assert tool.doc == (
        "Places a bet, or several.\n"
        "\n"
        "Args:\n"
        "    amount: How much, see LIMITS and low; all of it is lost. From 1 to 5.\n"
        "    on: Red, say."
    )
    amount, on = tool.parameters
    assert (amount.annotation, amount.default) == (int, inspect.Parameter.empty)
    assert (on.annotation, on.default) == (Literal["r", "g"], Color.RED)
    assert tool.action({"amount": 2, "on": "g"}) == PlaceBetAction(amount=2, on=Color.GREEN)
    with pytest.raises(ValidationError):
        tool.action({"amount": 2, "unknown": 1})


def test_each_of_several_models_is_a_tool() -> None:
    go, still = tools_of(Moved, "ignored")
    assert (go.name, still.name) == ("go", "stand_still")
    assert go.doc == "Goes on.\n\nArgs:\n    far: How far. Returns nothing. From 0 to 9."
    assert [parameter.name for parameter in go.parameters] == ["far"]
    assert (still.doc, still.parameters) == ("Stand still", [])
    assert go.action({"far": 3}) == Moved(does=Go(far=3))
    assert still.action({}) == Moved(does=StandStill())


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("GuessAction", "guess"),
        ("BrowserGymAction", "browser_gym"),
        ("DIPGSafetyAction", "dipg_safety"),
        ("Connect4Action", "connect4"),
        ("Move", "move"),
        ("Action", "act"),
    ],
)
def test_tools_are_named_after_their_model(name: str, tool: str) -> None:
    model = create_model(name, __base__=Action, word=(str, ...))
    assert [found.name for found in tools_of(model)] == [tool]
    assert [found.name for found in tools_of(model, "say")] == ["say"]


@pytest.mark.parametrize(
    ("annotation", "kind", "said"),
    [
        (str, str, "Field."),
        (bool, bool, "Field."),
        (Annotated[int, Discrete(7)], int, "Field. From 0 to 6."),
        (Annotated[float, Field(ge=-1, le=1)], float, "Field. From -1.0 to 1.0."),
        (Annotated[str, Utf8(9)], str, "Field. At most 9 characters."),
        (Annotated[str, Choice(["a", "b"])], Literal["a", "b"], "Field."),
        (Annotated[str, Choice([str(n) for n in range(99)])], str, "Field."),
        (Literal["a", 2], Literal["a", 2], "Field."),
        (Color, Literal["r", "g"], "Field."),
        (Optional[Color], Optional[Literal["r", "g"]], "Field."),  # noqa: UP045
        (list[Color], list[Literal["r", "g"]], "Field."),
        (list, list, "Field."),
        (tuple[int, ...], list[int], "Field."),
        (dict[str, int], dict, "Field."),
        (Point, dict, "Field."),
        (Any, Any, "Field."),
        (Array, list, "Field."),
        (Annotated[Array, Box(0, 1, (2,))], list[float], "Field. Of shape (2,). From 0.0 to 1.0."),
        (
            Annotated[Array, Box(-9, 9, (2, 3), np.int8)],
            list[list[int]],
            "Field. Of shape (2, 3). From -9 to 9.",
        ),
        (Annotated[Array, Box(-np.inf, 1, (2,))], list[float], "Field. Of shape (2,)."),
    ],
)
def test_arguments_have_types_that_a_json_schema_has(annotation: Any, kind: Any, said: str) -> None:
    model = create_model("Thing", __base__=Action, field=(annotation, ...))
    (tool,) = tools_of(model)
    assert tool.parameters[0].annotation == kind
    assert tool.doc == f"Thing\n\nArgs:\n    field: {said}"


def test_what_must_be_given_comes_first() -> None:
    fields: dict[str, Any] = {
        "may": (int, 3),
        "must": (int, ...),
        "made": (list[int], Field(default_factory=list)),
    }
    found = only(create_model("Thing", __base__=Action, **fields))
    assert list(found) == ["must", "may", "made"]
    assert [parameter.default for parameter in found.values()] == [inspect.Parameter.empty, 3, []]


def test_the_environments_actions_make_documented_tools() -> None:
    (drop,) = tools_of(Connect4Action, "drop_piece")
    assert "    column: The column, 0 (left) to 6 (right). From 0 to 6." in drop.doc
    (move,) = tools_of(ChessAction)
    assert '    move: The move in UCI: "e2e4", "e1g1" (castling), "e7e8q" (promotion).' in move.doc
