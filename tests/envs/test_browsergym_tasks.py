"""BrowserGym: tasks solved, every one of them reset, and benchmarks that need sites."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import EpisodeError, MissingDependencyError, OptionError
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import assert_same_trajectory, play
from openenv_gym_envs.browsergym import BrowserGymAction, BrowserGymEnv
from openenv_gym_envs.browsergym.benchmarks import BENCHMARKS, Tasks

ID = "openenv/BrowserGym-v0"
VARIANTS = ENVIRONMENTS["browsergym"].variants

pytestmark = pytest.mark.browser
SITES = ["webarena", "visualwebarena", "workarena"]


def bid_of(role: str, name: str, text: str) -> str:
    """The bid of an element in the accessibility tree."""
    found = re.search(rf"\[(\w+)\] {role} '{re.escape(name)}'", text)
    assert found is not None, text
    return found[1]


def click_test(goal: str, text: str) -> Iterator[str]:
    assert goal == "Click the button."
    yield f"click('{bid_of('button', 'Click Me!', text)}')"


def click_button(goal: str, text: str) -> Iterator[str]:
    wanted = re.fullmatch(r'Click on the "(.+)" button\.', goal)
    assert wanted is not None, goal
    yield f"click('{bid_of('button', wanted[1], text)}')"


def enter_text(goal: str, text: str) -> Iterator[str]:
    wanted = re.search(r'Enter "(.+)" into', goal)
    assert wanted is not None, goal
    yield f"fill('{bid_of('textbox', '', text)}', '{wanted[1]}')"
    yield f"click('{bid_of('button', 'Submit', text)}')"


SOLVERS: dict[str, Callable[[str, str], Iterator[str]]] = {
    "click-test": click_test,
    "click-button": click_button,
    "enter-text": enter_text,
}


@pytest.mark.parametrize(
    "transport", ["inprocess", "websocket", pytest.param("docker", marks=pytest.mark.docker)]
)
def test_tasks_are_solved(transport: str) -> None:
    env = OpenEnvGym(ID, transport=transport)
    for seed, (task, solver) in itertools.product((0, 1), SOLVERS.items()):
        observation, _ = env.reset(seed=seed, options={"task_name": task})
        results = [env.step(action) for action in solver(observation["goal"], observation["text"])]
        assert not any(result[0]["error"] for result in results)
        assert [result[1] for result in results] == [0.0] * (len(results) - 1) + [1.0]
        _, _, terminated, truncated, info = results[-1]
        assert (terminated, truncated) == (True, False)
        assert info["browsergym_info"]["task_info"]["RAW_REWARD_GLOBAL"] == 1
        state = env.state()
        assert state["task_id"] == f"miniwob.{task}"
        assert state["cum_reward"] == 1.0
        assert state["step_count"] == len(results)
    env.close()


def test_a_wrong_answer_ends_without_reward() -> None:
    env = gymnasium.make("openenv/BrowserGym.miniwob.enter-text-v0")
    observation, _ = env.reset(seed=0)
    text = observation["text"]
    env.step(f"fill('{bid_of('textbox', '', text)}', 'nonsense')")
    _, reward, terminated, _, _ = env.step(f"click('{bid_of('button', 'Submit', text)}')")
    assert (reward, terminated) == (0.0, True)
    env.close()


TASKS = [name.removeprefix("miniwob.") for name in VARIANTS if name.startswith("miniwob.")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "tasks",
    [pytest.param(TASKS[::8], id="some"), pytest.param(TASKS, id="all", marks=pytest.mark.long)],
)
def test_every_task_is_reset(tasks: list[str]) -> None:
    """All in one browser, which takes less than a second for each."""
    env = OpenEnvGym(ID, include_screenshot=False, include_html=False)
    seen = {}
    for task in tasks:
        observation, info = env.reset(seed=1, options={"task_name": task})
        assert env.observation_space.contains(observation)
        assert observation["url"] == f"http://miniwob.localhost/miniwob/{task}.html"
        assert observation["text"].startswith("RootWebArea")
        assert info["browsergym_info"]["task_info"]["TASK_READY"]
        seen[task] = observation["goal"]
    env.close()
    assert len(TASKS) == 125
    assert len(seen) == len(tasks)
    assert all(seen.values())
    assert len(set(seen.values())) > 0.8 * len(tasks)


def test_ids_are_those_of_the_library() -> None:
    tasks = Tasks(BENCHMARKS["miniwob"])
    assert [f"miniwob.{name}" for name in tasks.names()] + SITES == list(VARIANTS)
    assert {f"openenv/BrowserGym.{name}-v0" for name in VARIANTS} < gymnasium.registry.keys()


@pytest.mark.parametrize("task", ["click-collapsible", "use-autocomplete", "guess-number"])
def test_time_passes_with_actions_alone(task: str) -> None:
    """How long an agent thinks, and whether the page moves by itself, makes no difference."""
    env = OpenEnvGym(ID, task=task)
    trajectories = []
    for pause in (0.0, 0.7):
        trajectory = []
        actions = ["mouse_click(60, 90)", "noop(200)", "mouse_click(60, 130)", "noop()"]
        for transition in play(env, seed=2, steps=4, actions=actions):
            time.sleep(pause)
            trajectory.append(transition)
        trajectories.append(trajectory)
    env.close()
    assert_same_trajectory(*trajectories)


def test_seed_draws_the_task() -> None:
    env = OpenEnvGym(ID, task="enter-text")
    goals = [env.reset(seed=seed)[0]["goal"] for seed in (0, 1, 0)]
    assert goals[0] == goals[2] != goals[1]
    drawn = [env.reset()[0]["goal"] for _ in range(3)]
    assert len(set(drawn)) > 1
    env.close()


def test_an_unknown_task_is_told_the_nearest_one() -> None:
    with pytest.raises(
        OptionError, match=r"does not have the task 'click-tset'.*Did you mean 'click-test'"
    ):
        OpenEnvGym(ID, task="click-tset")
    env = OpenEnvGym(ID)
    env.reset(seed=0)
    with pytest.raises(OptionError, match="miniwob does not have the task 'moon'"):
        env.reset(seed=0, options={"task_name": "moon"})
    env.close()


def test_the_typed_client_solves_a_task() -> None:
    with BrowserGymEnv(task="click-test") as env:
        observation = env.reset(seed=0).observation
        assert observation.screenshot.shape == (321, 498, 3)
        (action,) = click_test(observation.goal, observation.text)
        result = env.step(BrowserGymAction(action_str=action))
        assert result.reward == 1.0
        assert result.done
        assert "Click Me!" in result.observation.pruned_html
        assert env.state().task_name == "click-test"


# Benchmarks whose sites somebody has to set up.


@pytest.mark.parametrize("name", SITES)
def test_sites_that_are_not_set_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = BENCHMARKS[name]
    for variable in benchmark.variables:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        gymnasium.make(f"openenv/BrowserGym.{name}-v0")
    reported = str(caught.value)
    assert f"pip install browsergym-{name}" in reported
    assert "https://" in reported
    assert all(variable in reported for variable in benchmark.variables)
    assert caught.value.fields["variables"] == list(benchmark.variables)
    assert caught.value.fields["package"] == f"browsergym-{name}"


_STAND_IN = """
from browsergym.core.registration import register_task
from browsergym.core.task import AbstractBrowserTask


