"""``openenv-gym play``: by hand and at random, here and over transports."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from openenv_gym.cli import main
from openenv_gym.cli.play import RANDOM_STEPS
from tests.environments import THREADED
from tests.openenv.counterparts import NESTED
from tests.servers import serving

Play = Callable[..., str]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Play:
    """Plays with lines that the player types; gives what was printed."""

    def play(*arguments: str, types: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(types))
        assert main(["play", *arguments]) == 0
        return capsys.readouterr().out

    return play


def test_a_game_by_hand(play: Play) -> None:
    said = play("chess", "--seed", "1", types="e2e4\n:quit\n")
    assert "8 r n b q k b n r" in said
    assert "legal: a2a3 a2a4 b1a3" in said
    assert "(20, :legal for all)" in said
    assert "step 1: reward 0" in said
    assert "The episode was ended after 1 steps; sum of rewards: 0" in said


def test_the_end_of_the_input_ends_it(play: Play) -> None:
    said = play("connect4", types="3\n")
    assert said.splitlines()[-1] == "The episode was ended after 1 steps; sum of rewards: 0"


def test_a_whole_episode(play: Play) -> None:
    said = play("connect4", types="3\n0\n3\n1\n3\n6\n3\n0\n")
    assert "step 7: reward 1 terminated" in said
    assert "X to move" in said
    assert said.splitlines()[-1] == "The episode is over after 7 steps; sum of rewards: 1"


@pytest.mark.parametrize("transport", ["inprocess", "process", "http", "websocket"])
def test_a_random_episode_is_the_same_over_each_transport(transport: str, play: Play) -> None:
    arguments = ["connect4", "--random", "--seed", "4", "--option", "opponent=random"]
    here, there = play(*arguments), play(*arguments, "--transport", transport)
    assert here == there
    assert "The episode is over after" in here


def test_an_episode_without_an_end(play: Play) -> None:
    said = play("echo", "--random", "--seed", "0")
    assert f"The episode was ended after {RANDOM_STEPS} steps" in said
    assert "ended after 3 steps" in play("echo", "--random", "--steps", "3")


def test_what_is_no_action(play: Play) -> None:
    said = play("connect4", types="seven\n7\n3.5\n\n{}\n3\n")
    assert said.count("is not an action") == 5
    assert "step 1: reward 0" in said
    assert "step 2" not in said


def test_an_action_that_is_not_legal(play: Play) -> None:
    """Costs what the environment says that it costs."""
    said = play("connect4", types="0\n" * 7)
    assert "step 7: reward -1 terminated" in said


def test_texts_are_taken_as_they_are_or_as_json(play: Play) -> None:
    said = play("echo", types='Hello!\n5\n"null"\n')
    assert [line for line in said.splitlines() if line.startswith("step")] == [
        "step 1: reward 0.6",
        "step 2: reward 0.1",
        "step 3: reward 0.4",
    ]


def test_an_action_of_several_fields(play: Play) -> None:
    walk = '{"by": {"x": 3, "y": -2}, "gait": "walk"}'
    said = play(NESTED, types=f'{{"by": {{"x": 1}}}}\n{walk}\n')
    assert "is not an action: by.y: Field required" in said
    assert "step 1: reward 1 terminated" in said


def test_words_that_are_no_actions(play: Play) -> None:
    said = play("connect4", types=":help\n:legal\n:state\n3\n:reset\n:random\n:what\n")
    assert ":quit" in said
    assert "The action space is Discrete(7)" in said
    assert "0 1 2 3 4 5 6\n" in said
    assert "next_player: 1" in said
    assert said.count("step 1:") == 2


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_server_that_runs_already(scheme: str, play: Play) -> None:
    with serving("connect4", token="right") as served:
        url = f"{scheme}://127.0.0.1:{served.port}"
        by_name = play("connect4", "--url", url, "--token", "right", types="3\n")
        unnamed = play("--url", url, "--token", "right", types="3\n")
    assert by_name == unnamed
    assert "step 1: reward 0" in unnamed


def test_observations_without_a_picture(play: Play) -> None:
    said = play(THREADED, "--option", "size=1000", "--seed", "1", types="0\n")
    assert "count: 1\n" in said
    assert "frame: [" in said
    assert "..." in said  # not all of the thousand


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name an environment"),
        (["ches"], "Did you mean 'chess'?"),
        (["connect4", "--option", "depht=1"], "'depht' is unknown"),
        (["--url", "ws://127.0.0.1:9"], "127.0.0.1"),
    ],
)
def test_what_cannot_be_played(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", *arguments]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
