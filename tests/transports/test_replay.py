"""``record`` and ``transport="replay"``: a recording plays again, without its environment."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import openenv_gym
from openenv_gym.cli import main
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ActionError,
    ClosedError,
    EpisodeError,
    NotResetError,
    OptionError,
    RecordingError,
    ReplayError,
)
from openenv_gym.testing.trajectory import play, same
from openenv_gym.wire.recording import MAGIC, VERSION, read_recording

ID = "openenv/Connect4-v0"
OPTIONS = {"opponent": "random"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A recording of two episodes, with pictures after the first reset."""
    path = tmp_path / "game.oeg"
    env = openenv_gym.record(gymnasium.make(ID, render_mode="ansi", **OPTIONS), path)
    env.reset(seed=1)
    env.render()
    env.unwrapped.state()
    for action in (3, 2):
        env.step(action)
    with pytest.raises(ActionError):
        env.unwrapped.step(99)
    env.reset(seed=2)
    env.step(np.int64(0))
    env.close()
    return path


def replayed(path: Path, **keywords: Any) -> Any:
    return gymnasium.make(ID, transport="replay", transport_options={"file": path}, **keywords)


@pytest.mark.parametrize("transport", ["inprocess", "process", "websocket"])
def test_the_same_bit_for_bit(transport: str, tmp_path: Path) -> None:
    path = tmp_path / "game.oeg"
    env = openenv_gym.record(gymnasium.make(ID, transport=transport, **OPTIONS), path)
    wanted = list(play(env, seed=7, steps=30))
    env.close()
    again = replayed(path, **OPTIONS)
    assert again.unwrapped.isolation["transport"] == "replay"
    got = list(play(again, seed=7, steps=30))
    assert same([tuple(one) for one in got], [tuple(one) for one in wanted])
    assert np.array_equal(again.unwrapped.action_masks(), got[-1].info["action_mask"])
    again.close()


def test_without_its_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openenv_gym.registry.load", None)  # nothing is imported for it
    from openenv_gym_transports.replay import ReplayTransport

    env = OpenEnvGym(None, transport=ReplayTransport(file=file), render_mode="ansi")
    assert env.action_space == gymnasium.spaces.Discrete(7)
    first, _ = env.reset(seed=2)
    env.step(0)
    assert same(env.reset(seed=2)[0], first)  # as often as is asked for
    env.reset()  # the next one, round and round: that of seed 1
    assert isinstance(env.render(), str)
    assert env.state()
    env.step(3)


def test_where_it_leaves_the_recording(file: Path) -> None:
    env = replayed(file)
    env.reset(seed=1)
    env.step(3)
    with pytest.raises(ReplayError, match=r"Step 2 leaves .*action 2 here, not 5") as caught:
        env.step(5)
    assert caught.value.fields["step"] == 2
    assert caught.value.fields["recorded"] == 2
    with pytest.raises(ReplayError, match="Step 2"):
        env.step(2)  # nobody knows where it would be
    env.reset(seed=2)
    env.step(0)
    with pytest.raises(ReplayError, match="ends its episode"):
        env.step(0)
    with pytest.raises(ReplayError, match=r"no episode with seed=9.* 1, 2"):
        env.reset(seed=9)


def test_errors_were_recorded_too(file: Path) -> None:
    env = replayed(file).unwrapped
    with pytest.raises(NotResetError):
        env.step(3)
    env.reset(seed=1)
    env.step(3)
    env.step(2)
    with pytest.raises(ActionError):
        env.step(99)
    with pytest.raises(ReplayError, match="no GetState after step"):
        env.state()
    env.close()
    with pytest.raises(ClosedError):
        env.reset()


def test_the_end_of_an_episode(tmp_path: Path) -> None:
    path = tmp_path / "echo.oeg"
    env = openenv_gym.record(OpenEnvGym("connect4", **OPTIONS), path)
    env.reset(seed=1)
    actions: list[int] = []
    over = False
    while not over:
        actions.append(int(env.action_masks().argmax()))
        over = env.step(actions[-1])[2]
    env.close()
    again = replayed(path)
    again.reset(seed=1)
    for action in actions:
        again.step(action)
    with pytest.raises(EpisodeError, match="over"):
        again.unwrapped.step(0)


def test_another_environment_is_refused(file: Path) -> None:
    with pytest.raises(OptionError, match="environment='connect4'"):
        gymnasium.make("openenv/Chess-v0", transport="replay", transport_options={"file": file})
    with pytest.raises(OptionError, match="options="):
        replayed(file, opponent="minimax")
    with pytest.raises(OptionError, match="render_mode="):
        replayed(file, render_mode="rgb_array")
    with pytest.raises(OptionError, match="name it by"):
        gymnasium.make(ID, transport="replay")


def test_what_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="openenv-gym id, not a CartPoleEnv"):
        openenv_gym.record(gymnasium.make("CartPole-v1"), tmp_path / "x")
    env = OpenEnvGym("echo")
    with pytest.raises(RecordingError, match="cannot be written"):
        openenv_gym.record(env, tmp_path / "absent" / "x")
    openenv_gym.record(env, tmp_path / "x")
    with pytest.raises(OptionError, match="recorded already"):
        openenv_gym.record(env, tmp_path / "y")
    env.close()
    with pytest.raises(ClosedError):
        openenv_gym.record(env, tmp_path / "y")


def test_files_that_are_not_recordings(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "wrong"
    head = MAGIC + bytes([VERSION])
    whole = file.read_bytes()
    for data, reason in (
        (b"", "does not begin as one"),
        (b"PNG and so on", "does not begin as one"),
        (MAGIC + b"\x63", "its version is 99"),
        (head, "no messages"),
        (head + b"not zlib", "not a recording"),
        (head + zlib.compress(b"\xff\xff\xff\xff"), "announces a message of"),
        (head + zlib.compress(b"\0\0\0\1\x01"), "does not begin with the opening"),
    ):
        path.write_bytes(data)
        with pytest.raises(RecordingError, match=reason):
            read_recording(path)
    path.write_bytes(whole[: len(whole) - 20])  # its program was killed
    assert len(read_recording(path).exchanges) >= 4
    with pytest.raises(RecordingError, match="cannot be read"):
        read_recording(tmp_path / "absent")


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "game.oeg"
    words = ["record", "connect4", str(path), "--option", "opponent=random", "--episodes", "2"]
    assert main([*words, "--seed", "5", "--render-mode", "rgb_array"]) == 0
    assert "2 episodes" in capsys.readouterr().out
    assert main(["replay", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "environment: connect4" in shown
    assert "reset, seed 5" in shown
    assert "reset, seed 6" in shown
    assert "terminated" in shown
    assert main(["replay", str(path), "--json"]) == 0
    assert '"seed": 5' in capsys.readouterr().out
    assert main(["replay", str(path), "--check", "--transport", "process"]) == 0
    assert "the same bit for bit" in capsys.readouterr().out
    assert main(["record", "connect4", str(path), "--episodes", "0"]) == 1


def test_check_shows_what_differs(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openenv_gym_envs.connect4.environment import Connect4Environment

    step = Connect4Environment.step

    def other(self: Any, action: Any) -> Any:
        seen = step(self, action)
        return seen.model_copy(update={"reward": 0.5})

    monkeypatch.setattr(Connect4Environment, "step", other)
    assert main(["replay", str(file), "--check"]) == 1
    assert "step 1: reward was 0.0, and is 0.5" in capsys.readouterr().out


def test_collecting_needs_minari(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    assert main(["collect", "connect4", "connect4/random-v0"]) == 1
    assert "minari[hdf5]" in capsys.readouterr().err
