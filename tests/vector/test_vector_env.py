"""A vector environment's episodes, masks, actions and methods, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    EpisodeError,
    OpenEnvGymError,
    OptionError,
)
from openenv_gym.testing import same
from openenv_gym.vector import OpenEnvVectorEnv
from tests.environments import COUNT, EXIT, FAIL, PICKY, THREADED, WAIT
from tests.servers import Served, eventually, serving
from tests.troubles import nothing_left
from tests.vector.lanes import Make, connect4


class TestEpisodes:
    def test_limit_of_steps(self, make: Make) -> None:
        envs = make(2, max_episode_steps=2, autoreset_mode="SameStep")
        envs.reset(seed=0)
        cut = [envs.step([COUNT, COUNT])[3].tolist() for _ in range(4)]
        assert cut == [[False, False], [True, True]] * 2

    @pytest.mark.parametrize(
        "mask",
        [np.zeros(3, np.bool_), np.ones(2, np.bool_), np.ones(3, np.int8), [True, True, True], 1],
    )
    def test_wrong_masks(self, make: Make, mask: Any) -> None:
        envs = make(3, autoreset_mode="Disabled")
        envs.reset()
        theirs = gymnasium.vector.SyncVectorEnv(
            [lambda: gymnasium.make("CartPole-v1")] * 3, autoreset_mode=AutoresetMode.DISABLED
        )
        theirs.reset()
        with pytest.raises(OptionError, match="reset_mask"):
            envs.reset(options={"reset_mask": mask})
        with pytest.raises((TypeError, ValueError)):
            theirs.reset(options={"reset_mask": mask})
        theirs.close()

    def test_first_reset_is_for_all(self, make: Make) -> None:
        with pytest.raises(EpisodeError, match="first reset"):
            make(2).reset(options={"reset_mask": np.array([True, False])})

    def test_ended_and_not_reset(self, make: Make) -> None:
        envs = make(3, workers=2, max_episode_steps=1, autoreset_mode="Disabled")
        envs.reset()
        envs.step([COUNT] * 3)
        envs.reset(options={"reset_mask": np.array([True, True, False])})
        with pytest.raises(EpisodeError, match="lane 2 is over") as raised:
            envs.step([COUNT] * 3)
        assert raised.value.fields["lanes"] == [2]

    def test_step_before_reset(self, make: Make) -> None:
        with pytest.raises(EpisodeError, match="call reset"):
            make(2).step([COUNT, COUNT])


class TestMasks:
    @pytest.mark.parametrize("mode", list(AutoresetMode))
    def test_as_the_infos_say(self, mode: AutoresetMode) -> None:
        envs = connect4(3, workers=2, autoreset_mode=mode.value, opponent="random")
        assert envs.action_masks().all()
        _, infos = envs.reset(seed=2)
        for _ in range(40):
            masks = envs.action_masks()
            assert masks.dtype == np.bool_
            assert same(masks, infos["action_mask"].astype(np.bool_))
            if mode is AutoresetMode.DISABLED and not masks.any(1).all():
                envs.reset(options={"reset_mask": ~masks.any(1)})
                assert envs.action_masks()[~masks.any(1)].all()
                break
            *_, infos = envs.step(masks.argmax(1))
        envs.close()

    def test_all_where_nothing_is_told(self, make: Make) -> None:
        assert make(2).action_masks().tolist() == [[True] * 4] * 2

    def test_none_for_other_actions(self) -> None:
        envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=2)
        assert isinstance(envs, OpenEnvVectorEnv)
        with pytest.raises(EpisodeError, match="Utf8"):
            envs.action_masks()
        envs.close()


class TestActions:
    @pytest.mark.parametrize("bad", [9, -1, "up", None, 1.5])
    def test_a_wrong_one_names_its_lane(self, make: Make, bad: Any) -> None:
        envs = make(4, workers=2, transport="process")
        before = envs.reset(seed=0)[0]["count"]
        with pytest.raises(ActionError, match="lane 3") as raised:
            envs.step([COUNT, COUNT, COUNT, bad])
        assert raised.value.fields["lane"] == 3
        # The other worker stepped its lanes, that of lane 3 did not.
        assert (envs.step([COUNT] * 4)[0]["count"] - before).tolist() == [2, 2, 1, 1]

    def test_as_arrays_of_other_types(self, make: Make) -> None:
        envs = make(2)
        for dtype in (np.int64, np.int32, np.uint8):
            envs.reset()
            assert envs.step(np.array([COUNT, COUNT], dtype))[0]["count"].tolist() == [1, 1]
        with pytest.raises(ActionError, match="lane 0"):
            envs.step(np.array([0.0, 0.0]))
        with pytest.raises(ActionError, match="lane 1"):
            envs.step(np.array([0, 4]))

    @pytest.mark.parametrize("actions", [[COUNT], [COUNT] * 3, np.zeros(3, np.int64)])
    def test_wrong_number(self, make: Make, actions: Any) -> None:
        envs = make(2)
        envs.reset()
        with pytest.raises(OptionError, match="for 2 lanes"):
            envs.step(actions)

    @pytest.mark.parametrize("transport", ["inprocess", "process"])
    def test_a_lane_that_raises(self, make: Make, transport: str) -> None:
        envs = make(3, workers=2, transport=transport)
        envs.reset()
        with pytest.raises(EnvironmentFailedError, match="lane 2 raised RuntimeError") as raised:
            envs.step([COUNT, COUNT, FAIL])
        assert raised.value.fields["lane"] == 2
        with pytest.raises(EpisodeError, match=r"\[2\]"):
            envs.step([COUNT] * 3)
        envs.reset()
        envs.step([COUNT] * 3)

    def test_a_model_that_refuses_its_action(self) -> None:
        """Models are made for all lanes at once, but the error is one lane's."""
        envs = OpenEnvVectorEnv(PICKY, num_envs=3)
        envs.reset(seed=0)
        with pytest.raises(EnvironmentFailedError, match="lane 1 raised ValidationError") as raised:
            envs.step([COUNT, EXIT, COUNT])
        assert raised.value.fields["lane"] == 1
        envs.reset(seed=0)
        observations, *_ = envs.step([COUNT, WAIT, COUNT])
        assert observations["count"].tolist() == [1, 1, 1]
        envs.close()


