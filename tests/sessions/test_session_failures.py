"""The session: what the code of the environment raises, and Spaces that are none."""

from __future__ import annotations

from typing import Any

import pytest
from gymnasium.spaces import Space

from openenv_gym.errors import (
    EnvironmentFailedError,
    SpaceError,
)
from openenv_gym.models import Observation
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import (
    Close,
    GetState,
    Open,
    OpenVector,
    Render,
    Reset,
    Step,
)
from tests.recorded import HERE, SECRET, Recorded, failure, running

FAILURES = {
    "init": Open(HERE, {"fails": "init"}),
    "spaces": Open(HERE, {"fails": "spaces"}),
    "metadata": Open(HERE, {"fails": "metadata"}),
    "seed 3": Reset(3),
    "reset": Reset(3),
    "step": Step(1),
    "render": Render(),
    "state": GetState(),
    "close": Close(),
}


@pytest.mark.parametrize("reveal", [True, False])
@pytest.mark.parametrize("name", FAILURES)
def test_failures_of_the_environments_code(
    name: str, reveal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(reveal=reveal)
    request = FAILURES[name]
    if type(request) is not Open:
        session.handle(Open(HERE, {}, "ansi"))
        session.handle(Reset(0))
        Recorded.made[-1].fails = name
    error = failure(session, request)
    assert isinstance(error, EnvironmentFailedError)
    assert error.fields["error"] == "RuntimeError"
    reported = f"{error}{error.fields}"
    if reveal:
        assert f"{name}: cannot read {SECRET}" in reported
        assert "tests/recorded.py" in error.fields["traceback"]
        assert isinstance(error.__cause__, RuntimeError)
    else:
        assert SECRET not in reported
        assert "--debug" in reported
        assert SECRET in caplog.text
    session.close()


@pytest.mark.parametrize("name", ["spaces", "metadata"])
def test_an_environment_that_fails_on_opening_is_closed_once(name: str) -> None:
    session = Session()
    failure(session, Open(HERE, {"fails": name}))
    session.close()
    assert Recorded.calls.count("close") == 1


def test_lanes_that_cannot_all_be_made_are_all_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []

    def close(self: Any) -> None:
        closed.append(self)
        raise KeyError("close")

    monkeypatch.setattr(Recorded, "close", close)
    error = failure(Session(), OpenVector(HERE, [{}, {}, {"fails": "init"}]))
    assert isinstance(error, EnvironmentFailedError)
    assert error.fields["error"] == "RuntimeError"
    assert len(set(map(id, closed))) == 2


def test_what_close_raises_does_not_hide_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def close(self: Any) -> None:
        raise KeyError("close")

    monkeypatch.setattr(Recorded, "close", close)
    error = failure(Session(), Open(HERE, {"fails": "spaces"}))
    assert "spaces: cannot read" in str(error)


def test_spaces_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(Space[Any]):
        pass

    monkeypatch.setattr(Recorded, "spaces", lambda self: {"board": Odd()})
    session = Session()
    error = failure(session, Open(HERE, {}))
    assert isinstance(error, SpaceError)
    assert "Odd" in str(error)
    session.close()
    assert Recorded.calls.count("close") == 1


def test_a_failed_step_or_reset_needs_a_reset() -> None:
    session = running()
    for name, request in (("step", Step(1)), ("reset", Reset(None))):
        Recorded.made[-1].fails = name
        failure(session, request)
        Recorded.made[-1].fails = ""
        assert "reset()" in str(failure(session, Step(1)))
        session.handle(Reset(None))
        session.handle(Step(1))


def test_an_observation_that_does_not_fit_is_the_environments_failure() -> None:
    session = running(end={"kind": "c"})
    error = failure(session, Step(1))
    assert isinstance(error, EnvironmentFailedError)
    assert "Seen.kind is 'c'" in str(error)


def test_a_model_without_bounds_says_what_to_write() -> None:
    class Unbounded(Observation):
        board: int

    class Wrong(Recorded):
        observation_type = Unbounded

    globals()["Wrong"] = Wrong
    error = failure(Session(), Open(f"{__name__}:Wrong", {}))
    assert isinstance(error, SpaceError)
    assert "board: Annotated[int, Discrete(n)]" in str(error)
    assert Recorded.calls.count("close") == 1
