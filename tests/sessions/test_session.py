"""The session: the order of calls, the bounds of an episode, and what may be asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from gymnasium.spaces import Sequence as SequenceSpace

from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    EpisodeError,
    OptionError,
    ProtocolError,
    RegistryError,
)
from openenv_gym.sessions.session import Session
from openenv_gym.testing import same
from openenv_gym.wire.messages import (
    Close,
    Closed,
    Frame,
    GetState,
    Open,
    OpenVector,
    Render,
    Reset,
    ResetVector,
    Result,
    StateReply,
    Step,
    StepVector,
)
from tests.environments import COUNT, INLINE, THREADED, WAIT
from tests.recorded import HERE, Recorded, failure, opened, running
from tests.servers import eventually


def test_the_order_of_calls() -> None:
    session = opened("ansi")
    assert Recorded.calls[0] == "init"
    assert "spaces" in Recorded.calls
    assert Recorded.made[-1].render_mode == "ansi"
    Recorded.calls.clear()
    for request in (Reset(5), Step(np.int64(2)), Render(), GetState(), Reset(None), Close()):
        session.handle(request)
    assert Recorded.calls == [
        *("seed 5", "reset 3 5 None", "step", "render", "state", "reset 3 None None", "close")
    ]


def test_what_comes_back() -> None:
    session = opened("ansi")
    result = session.handle(Reset(5))
    assert same(result.observation, {"board": 0, "kind": 0})  # type: ignore[attr-defined]
    assert same(result.reward, 0.0)  # type: ignore[attr-defined]
    result = session.handle(Step(2))
    assert isinstance(result, Result)
    assert (result.observation["board"], result.terminated, result.truncated) == (2, False, False)
    assert result.info["note"] == "note"
    assert result.info["moved"] == {"metadata": {}, "column": 2}
    assert session.handle(Render()) == Frame("picture in ansi")
    assert session.handle(GetState()) == StateReply({"episode_id": None, "step_count": 7})
    assert session.handle(Close()) == Closed()


@pytest.mark.parametrize(
    "request_", [Reset(0), Step(1), Render(), GetState()], ids=lambda r: type(r).__name__
)
def test_before_open_and_after_close(request_: Any) -> None:
    session = Session()
    assert isinstance(failure(session, request_), EpisodeError)
    session.handle(Open(HERE, {}))
    session.handle(Close())
    error = failure(session, request_)
    assert isinstance(error, EpisodeError)
    assert "closed" in str(error)


def test_a_session_opens_once_even_after_it_was_closed() -> None:
    session = opened()
    for _ in range(2):
        error = failure(session, Open(HERE, {}))
        assert isinstance(error, ProtocolError)
        assert "serves one environment" in str(error)
        session.close()


def test_closing_twice_closes_once() -> None:
    session = opened()
    session.handle(Close())
    session.handle(Close())
    session.close()
    assert Recorded.calls.count("close") == 1


def test_a_step_before_reset_and_a_picture() -> None:
    session = opened("ansi")
    assert "reset()" in str(failure(session, Step(1)))
    assert "reset()" in str(failure(session, Render()))
    assert "step" not in Recorded.calls
    assert "render_mode" in str(failure(running(), Render()))


@pytest.mark.parametrize(
    ("end", "terminated", "truncated"),
    [
        ({"done": True}, True, False),
        ({"truncated": True}, False, True),
        ({"done": True, "truncated": True}, False, True),
        ({"terminated": True}, True, False),
        ({"terminated": True, "truncated": True}, True, True),
        ({"done": True, "terminated": False, "truncated": True}, False, True),
    ],
)
def test_the_end_of_an_episode(end: dict[str, Any], terminated: bool, truncated: bool) -> None:
    session = running(end=end)
    result = session.handle(Step(1))
    assert isinstance(result, Result)
    assert (result.terminated, result.truncated) == (terminated, truncated)
    error = failure(session, Step(1))
    assert isinstance(error, EpisodeError)
    assert "reset()" in str(error)
    assert Recorded.calls.count("step") == 1
    session.handle(Reset(None))
    session.handle(Step(1))


def test_steps_after_the_end_where_the_environment_takes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Recorded, "steps_after_end", True)
    session = running(end={"done": True})
    for steps in (1, 2):
        result = session.handle(Step(1))
        assert isinstance(result, Result)
        assert result.terminated
        assert Recorded.calls.count("step") == steps


@pytest.mark.parametrize("action", [0, 5, None, "1", 1.0, np.array([1]), [1], object()])
def test_an_action_outside_of_the_space_changes_nothing(action: Any) -> None:
    session = running()
    error = failure(session, Step(action))
    assert isinstance(error, ActionError)
    assert "Discrete(4, start=1)" in str(error)
    assert "step" not in Recorded.calls
    session.handle(Step(1))


def test_errors_of_ours_pass_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(self: Any, **options: Any) -> Any:
        raise OptionError("there is no such board", board=3)

    monkeypatch.setattr(Recorded, "reset", reset)
    error = failure(opened(), Reset(None))
    assert isinstance(error, OptionError)
    assert error.fields == {"board": 3}


def test_reset_options() -> None:
    session = opened()
    session.handle(Reset(4, {"size": "5", "episode_id": "mine"}))
    assert Recorded.calls[-1] == "reset 5 4 mine"
    error = failure(session, Reset(None, {"colour": 1}))
    assert isinstance(error, OptionError)
    assert "'colour' is unknown" in str(error)
    assert "size: int = 3" in str(error)


def test_masks() -> None:
    mask = running(legal=[1, 4]).handle(Step(1)).info["action_mask"]  # type: ignore[attr-defined]
    assert same(mask, np.array([1, 0, 0, 1], np.int8))
    assert same(
        running().handle(Step(1)).info["action_mask"],  # type: ignore[attr-defined]
        np.zeros(4, np.int8),
    )


@pytest.mark.parametrize("legal", [[0], [5], [-1]])
def test_legal_actions_outside_of_the_space(legal: list[int]) -> None:
    error = failure(opened(legal=legal), Reset(0))
    assert isinstance(error, EnvironmentFailedError)
    assert "legal" in str(error)


def test_a_mask_needs_a_discrete_action(monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = SequenceSpace(Discrete(2))
    monkeypatch.setattr(Recorded, "spaces", lambda self: {"column": sequence} if self.calls else {})
    error = failure(Session(), Open(HERE, {}))
    assert "Discrete" in str(error)


def test_which_environment() -> None:
    assert isinstance(failure(Session(), Open(None, {})), OptionError)
    error = failure(Session(HERE), Open("echo", {}))
    assert isinstance(error, RegistryError)
    assert "serve echo" in str(error)
    for name in (HERE, None):
        Session(HERE).handle(Open(name, {}))
    assert isinstance(failure(Session(), Open("builtins:dict", {})), RegistryError)


def test_what_a_stranger_may_set() -> None:
    def open_(options: dict[str, Any], **settings: Any) -> None:
        Session(HERE, options={"fails": "nothing"}, **settings).handle(Open(None, options))

    open_({"engine": "/bin/x", "fails": "elsewhere"})
    assert Recorded.made[-1].fails == "elsewhere"
    open_({}, owner=False)
    assert Recorded.made[-1].fails == "nothing"
    for options in ({"engine": "/bin/sh"}, {"fails": "elsewhere"}):
        with pytest.raises(OptionError, match="owner of the server"):
            open_(options, owner=False)


@pytest.mark.parametrize(
    ("wanted", "mode"),
    [("human", "ansi"), ("rgb_array", "rgb_array"), (None, None)],
)
def test_the_mode_that_is_rendered(wanted: str | None, mode: str | None) -> None:
    opened(wanted)
    assert Recorded.made[-1].render_mode == mode


def test_lanes_are_stepped_inline_while_that_is_short() -> None:
    """The step of each lane is short, but it is their sum that holds others up."""
    session = Session(INLINE)
    session.handle(OpenVector(None, [{"delay": 0.02}] * 3))
    session.handle(ResetVector([0, 1, 2]))
    assert not session.inline  # which is not known yet

    def is_inline_after(actions: list[int]) -> bool:
        session.handle(StepVector(actions))
        return session.inline

    eventually(lambda: is_inline_after([COUNT] * 3))  # this process may have to wait for a core
    assert not is_inline_after([COUNT, WAIT, COUNT])
    eventually(lambda: is_inline_after([COUNT] * 3))
    session.close()

    threaded = Session(THREADED)
    threaded.handle(OpenVector(None, [{}]))
    threaded.handle(ResetVector([0]))
    threaded.handle(StepVector([COUNT]))
    assert not threaded.inline
    threaded.close()
