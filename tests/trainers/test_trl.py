"""TRL: tools that its GRPOTrainer can call, made of our environments."""

from __future__ import annotations

import gc
import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from openenv_gym import register_environment
from openenv_gym.client import StepResult
from openenv_gym.errors import (
    ActionError,
    ConnectError,
    EnvironmentFailedError,
    EpisodeError,
    OptionError,
    RegistryError,
    SessionLostError,
)
from openenv_gym.trl import ToolEnvironment, environment_factory
from tests.environments import COUNT, FAIL, THREADED
from tests.servers import eventually, is_running, serving
from tests.trainers.rover import ROVER, tools


def test_an_episode() -> None:
    environment: Any = environment_factory("openenv/Connect4-v0", opponent="random")()
    first = environment.reset(seed=1, prompt=[{"role": "user", "content": ""}], answer=None)
    assert first.splitlines()[-3:] == [
        "X to move",
        "legal_actions: [0, 1, 2, 3, 4, 5, 6]",
        "current_player_id: 0",
    ]
    assert (environment.reward, environment.done) == (0.0, False)
    while not environment.done:
        reported = environment.connect4(column=environment.result.observation.legal_actions[0])
    assert reported.endswith("\nThe episode is over.")
    assert environment.get_reward() == environment.reward == 1.0
    with pytest.raises(EpisodeError, match=r"over: connect4\(\) has no effect"):
        environment.connect4(3)
    assert environment.reset(seed=1) == first
    assert (environment.reward, environment.done) == (0.0, False)


def test_texts_and_arrays() -> None:
    echo: Any = environment_factory("echo")()
    assert echo.reset() == "echoed_message: Echo environment ready!\nmessage_length: 0"
    assert echo.echo("hällo") == "echoed_message: hällo\nmessage_length: 5"
    assert echo.echo("ab") == "echoed_message: ab\nmessage_length: 2"
    assert echo.reward == pytest.approx(0.7)
    counting: Any = environment_factory(THREADED, size=2)()
    lines = counting.reset(seed=0).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["count", "noise", "frame"]
    assert len(json.loads(lines[2].partition(":")[2])) == 2


def test_variants_are_tools_of_their_own() -> None:
    rover: Any = environment_factory(ROVER, reset_options=["place"])()
    assert list(tools(rover)) == ["go", "wait"]
    assert rover.reset(place=7, crew="no option") == 'place: 7\ncrew: ["Zoë"]'
    assert rover.go(far=3) == "place: 10\ncrew: []"
    assert rover.wait() == "place: 10\ncrew: []"
    assert rover.reward == 3.0


def test_a_description_of_ones_own() -> None:
    def describe(result: StepResult[Any]) -> str:
        return f"You are at {result.observation.place}."

    rover: Any = environment_factory(ROVER, describe=describe)()
    assert rover.reset() == "You are at 0."
    assert rover.go(4) == "You are at 4."


def test_an_environment_of_ones_own_by_its_id() -> None:
    register_environment("test/Rover-v0", ROVER, max_episode_steps=2)
    try:
        rover: Any = environment_factory("test/Rover-v0")()
        rover.reset()
        assert (rover.go(1), rover.done) == ("place: 1\ncrew: []", False)
        assert (rover.go(1), rover.done) == ("place: 2\ncrew: []\nThe episode is over.", True)
        with pytest.raises(EpisodeError, match="over"):
            rover.go(1)
    finally:
        del gymnasium.registry["test/Rover-v0"]


