"""Tasks of the bundled environments: what there is, and that a reset begins what it names."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import gymnasium
import pytest

from openenv_gym.errors import OptionError
from tests.servers import serving

COUNTS = {
    "openenv/Coding-v0": (16, 4),
    "openenv/DIPGSafety-v0": (48, 12),
    "openenv/Git-v0": (8, 2),
    "openenv/TextArena-v0": (200, 50),
    "openenv/BrowserGym-v0": (100, 25),
}
IDS = [pytest.param(id, marks=pytest.mark.browser) if "Browser" in id else id for id in COUNTS]


def begin(env: gymnasium.Env[Any, Any], split: str, index: int, seed: int = 0) -> Any:
    return env.reset(seed=seed, options={"split": split, "index": index})[0]


def begun(env: gymnasium.Env[Any, Any], split: str, index: int) -> str:
    """What there is to know of a task that was begun, also what its agent may not know."""
    return f"{begin(env, split, index)}{env.unwrapped.state()}"


@pytest.mark.parametrize("id", IDS)
def test_splits(id: str) -> None:
    with closing(gymnasium.make(id)) as env:
        tasks = env.unwrapped.tasks()
        assert tuple(map(len, tasks.values())) == COUNTS[id]
        assert [*tasks] == ["train", "test"]
        for split, own in tasks.items():
            assert [task["index"] for task in own] == [*range(len(own))]
            assert env.unwrapped.tasks(split) == own
        named = [{task["id"] for task in own} for own in tasks.values()]
        assert not named[0] & named[1]
        assert env.observation_space.contains(begin(env, "train", 0))
        first = begun(env, "train", 0)
        assert begun(env, "train", 0) == first
        assert begun(env, "test", 1) != first
        for wrong in ({"split": "train"}, {"index": 0}, {"split": "train", "index": 10_000}):
            with pytest.raises(OptionError, match="name no task"):
                env.reset(options=wrong)
        with pytest.raises(OptionError, match="no split 'trian'"):
            env.unwrapped.tasks("trian")


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_an_environment_without_tasks(transport: str) -> None:
    env = gymnasium.make("openenv/Connect4-v0", transport=transport)
    with closing(env):
        for split in (None, "train"):
            with pytest.raises(
                OptionError, match=r"not supported .* no tasks\. Begin .*reset\(seed="
            ):
                env.unwrapped.tasks(split)


@pytest.mark.parametrize("transport", ["process", "websocket", "http"])
def test_over_transports(transport: str) -> None:
    with closing(gymnasium.make("openenv/DIPGSafety-v0")) as env:
        tasks, first = env.unwrapped.tasks(), begin(env, "test", 3)
    with closing(gymnasium.make("openenv/DIPGSafety-v0", transport=transport)) as env:
        assert env.unwrapped.tasks() == tasks
        assert begin(env, "test", 3) == first
        assert first["question"] == tasks["test"][3]["question"]


def test_a_function_to_write() -> None:
    with closing(gymnasium.make("openenv/Coding-v0")) as env:
        prompt = begin(env, "train", 10)["stdout"]
        assert prompt == env.unwrapped.tasks("train")[10]["prompt"]
        assert "digit_sum(n)" in prompt
        wrong = "def digit_sum(n):\n    return sum(map(int, str(n)))"
        _, reward, done, *_ = env.step(wrong)
        assert (reward, done) == (pytest.approx(0.1), False)
        observation, reward, done, *_ = env.step(wrong.replace("(n)))", "(abs(n))))"))
        assert (reward, done) == (pytest.approx(1.1), True)
        assert observation["exit_code"] == 0
        env.reset(seed=0)
        assert not env.step("1")[2]  # without a task an episode does not end


def test_routes_of_a_server() -> None:
    import httpx

    with serving("dipg") as served, httpx.Client(base_url=served.url("http")) as client:

        def ask(kind: str, **body: Any) -> Any:
            return client.post(f"/dipg/{kind}", json=body, timeout=60.0)

        assert client.get("/DIPG/splits").json() == [
            {"name": "train", "type": "train"},
            {"name": "test", "type": "test"},
        ]
        assert ask("num_tasks", split="test").json() == {"num_tasks": 12}
        tasks = ask("tasks", split="test").json()
        assert (len(tasks["tasks"]), tasks["env_name"]) == (12, "dipg")
        assert ask("task", split="test", index=3).json() == {"task": tasks["tasks"][3]}
        sliced = ask("task_range", split="test", start=2, stop=4).json()
        assert sliced == {"tasks": tasks["tasks"][2:4]}
        reported = ask("task", split="test", index=12)
        assert (reported.status_code, reported.json()) == (400, {"detail": "Invalid task index"})
        assert ask("task", split="trial", index=0).status_code == 400
        assert ask("task", split="test").status_code == 422
        assert client.get("/other/splits").status_code == 404
        client.post("/reset", json={"split": "test", "index": 3})
        question = client.post("/reset", json={"split": "test", "index": 3}).json()["observation"]
        assert question["question"] == tasks["tasks"][3]["question"]
        assert client.post("/reset", json={"split": "test", "index": 99}).status_code == 422
