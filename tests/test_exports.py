"""What an environment exports is reached over every transport, and nothing else by strangers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError

from openenv_gym.errors import EnvironmentFailedError, NoSuchAttributeError, OptionError
from openenv_gym.registry import environment
from tests.servers import serving

WHEEL, LAMP = (f"tests.exporting:openenv-test/{name}-v0" for name in ("Wheel", "Lamp"))

transports = pytest.mark.parametrize("transport", ["inprocess", "process", "websocket"])


def plain(id: str, transport: str = "inprocess", **keywords: Any) -> Any:
    """The ``OpenEnvGym`` itself."""
    return gymnasium.make(id, transport=transport, disable_env_checker=True, **keywords).unwrapped


@pytest.fixture
def wheel(transport: str) -> Iterator[Any]:
    env = plain(WHEEL, transport)
    yield env
    env.close()


@transports
def test_attributes_and_methods_that_are_declared(wheel: Any) -> None:
    assert wheel.size == 7
    assert wheel.names() == ["stay", "left", "right"]
    assert wheel.motor.speed == 2.5
    assert wheel.motor.label("ab", times=2) == "abab"
    assert wheel.keys() == {("a",): 1, ("a", "d"): 2}
    assert wheel.get_wrapper_attr("size") == 7
    assert "label" in repr(wheel.motor.label)


@transports
def test_arrays_are_filled(wheel: Any) -> None:
    array = np.zeros((2, 3), np.int64)
    assert wheel.motor.fill(array) is None
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]


@transports
def test_what_the_last_reply_has_needs_no_round_trip(wheel: Any) -> None:
    assert wheel.angles().tolist() == [0, 0]  # asked for: there is no reply yet
    wheel.reset(seed=1)
    observation, *_ = wheel.step(2)
    assert wheel.motor.turns() == 1
    seen = wheel.angles()
    assert np.array_equal(seen, observation)
    assert seen is not observation
    out = np.zeros((1, 2), np.int64)
    assert wheel.angles(out) is None
    assert np.array_equal(out[0], observation)


@transports
def test_the_rest_is_hidden(wheel: Any) -> None:
    for name in ("hidden", "_angle", "nothing"):
        assert not hasattr(wheel, name) or name in vars(wheel)
        assert not wheel.has_wrapper_attr(name)
    for path in ("hidden", "motor.secret", "motor.__class__", "size.__class__"):
        with pytest.raises(NoSuchAttributeError):
            wheel.exported.get(path)
    with pytest.raises(AttributeError, match="cannot be set"):
        wheel.exported.set("size", 3)
    with pytest.raises(OptionError, match="not a plain value"):
        wheel.odd()
    with pytest.raises(EnvironmentFailedError, match="ZeroDivisionError: of its own"):
        wheel.fails()
    wheel.reset(seed=0)
    wheel.step(1)  # all this has not harmed the episode


@transports
def test_all_that_is_public_in_a_gymnasium_env(transport: str) -> None:
    env = plain("openenv/Gymnasium-v0", transport, env_id="CartPole-v1")
    env.reset(seed=0)
    assert env.gravity == 9.8
    env.gravity = 5.0
    assert env.gravity == 5.0
    assert vars(env).get("gravity") is None
    assert env.spec.max_episode_steps == 500
    with pytest.raises(AttributeError):
        _ = env.no_such_thing
    env.close()
    with pytest.raises(ClosedEnvironmentError):
        _ = env.gravity


@transports
def test_a_gymnasium_env_of_a_user(transport: str) -> None:
    env = plain(LAMP, transport)
    assert env.dim(0.25) == 0.25
    assert env.brightness == 0.25
    assert env.motor.speed == 2.5
    assert env.motor.label("x") == "x"
    env.reset(seed=0)
    assert env.get_wrapper_attr("late") == "set by reset"
    env.set_wrapper_attr("color", "red")
    assert env.color == "red"
    with pytest.raises(NoSuchAttributeError):
        env.exported.get("reset")  # would go round the session
    env.close()


def test_environments_do_not_share_what_they_export() -> None:
    cart, board = plain("openenv/Gymnasium-v0", env_id="CartPole-v1"), plain("openenv/Connect4-v0")
    assert cart.gravity == 9.8
    assert not hasattr(board, "gravity")
    board.gravity = 3
    assert (board.gravity, cart.gravity) == (3, 9.8)
    cart.close()
    board.close()


def test_strangers_reach_what_is_declared_alone() -> None:
    with serving("tests.exporting:Lamp", owner=False) as server:
        env = plain("openenv/Remote-v0", "websocket", url=server.url("websocket"))
        assert env.brightness == 0.5
        for path in ("color", "dim", "motor", "motor.speed"):
            assert not env.has_wrapper_attr(path)
        for path in ("color", "dim", "motor.speed", "_np_random"):
            with pytest.raises(NoSuchAttributeError, match="exports brightness"):
                env.link.exchange(_call(path))
        with pytest.raises(NoSuchAttributeError, match="cannot be set"):
            env.link.exchange(_call("brightness", what="set", arguments=[1.0]))
        env.close()


def _call(path: str, **fields: Any) -> Any:
    from openenv_gym.wire.messages import Call

    return Call(path, **fields)


def test_a_folder_declares_exports_in_its_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "lamp_env"
    (folder / "server").mkdir(parents=True)
    (folder / "openenv.yaml").write_text(
        "environment: tests.exporting:Lamp\nexports: [color, motor.speed]\n"
    )
    assert environment(str(folder)).exports == ("color", "motor.speed")
    with serving(str(folder), owner=False) as server:
        env = plain("openenv/Remote-v0", "websocket", url=server.url("websocket"))
        assert (env.color, env.motor.speed) == ("white", 2.5)
        assert not hasattr(env, "dim")
        env.close()


@transports
def test_lanes(transport: str) -> None:
    envs: Any = gymnasium.make_vec(LAMP, num_envs=3, workers=2, transport=transport)
    envs.reset(seed=0)
    assert envs.get_attr("color") == ("white",) * 3
    assert envs.call("dim", 0.25) == (0.25,) * 3
    assert envs.call("motor.label", "ab", times=2) == ("abab",) * 3
    envs.set_attr("color", ["red", "green", "blue"])
    assert envs.get_attr("color") == ("red", "green", "blue")
    envs.set_attr("color", "black")
    assert envs.get_attr("color") == ("black",) * 3
    with pytest.raises(ValueError, match="give one for each"):
        envs.set_attr("color", ["red"])
    with pytest.raises(AttributeError, match="nothing"):
        envs.get_attr("nothing")
    with pytest.raises(AttributeError, match=r"motor\.attribute"):
        envs.get_attr("motor")
    envs.step([0, 1, 0])
    envs.close()


def test_lanes_of_an_environment_that_declares_its_exports() -> None:
    envs: Any = gymnasium.make_vec(WHEEL, num_envs=2, transport="inprocess")
    envs.reset(seed=0)
    assert envs.call("names") == (["stay", "left", "right"],) * 2
    assert envs.call("motor.speed") == (2.5, 2.5)
    with pytest.raises(AttributeError, match="cannot be set"):
        envs.set_attr("size", 3)
    envs.close()
