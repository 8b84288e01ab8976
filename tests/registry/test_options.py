"""Options: checked against the signature that takes them, before it is called."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

from openenv_gym.errors import OptionError
from openenv_gym.models import ClientOption
from openenv_gym.options import check_allowed, checked


class Game:
    def __init__(
        self,
        size: Annotated[int, ClientOption(Annotated[int, Field(ge=1, le=9)])] = 3,
        opponent: Annotated[Literal["random", "self"], ClientOption()] = "random",
        speed: Annotated[float, Field(gt=0)] | None = None,
        engine: str = "/bin/engine",
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


def refused(function: Any, given: dict[str, Any], fixed: dict[str, Any]) -> str:
    with pytest.raises(OptionError) as caught:
        check_allowed(function, given, fixed, "game")
    assert caught.value.fields == {"option": next(iter(given))}
    return str(caught.value)


def test_an_option_is_closed_to_clients_unless_it_is_marked() -> None:
    assert check_allowed(Game, {"size": 5, "opponent": "self"}, {}, "game") == {
        "size": 5,
        "opponent": "self",
    }
    for given in ({"engine": "/bin/sh"}, {"speed": 2.0}, {"anything": 1}):
        said = refused(Game, given, {})
        assert "owner of the server alone" in said
        assert f"--option {next(iter(given))}=" in said


def test_a_client_keeps_to_the_bounds() -> None:
    assert "less than or equal to 9" in refused(Game, {"size": 10}, {})
    assert checked(Game, {"size": 10}, "game") == {"size": 10}  # the owner may


def test_what_the_owner_has_set() -> None:
    fixed = {"size": 5, "engine": "/bin/secret"}
    assert check_allowed(Game, {"size": 5}, fixed, "game") == {}
    assert "set to 5 by the owner" in refused(Game, {"size": 6}, fixed)
    assert check_allowed(Game, {"engine": "/bin/secret"}, fixed, "game") == {}
    assert "secret" not in refused(Game, {"engine": "/bin/x"}, fixed)


def test_a_default_may_be_given_of_a_closed_option() -> None:
    assert check_allowed(Game, {"engine": "/bin/engine", "speed": None}, {}, "game") == {}
    assert "owner" in refused(Game, {"speed": 0}, {"speed": False})
    array: Any = np.zeros(2)
    assert "owner" in refused(Game, {"anything": [array]}, {"anything": [array + 1]})


def test_any_other_options_are_closed() -> None:
    def make(**options: Any) -> None: ...

    assert "owner" in refused(make, {"size": 6}, {"size": 5})
    assert "owner" in refused(make, {"size": 6}, {})
    assert check_allowed(make, {"size": 5}, {"size": 5}, "game") == {}


def test_an_unknown_option_is_left_to_the_check_that_lists_the_known() -> None:
    assert check_allowed(Game, {"colour": 1}, {}, "game") == {"colour": 1}


def test_types_that_cannot_be_resolved_are_closed() -> None:
    def make(size: Annotated[Unknown, ClientOption()] = 3) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert "owner" in refused(make, {"size": 6}, {})
