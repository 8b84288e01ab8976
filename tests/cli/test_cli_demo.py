"""``openenv-gym demo``: what it shows, and what its exit code tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import pytest
from gymnasium.spaces import Discrete

from openenv_gym import Action, Environment, Observation, State, registry
from openenv_gym.cli import main
from openenv_gym.cli.demo import INCOMPLETE
from openenv_gym.testing import Episode, demo_episode


class Move(Action):
    number: Annotated[int, Discrete(2)]


class Seen(Observation):
    count: Annotated[int, Discrete(1000)]


class Drifting(Environment[Move, Seen, State]):
    """What it shows depends on how many there were before, and on no seed."""

    made = 0

    def __init__(self) -> None:
        Drifting.made += 1

    def reset(self) -> Seen:
        return Seen(count=Drifting.made)

    def step(self, action: Move) -> Seen:
        return Seen(count=Drifting.made, done=True)

    @property
    def state(self) -> State:
        return State()


class Failing(Drifting):
    """Raises in its first step."""

    def step(self, action: Move) -> Seen:
        raise RuntimeError("out of order")


def rows_of(said: str) -> list[list[str]]:
    """The words of the table's rows."""
    _, _, table = said.partition("environment  ")
    rows, _, _ = table.partition("\n\n")
    return [re.split(r"\s{2,}", line) for line in rows.splitlines()[1:]]


def test_a_short_episode_of_each_over_each(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["demo", "echo", "connect4", "--transport", "inprocess", "process"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    rows = rows_of(said)
    assert [row[:2] for row in rows] == [
        [name, transport] for name in ("echo", "connect4") for transport in ("inprocess", "process")
    ]
    assert [row[-1] for row in rows if row[1] == "process"] == ["yes", "yes"]
    assert "4 of 4 episodes shown, 0 differ, 0 failed" in said


def test_what_is_not_installed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["demo", "tests.needy:Needy", "echo", "--transport", "inprocess"]
    assert main(arguments) == INCOMPLETE
    said = capsys.readouterr().out
    assert "Not shown: tests.needy:Needy over inprocess. " in said
    assert "no_such_package" in said
    assert "1 of 2 episodes shown, 0 differ, 0 failed" in said


def test_a_trajectory_that_differs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["demo", f"{__name__}:Drifting", "--transport", "inprocess", "inprocess"]
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert [row[-1] for row in rows_of(said)[1:]] == ["NO"]
    assert "2 of 2 episodes shown, 1 differ, 0 failed" in said


def test_an_episode_that_fails_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["demo", f"{__name__}:Failing", "echo", "--transport", "inprocess"]
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "Failing over inprocess. The environment raised RuntimeError: out of order" in said
    assert "1 of 2 episodes shown, 0 differ, 1 failed" in said


def test_the_episode_of_a_folder_is_that_of_its_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an environment of one's own, as of the bundled ones."""
    assert main(["init", "shown_env", "--output-dir", str(tmp_path)]) == 0
    folder = tmp_path / "shown_env"
    (folder / "demo.py").write_text(
        "from openenv_gym.testing import Episode\n"
        "EPISODE = Episode({'guesses': 9}, actions=[0, 1, 2, 3, 4, 5, 6, 7, 8], steps=3)\n"
    )
    capsys.readouterr()
    assert main(["demo", str(folder), "--transport", "inprocess"]) == 0
    assert [row[3] for row in rows_of(capsys.readouterr().out)] == ["3"]
    assert demo_episode(registry.environment(str(folder))).options == {"guesses": 9}


def test_without_a_demo_the_episode_is_random() -> None:
    assert demo_episode(registry.environment("chess")) == Episode()
    assert demo_episode(registry.environment("tests.troubles:Troublesome")) == Episode()


@pytest.mark.docker
def test_the_same_in_a_container(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "echo", "openspiel"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert [row[1] for row in rows] == ["inprocess", "docker"] * 2
    assert [row[-1] for row in rows if row[1] == "docker"] == ["yes", "yes"]


def test_without_an_engine_only_what_needs_none_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/engine.sock")
    assert main(["demo", "echo", "chat"]) == INCOMPLETE
    said = capsys.readouterr().out
    assert [row[:3] for row in rows_of(said)][1] == ["echo", "docker", "not shown, see below"]
    assert "Not shown: echo over docker, chat over docker. No Docker engine answers" in said
    assert "2 of 4 episodes shown, 0 differ, 0 failed" in said