class Shop(AbstractBrowserTask):
    @classmethod
    def get_task_id(cls):
        return "webarena.0"

    def __init__(self, seed):
        super().__init__(seed)
        self.viewport, self.slow_mo, self.timeout = {"width": 200, "height": 100}, 0, 5000

    def setup(self, page):
        page.set_content("<button onclick='this.textContent=1'>Buy</button>")
        return "Buy one.", {}

    def validate(self, page, chat_messages):
        bought = page.locator("button").text_content() == "1"
        return float(bought), bought, "", {}

    def teardown(self):
        pass


register_task("webarena.0", Shop)
"""


@pytest.fixture
def webarena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A benchmark of sites that is installed: one task, of one page."""
    package = tmp_path / "browsergym" / "webarena"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_STAND_IN)
    import browsergym

    monkeypatch.setattr(browsergym, "__path__", [*browsergym.__path__, str(package.parent)])
    yield {"benchmark": "webarena", "task": "0"}
    gymnasium.registry.pop("browsergym/webarena.0", None)


def test_sites_that_are_not_told(webarena: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in BENCHMARKS["webarena"].variables:
        monkeypatch.setenv(variable, "http://localhost")
    monkeypatch.delenv("WA_REDDIT")
    with pytest.raises(OptionError, match="Missing here: the variable WA_REDDIT"):
        OpenEnvGym(ID, **webarena)


def test_tasks_on_sites_take_no_seed_unless_allowed(
    webarena: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run by real time, and a seed does not decide them."""
    for variable in BENCHMARKS["webarena"].variables:
        monkeypatch.setenv(variable, "http://localhost")
    with pytest.raises(OptionError, match="webarena does not have the task None"):
        OpenEnvGym(ID, benchmark="webarena")
    env = OpenEnvGym(ID, **webarena)
    with pytest.raises(EpisodeError, match=r"seed=1.*allow_unseeded=True"):
        env.reset(seed=1)
    observation, _ = env.reset()
    assert observation["screenshot"].shape == (720, 1280, 3)
    observation, reward, terminated, _, _ = env.step(
        f"click('{bid_of('button', 'Buy', observation['text'])}')"
    )
    assert (reward, terminated) == (1.0, True)
    assert "button '1'" in observation["text"]
    env.close()
    env = OpenEnvGym(ID, allow_unseeded=True, **webarena)
    env.reset(seed=1)
    env.close()
