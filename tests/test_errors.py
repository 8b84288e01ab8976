"""The tree of errors: as drawn, and whole on the other side of a pickle."""

from __future__ import annotations

import pickle
import re
import threading

import pytest

from openenv_gym import errors
from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    OpenEnvGymError,
    TransportError,
    did_you_mean,
    from_name,
)

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, OpenEnvGymError)
]


def drawn() -> dict[str, str | None]:
    """Parent of each class in the tree of the module's docstring."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1] if depth else None
    return parents


def test_the_tree_is_as_drawn() -> None:
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES if kind.__base__}
    real_root = {"OpenEnvGymError": "Exception"}
    assert {**drawn(), **real_root} == real


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_pickle_keeps_message_fields_and_cause(kind: type[OpenEnvGymError]) -> None:
    error = kind("asked, wrong, next", url="http://x", limit=3)
    error.__cause__ = ValueError("why")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "asked, wrong, next"
    assert again.fields == {"url": "http://x", "limit": 3}
    assert isinstance(again.__cause__, ValueError)
    assert str(again.__cause__) == "why"


def test_pickle_without_a_cause() -> None:
    assert pickle.loads(pickle.dumps(ActionError("no"))).__cause__ is None


def test_a_cause_that_does_not_pickle_is_told() -> None:
    error = EnvironmentFailedError("failed")
    error.__cause__ = ValueError("held a lock", threading.Lock())
    cause = pickle.loads(pickle.dumps(error)).__cause__
    assert isinstance(cause, RuntimeError)
    assert "ValueError" in str(cause)
    assert "held a lock" in str(cause)


def test_a_cause_that_does_not_unpickle_is_told() -> None:
    class TwoArgumentsError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    error = EnvironmentFailedError("failed")
    error.__cause__ = TwoArgumentsError(1, 2)
    assert "1 and 2" in str(pickle.loads(pickle.dumps(error)).__cause__)


def test_a_field_that_does_not_pickle_is_told() -> None:
    error = ActionError("no", lock=threading.Lock(), number=1)
    fields = pickle.loads(pickle.dumps(error)).fields
    assert fields["number"] == 1
    assert "lock" in fields["lock"]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_name_gives_the_error_of_that_name(kind: type[OpenEnvGymError]) -> None:
    error = from_name(kind.__name__, "said", {"n": 1})
    assert type(error) is kind
    assert str(error) == "said"
    assert error.fields == {"n": 1}


@pytest.mark.parametrize("name", ["NoSuchError", "pickle", "from_name", "Exception", "", "Any"])
def test_from_name_of_what_is_no_error_of_ours(name: str) -> None:
    assert type(from_name(name, "said", {})) is TransportError


def test_fields_may_have_any_name() -> None:
    """They come from other processes."""
    fields = {"message": 1, "self": 2, "kind": 3, "not a name": 4}
    error = from_name("ActionError", "said", fields)
    assert error.fields == fields
    assert pickle.loads(pickle.dumps(error)).fields == fields


def test_an_unknown_name_is_told_the_nearest_known_one() -> None:
    known = ["process", "docker", "inprocess"]
    assert did_you_mean("proces", known) == " Did you mean 'process'?"
    assert did_you_mean("ray", known) == ""
    assert did_you_mean("ray", []) == ""


def test_an_unknown_option_keeps_its_facts_when_gymnasium_raises_it_again() -> None:
    try:
        raise errors.UnknownOptionError("unknown", known=["depth"])
    except TypeError as error:  # as gymnasium.make does before 1.4
        again = type(error)(f"{error}, and more text")
    assert isinstance(again, errors.UnknownOptionError)
    assert (str(again), again.fields) == ("unknown, and more text", {"known": ["depth"]})
    assert errors.UnknownOptionError("unknown").fields == {}