class TestSurroundings:
    def test_render(self) -> None:
        envs = connect4(3, workers=2, render_mode="rgb_array")
        with pytest.raises(EpisodeError, match="before render"):
            envs.render()
        envs.reset()
        pictures = envs.render()
        assert pictures is not None
        assert [picture.shape for picture in pictures] == [(384, 448, 3)] * 3
        envs.close()

    def test_render_without_a_mode(self, make: Make) -> None:
        envs = make(2)
        envs.reset()
        with pytest.raises(EpisodeError, match="render mode"):
            envs.render()

    def test_call(self, make: Make) -> None:
        envs = make(3, workers=2, transport="process")
        envs.reset()
        envs.step([COUNT] * 3)
        assert [state["step_count"] for state in envs.call("state")] == [1, 1, 1]
        assert [mask.tolist() for mask in envs.get_attr("action_masks")] == [[True] * 4] * 3
        assert envs.get_attr("render_mode") == (None,) * 3
        assert [one["transport"] for one in envs.isolation] == ["process"] * 2

    @pytest.mark.parametrize("name", ["_workers", "board", "__class__"])
    def test_no_such_attribute(self, make: Make, name: str) -> None:
        with pytest.raises(OptionError, match=name):
            make(2).get_attr(name)

    def test_no_arguments(self, make: Make) -> None:
        with pytest.raises(OptionError, match="no arguments"):
            make(2).call("state", 3)

    def test_nothing_is_set(self, make: Make) -> None:
        with pytest.raises(OptionError, match="lane_options"):
            make(2).set_attr("delay", 3)

    def test_wrappers(self) -> None:
        envs: Any = connect4(4, workers=2, opponent="random")
        for wrapper in (
            wrappers.RecordEpisodeStatistics,
            wrappers.FlattenObservation,
            wrappers.NormalizeReward,
            wrappers.DictInfoToList,
        ):
            envs = wrapper(envs)
        observations, _ = envs.reset(seed=1)
        assert observations.shape == (4, 42)
        lengths = []
        for _ in range(60):
            masks = np.stack(envs.unwrapped.call("action_masks"))
            *_, infos = envs.step(masks.argmax(1))
            lengths += [info["episode"]["l"] for info in infos if "episode" in info]
        assert len(lengths) > 4
        assert min(lengths) >= 4
        envs.close()

    def test_dtype_wrapper_of_arrays(self) -> None:
        envs: Any = connect4(2)
        envs = wrappers.TransformObservation(envs, lambda board: board * 2)
        assert envs.reset()[0].dtype == np.int8
        envs.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(THREADED) as served:
        yield served


class TestClose:
    @pytest.mark.parametrize("transport", ["inprocess", "process", "websocket", "http"])
    @pytest.mark.parametrize("moment", ["made", "reset", "sent", "failed"])
    def test_at_any_moment(self, server: Served, transport: str, moment: str) -> None:
        url = server.url(transport) if transport in ("websocket", "http") else None
        envs = OpenEnvVectorEnv(
            THREADED, num_envs=3, workers=2, transport=transport, url=url, delay=0.3
        )
        if moment != "made":
            envs.reset(seed=0)
        if moment == "sent":
            envs.send([WAIT] * 3, range(3))
        if moment == "failed":
            with pytest.raises(OpenEnvGymError):
                envs.step([FAIL] * 3)
        envs.close()
        envs.close()
        for call in (envs.reset, envs.render, lambda: envs.step([COUNT] * 3)):
            with pytest.raises(EpisodeError, match="closed"):
                call()
        with pytest.raises(EpisodeError, match="closed"):
            envs.send([COUNT], [0])
        eventually(lambda: len(server.sessions) == 0)

    def test_nothing_is_left(self) -> None:
        OpenEnvVectorEnv(THREADED, num_envs=1, transport="process").close()  # imports
        with nothing_left():
            envs = OpenEnvVectorEnv(THREADED, num_envs=3, workers=2, transport="process")
            envs.reset()
            envs.send([COUNT] * 3, range(3))
            envs.close()

    def test_where_one_worker_cannot_start(self) -> None:
        with nothing_left(), pytest.raises(OptionError, match="speed"):
            OpenEnvVectorEnv(
                THREADED,
                num_envs=2,
                workers=2,
                transport="process",
                lane_options=[{}, {"speed": 1}],
            )
