"""Options: checked against the signature that takes them, before it is called."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from openenv_gym.errors import OptionError
from openenv_gym.models import OwnerOnly
from openenv_gym.options import check_allowed, checked


class Game:
    def __init__(
        self,
        size: int = 3,
        opponent: Literal["random", "self"] = "random",
        speed: Annotated[float, Field(gt=0)] | None = None,
        engine: Annotated[str, OwnerOnly()] = "/bin/engine",
        anything: Any = None,
    ) -> None:
        raise AssertionError("it is not called")


def problem(function: Any, given: dict[str, Any], **settings: Any) -> str:
    with pytest.raises(OptionError) as caught:
        checked(function, given, "game", **settings)
    assert set(caught.value.fields) == {"options", "known"}
    return str(caught.value)


def test_what_was_given_and_no_more() -> None:
    assert checked(Game, {}, "game") == {}
    assert checked(Game, {"size": 5, "speed": None}, "game") == {"size": 5, "speed": None}


def test_values_are_converted_as_from_a_command_line() -> None:
    assert checked(Game, {"size": "5", "speed": 2}, "game") == {"size": 5, "speed": 2.0}
    marker = object()
    assert checked(Game, {"anything": marker}, "game")["anything"] is marker


def test_an_unknown_one_lists_the_known() -> None:
    said = problem(Game, {"colour": 1})
    assert "Options of game: 'colour' is unknown" in said
    assert "size: int = 3" in said
    assert "opponent: Literal['random', 'self'] = 'random'" in said
    assert "speed: float | None = None" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": "large"}, "size='large'"),
        ({"size": None}, "size=None"),
        ({"opponent": "me"}, "'random' or 'self'"),
        ({"speed": -1}, "greater than 0"),
    ],
)
def test_a_wrong_value_is_shown(given: dict[str, Any], said: str) -> None:
    assert said in problem(Game, given)


def test_all_that_is_wrong_is_said() -> None:
    said = problem(Game, {"size": "x", "opponent": 3, "more": 4})
    assert all(name in said for name in ("size='x'", "opponent=3", "'more' is unknown"))


def test_one_that_must_be_given() -> None:
    def make(env_id: str, size: int = 3) -> None: ...

    assert "'env_id' must be given" in problem(make, {"size": 1})
    assert "env_id: str" in problem(make, {})


def test_a_signature_that_takes_none() -> None:
    class Plain:
        pass

    assert checked(Plain, {}, "plain") == {}
    assert "It takes none" in problem(Plain, {"size": 1})


def test_a_signature_that_takes_any() -> None:
    def reset(self: Any, size: int = 3, **options: Any) -> None: ...

    assert checked(reset, {"size": "4", "more": [1]}, "any") == {"size": 4, "more": [1]}


# What pydantic's models have attributes of their own for, and what it takes for private.
NAMES = ["copy", "json", "schema", "dict", "model_config", "model_fields", "validate", "_hidden"]


@pytest.mark.parametrize("name", NAMES)
def test_an_option_may_have_any_name(name: str) -> None:
    def any_options(**options: Any) -> None: ...

    assert checked(any_options, {name: 1}, "any") == {name: 1}
    space: dict[str, Any] = {}
    exec(f"def named({name}: int = 3) -> None: ...", space)
    assert checked(space["named"], {name: "1"}, "named") == {name: 1}
    said = problem(space["named"], {"other": 1})
    assert f"{name}: int = 3" in said
    assert f"{name}='x'" in problem(space["named"], {name: "x"})


def test_reserved_parameters_are_no_options() -> None:
    def reset(seed: int | None = None, size: int = 3) -> None: ...

    assert "'seed' is unknown" in problem(reset, {"seed": 1}, reserved=frozenset({"seed"}))


def test_what_is_for_the_owner_only_is_refused() -> None:
    check_allowed(Game, {"size": 5}, {}, "game")
    with pytest.raises(OptionError, match="owner of the server alone") as caught:
        check_allowed(Game, {"engine": "/bin/sh"}, {}, "game")
    assert "--option engine=" in str(caught.value)


def test_what_the_owner_has_set() -> None:
    check_allowed(Game, {"size": 5}, {"size": 5, "engine": "/bin/x"}, "game")
    with pytest.raises(OptionError, match="set to 5 by the owner"):
        check_allowed(Game, {"size": 6}, {"size": 5}, "game")


def test_what_the_owner_has_set_of_any_options() -> None:
    def make(**options: Any) -> None: ...

    with pytest.raises(OptionError, match="set to 5 by the owner"):
        check_allowed(make, {"size": 6}, {"size": 5}, "game")
