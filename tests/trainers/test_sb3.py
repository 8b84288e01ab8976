"""Stable-Baselines3 on our vector environment, and on single ones by its own means."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import openenv_gym
from openenv_gym.errors import OptionError
from openenv_gym.testing import same
from openenv_gym.vector import OpenEnvVectorEnv
from tests.environments import COUNT, THREADED
from tests.servers import eventually, is_running, kill

pytest.importorskip("sb3_contrib")

from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import DQN, PPO
from stable_baselines3.common import env_util
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecMonitor

from openenv_gym.sb3 import NoSuchAttributeError, OpenEnvVecEnv, make_vec_env

ROOT = Path(__file__).resolve().parents[2]
CONNECT4 = "openenv/Connect4-v0"
COUNTING = "openenv-test/Counting-v0"
WALK = "openenv-test/Walk-v0"

openenv_gym.register_environment(COUNTING, THREADED, max_episode_steps=3)
openenv_gym.register_environment(WALK, "tests.environments:Walk", max_episode_steps=20)


@pytest.fixture(params=["inprocess", "websocket"])
def envs(request: pytest.FixtureRequest) -> Iterator[VecEnv]:
    made = make_vec_env(CONNECT4, 3, seed=5, transport=request.param, opponent="random")
    yield made
    made.close()


class TestVecEnv:
    @pytest.mark.parametrize("id", [CONNECT4, COUNTING])
    def test_as_that_of_single_environments(self, id: str) -> None:
        options = {"opponent": "random"} if id == CONNECT4 else {}
        mine: Any = make_vec_env(id, 3, seed=5, monitor=False, workers=2, **options)
        single = [lambda: gymnasium.make(id, **options)] * 3
        theirs: Any = DummyVecEnv(single)  # type: ignore[arg-type]
        theirs.seed(5)
        assert mine.observation_space == theirs.observation_space
        assert mine.action_space == theirs.action_space
        _alike(mine.reset(), theirs.reset())
        ended = 0
        for _ in range(40):
            masks = get_action_masks(theirs)
            assert same(get_action_masks(mine), masks)
            actions = masks.argmax(1) if id == CONNECT4 else np.full(3, COUNT)
            got, wanted = mine.step(actions), theirs.step(actions)
            for one, other in zip(got, wanted, strict=True):
                _alike(one, other)
            _alike(mine.reset_infos, theirs.reset_infos)
            ended += int(got[2].sum())
        assert ended > 3
        mine.close()
        theirs.close()

    def test_reset_takes_seeds_and_options_once(self) -> None:
        envs = make_vec_env(COUNTING, 2, monitor=False)
        first: Any = (envs.seed(3), envs.reset())[1]
        assert not same(envs.reset(), first)
        envs.seed(3)
        assert same(envs.reset(), first)
        envs.set_options([{"a": 1}, {"a": 2}])
        with pytest.raises(OptionError, match="one dict for all"):
            envs.reset()
        envs.set_options({"speed": 1})
        with pytest.raises(OptionError, match="speed"):
            envs.reset()
        envs.set_options()
        envs.reset()
        envs.close()

    def test_masks_come_as_maskable_ppo_asks_for_them(self, envs: VecEnv) -> None:
        assert is_masking_supported(envs)
        envs.reset()
        assert get_action_masks(envs).shape == (3, 7)
        assert envs.env_method("action_masks", indices=1)[0].tolist() == [True] * 7
        assert envs.get_attr("action_masks", indices=[2])[0]().tolist() == [True] * 7

    def test_no_masks_for_other_actions(self) -> None:
        pendulum = make_vec_env("openenv/Gymnasium-v0", 2, env_id="Pendulum-v1")
        assert not is_masking_supported(pendulum)
        with pytest.raises(AttributeError, match="no masks"):
            pendulum.get_attr("action_masks")
        pendulum.close()

    def test_attributes_are_told_and_cannot_be_set(self, envs: VecEnv) -> None:
        assert envs.get_attr("render_mode") == [None] * 3
        assert envs.get_attr("action_space", [0]) == [envs.action_space]
        assert not envs.has_attr("board")
        with pytest.raises(NoSuchAttributeError, match="board"):
            envs.get_attr("board")
        with pytest.raises(NoSuchAttributeError, match="fly"):
            envs.env_method("fly")
        with pytest.raises(OptionError, match="cannot be set"):
            envs.set_attr("depth", 3)
        envs.reset()
        assert [state["next_player"] for state in envs.env_method("state")] == [1] * 3
        assert envs.env_is_wrapped(Monitor) == [False] * 3

    def test_episode_statistics(self) -> None:
        envs = make_vec_env(COUNTING, 2, seed=1)
        assert isinstance(envs, VecMonitor)
        envs.reset()
        rewards = []
        for _ in range(3):
            _, reward, dones, infos = envs.step(np.full(2, COUNT))
            rewards.append(reward)
        assert dones.all()
        assert [info["episode"]["l"] for info in infos] == [3, 3]
        assert [info["TimeLimit.truncated"] for info in infos] == [True, True]
        assert infos[0]["episode"]["r"] == pytest.approx(sum(reward[0] for reward in rewards))
        envs.close()

    def test_pictures_are_one_a_lane(self) -> None:
        envs = make_vec_env(CONNECT4, 3, render_mode="rgb_array", monitor=False)
        envs.reset()
        assert [picture.shape for picture in envs.get_images() if picture is not None] == [
            (384, 448, 3)
        ] * 3
        picture = envs.render()
        assert picture is not None
        assert picture.shape == (768, 896, 3)
        envs.close()
        blind = make_vec_env(CONNECT4, 2)
        with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
            assert blind.get_images() == [None, None]
        blind.close()

    def test_a_worker_that_dies(self) -> None:
        envs = make_vec_env(
            COUNTING, 4, monitor=False, workers=2, transport="process", on_failure="restart"
        )
        assert isinstance(envs, OpenEnvVecEnv)
        envs.reset()
        pid = envs.envs.isolation[1]["pid"]
        kill(pid)
        eventually(lambda: not is_running(pid))
        observations, _, dones, infos = envs.step(np.full(4, COUNT))
        assert isinstance(observations, dict)
        assert dones.tolist() == [False, False, True, True]
        assert "process is gone" in infos[3]["failure"]
        assert infos[3]["TimeLimit.truncated"]
        assert infos[3]["terminal_observation"]["count"] == 0
        assert "failure" not in infos[0]
        envs.close()

    def test_what_it_cannot_wrap_is_refused(self) -> None:
        with pytest.raises(OptionError, match="not an environment of openenv-gym"):
            make_vec_env("CartPole-v1", 2)
        with pytest.raises(OptionError, match="same step"):
            make_vec_env(CONNECT4, 2, autoreset_mode="NextStep")
        made = gymnasium.make_vec(CONNECT4, num_envs=2)
        assert isinstance(made, OpenEnvVectorEnv)
        with pytest.raises(OptionError, match="autoreset_mode='SameStep'"):
            OpenEnvVecEnv(made)
        made.close()


def test_keywords_as_stable_baselines3_takes_them() -> None:
    with_kwargs = make_vec_env("openenv/Gymnasium-v0", 2, env_kwargs={"env_id": "Pendulum-v1"})
    assert with_kwargs.action_space == gymnasium.make("Pendulum-v1").action_space
    with_kwargs.close()


def _alike(one: Any, other: Any) -> None:
    """The same, but for the order of keys."""
    if isinstance(other, dict):
        assert one.keys() == other.keys()
        for key in other:
            _alike(one[key], other[key])
    elif isinstance(other, list):
        for mine, theirs in zip(one, other, strict=True):
            _alike(mine, theirs)
    else:
        assert same(one, other)


class TestTraining:
    @pytest.mark.parametrize("algorithm", [PPO, DQN, MaskablePPO])
    def test_algorithms_learn_on_our_lanes(self, envs: VecEnv, algorithm: Any) -> None:
        if algorithm is DQN:
            settings: dict[str, Any] = {"learning_starts": 30, "train_freq": 4}
        else:
            settings = {"n_steps": 16, "batch_size": 16, "n_epochs": 1}
        model = algorithm("MlpPolicy", envs, seed=0, device="cpu", **settings)
        model.learn(96)
        assert model.ep_info_buffer
        assert {"r", "l", "t"} <= model.ep_info_buffer[0].keys()

    def test_dict_observations_and_evaluation(self) -> None:
        envs = make_vec_env(WALK, 2, seed=0, workers=2)
        settings: dict[str, Any] = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}
        model = PPO("MultiInputPolicy", envs, device="cpu", **settings).learn(32)
        mean, _ = evaluate_policy(model, envs, n_eval_episodes=3)
        assert 0 <= mean <= 20
        envs.close()

    @pytest.mark.parametrize("start", [DummyVecEnv, SubprocVecEnv])
    def test_maskable_ppo_learns_on_single_environments(self, start: Any) -> None:
        keywords = {"transport": "websocket", "opponent": "random"}
        envs = env_util.make_vec_env(
            f"openenv_gym:{CONNECT4}", n_envs=2, seed=0, vec_env_cls=start, env_kwargs=keywords
        )
        settings: dict[str, Any] = {"n_steps": 16, "batch_size": 16, "n_epochs": 1}
        assert is_masking_supported(envs)
        MaskablePPO("MlpPolicy", envs, device="cpu", **settings).learn(64)
        envs.close()


@pytest.mark.parametrize(
    ("id", "options"),
    [
        ("openenv/Gymnasium-v0", {"env_id": "FrozenLake-v1"}),
        ("openenv/Gymnasium-v0", {"env_id": "MountainCarContinuous-v0"}),
        (WALK, {}),
    ],
)
def test_stable_baselines3_finds_no_fault(id: str, options: dict[str, Any]) -> None:
    """Of the environments that come along, tests/envs/test_check_env.py checks each."""
    env = gymnasium.make(id, **options)
    check_env(env)
    env.close()


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "stable_baselines3.py").write_text("raise ImportError(name=__name__)")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import openenv_gym.sb3"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=250
    )
    assert "MissingDependencyError" in done.stderr
    assert 'pip install "openenv-gym[sb3]"' in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("rich") is None, reason="its progress bar needs rich")
def test_the_example_trains_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot = tmp_path / "curve.png"
    words = ["--steps", "4096", "--games", "20", "--transport", "inprocess", "--plot", str(plot)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "sb3_connect4.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "of 20 games" in done.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