@pytest.mark.parametrize("transport", ["inprocess", "process", "websocket"])
def test_it_is_made_once_though_it_draws_nothing_as_text(transport: str, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    counting: Any = environment_factory(THREADED, transport=transport, diary=str(diary))()
    counting.reset()
    assert counting._client.env.render_mode is None
    assert diary.read_text().count("made") == 1


def test_pictures_are_of_the_mode_that_is_given() -> None:
    drawing: Any = environment_factory("connect4")()
    assert "X to move" in drawing.reset()
    seeing: Any = environment_factory("connect4", render_mode="rgb_array", opponent="self")()
    image, text = seeing.reset()
    assert image["type"] == "image"
    assert image["image"].size == (448, 384)
    assert text["text"].startswith("legal_actions: [0, 1")
    for column in (0, 1, 0, 1, 0, 1, 0):
        blocks = seeing.connect4(column)
    assert blocks[-1] == {"type": "text", "text": "The episode is over."}
    reading: Any = environment_factory("echo", render_mode="rgb_array")()
    assert [block["type"] for block in reading.reset()] == ["image", "text"]
    with pytest.raises(OptionError, match="no render_mode='hologram'"):
        environment_factory("connect4", render_mode="hologram")().reset()


def test_wrong_calls_are_told_and_do_nothing() -> None:
    rover: Any = environment_factory(ROVER)()
    with pytest.raises(EpisodeError, match=r"call reset\(\) before go\(\)"):
        rover.go(1)
    rover.reset()
    with pytest.raises(ActionError, match=r"go\(\) was not carried out: far: Input should be a"):
        rover.go("wide")
    with pytest.raises(ActionError, match="missing a required argument: 'far'"):
        rover.go()
    with pytest.raises(ActionError, match="too many positional arguments"):
        rover.go(1, 2)
    connect4: Any = environment_factory("connect4")()
    connect4.reset()
    with pytest.raises(ActionError, match="unexpected keyword argument 'row'"):
        connect4.connect4(column=1, row=2)
    with pytest.raises(ActionError, match="not in the action space"):
        connect4.connect4(9)
    assert connect4.reward == rover.reward == 0.0


def test_what_the_environment_raises_is_told() -> None:
    counting: Any = environment_factory(THREADED)()
    counting.reset()
    with pytest.raises(EnvironmentFailedError, match="cannot read"):
        counting.counting(FAIL)
    counting.reset()
    counting.counting(COUNT)


@pytest.mark.parametrize("tool", ["reset", "reward", "_act", "two words", "get_reward"])
def test_names_that_no_tool_can_have(tool: str) -> None:
    with pytest.raises(OptionError, match="give tool= another"):
        environment_factory("echo", tool=tool)


def test_environments_that_there_are_not() -> None:
    with pytest.raises(RegistryError, match="Did you mean"):
        environment_factory("openenv/Ches-v0")
    with pytest.raises(OptionError, match="declares no models"):
        environment_factory("openenv/Gymnasium-v0", env_id="CartPole-v1")
    with pytest.raises(OptionError, match="It takes"):
        environment_factory("connect4", size=3)().reset()


def test_sessions_of_their_own_at_the_same_time() -> None:
    with serving("connect4", max_sessions=8) as served:
        factory = environment_factory("connect4", url=served.url("websocket"), timeout=20)
        environments: list[Any] = [factory() for _ in range(8)]
        assert len(served.sessions) == 0  # made when they are reset
        barrier = threading.Barrier(8)

        def play(number: int) -> str:
            environments[number].reset()
            barrier.wait(20)
            for _ in range(3):
                reported = environments[number].connect4(number % 7)
            return str(reported)

        with ThreadPoolExecutor(8) as pool:
            reported = list(pool.map(play, range(8)))
        assert reported[0] == reported[7]
        assert len(set(reported)) == 7
        assert len(served.sessions) == 8
        environments.clear()
        gc.collect()
        eventually(lambda: len(served.sessions) == 0)


def test_it_ends_what_it_started() -> None:
    environment: Any = environment_factory("echo", transport="process")()
    environment.reset()
    pid = environment._client.env.isolation["pid"]
    assert is_running(pid)
    del environment
    gc.collect()
    eventually(lambda: not is_running(pid))


def test_a_lost_session_costs_an_episode_and_no_run() -> None:
    environment: Any = environment_factory("echo", transport="process")()
    environment.reset()
    os.kill(environment._client.env.isolation["pid"], 9)
    with pytest.raises(SessionLostError, match="is gone"):
        environment.echo("lost")
    with pytest.raises(EpisodeError, match="lost"):
        environment.echo("and no more")
    assert environment.reset().startswith("echoed_message: Echo environment ready!")
    assert environment.echo("on").startswith("echoed_message: on")


def test_no_server() -> None:
    environment = environment_factory("echo", url="ws://127.0.0.1:1", timeout=5)()
    with pytest.raises(ConnectError):
        environment.reset()


def test_the_class_pickles() -> None:
    factory = environment_factory("openenv/Connect4-v0", opponent="random", tool="drop")
    again = pickle.loads(pickle.dumps(factory))
    assert again.recipe == factory.recipe
    assert list(tools(again())) == ["drop"]
    assert pickle.loads(pickle.dumps(ToolEnvironment)) is ToolEnvironment


def test_trl_itself_is_not_needed() -> None:
    script = (
        "import sys\n"
        "from openenv_gym.trl import environment_factory\n"
        "environment_factory('openenv/Chess-v0')\n"
        "print([m for m in ('trl', 'transformers', 'torch', 'chess') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
