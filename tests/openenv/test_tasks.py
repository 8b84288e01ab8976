"""Tasks and rubrics of environments of ``openenv.core``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import httpx
import pytest

from openenv_gym.errors import OptionError
from tests.openenv.ours import remote
from tests.openenv.peers import PeerPython, PeerServer, peer_server, requires_peers
from tests.openenv.test_adapted import ADAPTED, CLIENTS, ours

pytestmark = [requires_peers, pytest.mark.timeout(300)]

QUIZ = "tests.openenv.toolbox:Quiz"
TASKS = [["train", 3, 4], ["held-out", 1, 10], ["train", 0, 18]]
TRAIN = [{"id": f"train-{index}", "sum": [index, 1]} for index in range(8)]
HELD_OUT = [{"id": f"held-out-{index}", "sum": [index, 9]} for index in range(2)]


@pytest.fixture(scope="module")
def server() -> Iterator[PeerServer]:
    with peer_server("tests.openenv.toolbox:everything") as server:
        yield server


def play(env: gymnasium.Env[Any, Any]) -> list[Any]:
    episodes = []
    for split, index, answer in TASKS:
        first, _ = env.reset(options={"split": split, "index": index})
        second, reward, terminated, truncated, _ = env.step(answer)
        episodes.append([first.tolist(), second.tolist(), reward, terminated, truncated])
    return episodes


@pytest.fixture(scope="module")
def truth(server: PeerServer, peer: PeerPython) -> list[Any]:
    episodes = []
    for split, index, answer in TASKS:
        asked = {"actions": [{"answer": answer}], "reset": {"split": split, "index": index}}
        reported = peer.call(f"{CLIENTS}:play", url=f"{server.url}/quiz", **asked)["results"]
        questions = [one["observation"]["question"] for one in reported]
        episodes.append([*questions, reported[1]["reward"], reported[1]["done"], False])
    return episodes


def test_at_its_own_server(server: PeerServer, truth: list[Any]) -> None:
    with remote(f"{server.ws_url}/quiz") as env:
        assert env.unwrapped.tasks() == {"train": TRAIN, "held-out": HELD_OUT}
        assert env.unwrapped.tasks("held-out") == HELD_OUT
        assert play(env) == truth
    with remote(f"{server.ws_url}/lever") as env, pytest.raises(OptionError, match="not supported"):
        env.unwrapped.tasks()


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_in_our_hands(transport: str, peer: PeerPython, truth: list[Any]) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Quiz-v0", environment=QUIZ)
    options = {"transport": transport}
    reported = peer.call(f"{ADAPTED}:play_tasks", id="peer/Quiz-v0", tasks=TASKS, options=options)
    assert reported["tasks"] == {"train": TRAIN, "held-out": HELD_OUT}
    assert [[*one[:5]] for one in reported["episodes"]] == truth
    scores = [one[5]["rubric"] for one in reported["episodes"]]
    assert [*scores[0]] == ["total", "rubric_0", "rubric_1"] or len(scores[0]) == 3
    assert scores[0]["total"] == 1.0
    assert scores[2]["total"] == pytest.approx(truth[2][2])


def test_behind_our_server(
    server: PeerServer, peer: PeerPython, truth: list[Any], tmp_path: Path
) -> None:
    with ours(QUIZ, log=tmp_path / "log") as url:
        with closing(gymnasium.make("openenv/Remote-v0", url=url)) as env:
            assert env.unwrapped.tasks() == {"train": TRAIN, "held-out": HELD_OUT}
            assert play(env) == truth
        asked: dict[str, Any] = {"actions": [{"answer": 10}]}
        asked["reset"] = {"split": "held-out", "index": 1}
        mine, theirs = (
            peer.call(f"{CLIENTS}:play", url=one, **asked)["results"]
            for one in (url, f"{server.url}/quiz")
        )
        assert mine == theirs
        name = httpx.get(f"{url}/list_environments", timeout=60.0).json()[0]
        for method, kind, body in (
            ("GET", "splits", None),
            ("POST", "tasks", {"split": "held-out"}),
            ("POST", "num_tasks", {"split": "train"}),
            ("POST", "task", {"split": "train", "index": 2}),
            ("POST", "task", {"split": "train", "index": 99}),
        ):
            reported = [
                httpx.request(method, f"{one}/{kind}", json=body, timeout=60.0)
                for one in (f"{url}/{name}", f"{server.url}/quiz/quiz")
            ]
            assert reported[0].status_code == reported[1].status_code
            answers = [one.json() for one in reported]
            for answer in answers:
                if isinstance(answer, dict):
                    answer.pop("env_name", None)
            assert answers[0] == answers[1]
