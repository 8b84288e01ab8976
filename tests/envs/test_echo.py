from __future__ import annotations

import pytest
from pydantic import ValidationError

from openenv_gym_envs.echo.environment import GREETING, EchoEnvironment
from openenv_gym_envs.echo.models import MAX_LENGTH, EchoAction, EchoObservation


@pytest.fixture
def env():
    environment = EchoEnvironment()
    environment.reset()
    return environment


@pytest.mark.parametrize(
    "message",
    [
        "",
        "a",
        "hello",
        "héllo",
        "日本語",
        "🌍👩‍👩‍👧",
        "line\nbreak\0nul",
        "x" * MAX_LENGTH,
    ],
)
def test_message_comes_back(env, message):
    observation = env.step(EchoAction(message=message))
    assert observation.echoed_message == message
    assert observation.message_length == len(message)
    assert observation.reward == pytest.approx(0.1 * len(message))
    assert not observation.done
    assert not observation.truncated


def test_reset_greets():
    observation = EchoEnvironment().reset()
    assert observation.echoed_message == GREETING
    assert observation.message_length == 0
    assert observation.reward == 0.0
    assert not observation.done


def test_never_done(env):
    assert not any(env.step(EchoAction(message="m")).done for _ in range(1000))


def test_state_counts_steps_and_resets(env):
    for _ in range(3):
        env.step(EchoAction(message="hi"))
    assert env.state.step_count == 3
    env.reset(episode_id="second")
    assert env.state.step_count == 0
    assert env.state.episode_id == "second"


def test_state_is_a_copy(env):
    before = env.state
    env.step(EchoAction(message="hi"))
    assert before.step_count == 0


def test_metadata_counts_the_steps(env):
    env.step(EchoAction(message="a"))
    observation = env.step(EchoAction(message="b"))
    assert observation.metadata == {"original_message": "b", "step": 2}


def test_too_long_is_refused():
    with pytest.raises(ValidationError):
        EchoAction(message="x" * (MAX_LENGTH + 1))
    with pytest.raises(ValidationError):
        EchoObservation(echoed_message="x" * (MAX_LENGTH + 1))


def test_the_picture_is_what_was_said_last(env):
    env.render_mode = "ansi"
    assert env.render() == GREETING
    env.step(EchoAction(message="hi"))
    assert env.render() == "hi"
