from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import gymnasium
import numpy as np
import pytest

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import EnvironmentFailedError, OptionError, TransportError
from openenv_gym.messages import Open
from openenv_gym.pettingzoo import aec_env, parallel_env
from openenv_gym.session import Session
from openenv_gym_envs.sumo import (
    SumoAction,
    SumoEnv,
    SumoJunctionsAction,
    SumoJunctionsEnv,
)
from openenv_gym_envs.sumo.environment import JunctionEnvironment, make
from openenv_gym_envs.sumo.networks import NETWORKS, Name, folder
from tests.servers import eventually, is_running, kill, serving

with warnings.catch_warnings():
    # Its tests import a game of its own in a way that it calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test

ID = "openenv/SumoRL-v0"
REWARDS = ["diff-waiting-time", "average-speed", "queue", "pressure"]
SINGLE = NETWORKS["single-intersection"]


@pytest.fixture(autouse=True)
def _nothing_runs() -> Iterator[None]:
    """Before and after a test there is no simulation in this process."""
    assert not in_this_process()
    yield
    gc.collect()
    assert not in_this_process()


def in_this_process() -> bool:
    libsumo = sys.modules.get("libsumo")
    return bool(libsumo and libsumo.isLoaded())


def started(**options: Any) -> OpenEnvGym:
    return OpenEnvGym(ID, **options)


def apart(owner: int | None = None) -> list[int]:
    """Simulations that have a process of their own, children of a process, by default of this."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            command = stat.with_name("cmdline").read_bytes()
            if parent == (owner or os.getpid()) and b"sumo.simulation" in command:
                found.append(int(stat.parent.name))
    return found


def play(env: OpenEnvGym, seed: int, steps: int = 20) -> list[Any]:
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    trace = [repr(observation)]
    for _ in range(steps):
        trace.append(repr(env.step(env.action_space.sample())))
    return trace


def choices(count: int, phases: int) -> list[int]:
    return np.random.default_rng(3).integers(phases, size=count).tolist()


def paths(name: str) -> tuple[str, str]:
    network = NETWORKS[name]
    return str(folder() / network.net_file), str(folder() / network.route_file)


# Values of SUMO-RL itself, one simulation after the other in this process.


@pytest.mark.parametrize("reward_fn", REWARDS)
def test_one_junction_is_as_in_sumo_rl(reward_fn: str) -> None:
    env = make(net="2way-single-intersection", reward_fn=reward_fn, num_seconds=300)  # type: ignore[arg-type]
    assert isinstance(env, JunctionEnvironment)
    env.seed(5)
    first = env.reset()
    actions = choices(60, 4)
    ours = [env.step(SumoAction(phase_id=action)) for action in actions]
    env.close()

    import sumo_rl

    theirs = sumo_rl.SumoEnvironment(
        *paths("2way-single-intersection"),
        single_agent=True,
        reward_fn=reward_fn,
        num_seconds=300,
        sumo_warnings=False,
    )
    observation, _ = theirs.reset(seed=int(np.random.default_rng(5).integers(2**31)))
    assert np.array_equal(first.observation, observation)
    for number, (one, action) in enumerate(zip(ours, actions, strict=True)):
        observation, reward, terminated, truncated, info = theirs.step(action)
        assert np.array_equal(one.observation, observation)
        assert one.reward == float(reward)
        assert (one.done, one.truncated) == (terminated or truncated, truncated)
        assert one.truncated == (number == 59)
        assert one.sim_time == info["step"] == 5.0 * (number + 1)
        for name, value in one.metadata["system_info"].items():
            assert value == pytest.approx(float(info[name]), rel=1e-12)
    theirs.close()
    rewards = {one.reward for one in ours}
    assert len(rewards) > 3


def test_all_junctions_are_as_in_sumo_rl() -> None:
    env = make(net="cologne3")
    env.seed(5)
    env.reset()
    names = list(env.spaces()["phases"])
    joint = [dict.fromkeys(names, action) for action in choices(30, 3)]
    ours = [env.step(SumoJunctionsAction(phases=phases)) for phases in joint]
    env.close()

    import sumo_rl

    theirs = sumo_rl.SumoEnvironment(*paths("cologne3"), begin_time=25200, sumo_warnings=False)
    theirs.reset(seed=int(np.random.default_rng(5).integers(2**31)))
    for one, phases in zip(ours, joint, strict=True):
        observations, rewards, _, _ = theirs.step(phases)
        assert one.rewards == rewards
        assert one.reward == sum(rewards.values())
        for name in names:
            assert np.array_equal(one.observations[name], observations[name])
    theirs.close()


# Networks.


@pytest.mark.parametrize("name", get_args(Name))
def test_each_network_runs(name: str) -> None:
    """Its traffic begins within 40 steps, at the latest."""
    env = make(net=name)  # type: ignore[arg-type]
    env.seed(1)
    env.reset()
    actions = env.spaces()
    for _ in range(40):
        if isinstance(env, JunctionEnvironment):
            env.step(SumoAction(phase_id=int(actions["phase_id"].sample())))
        else:
            env.step(SumoJunctionsAction(phases=actions["phases"].sample()))
        if env.state.total_vehicles:
            break
    env.close()
    assert env.state.total_vehicles


def test_all_networks_with_lights_are_named() -> None:
    shipped = {
        str(file.relative_to(folder()))
        for file in folder().rglob("*.net.xml")
        if "<tlLogic" in file.read_text()
    }
    assert shipped == {network.net_file for network in NETWORKS.values()}
    assert list(NETWORKS) == list(get_args(Name))


def test_a_network_of_the_users_own(tmp_path: Path) -> None:
    """Is two files; it runs in a process of its own, and gives the same."""
    net_file, route_file = (Path(path) for path in paths("double"))
    for path in (net_file, route_file):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    files = {
        "net_file": str(tmp_path / net_file.name),
        "route_file": str(tmp_path / route_file.name),
    }
    shipped = started(net="double")
    wanted = play(shipped, 2)
    shipped.close()
    env = started(**files)
    assert len(apart()) == 1
    assert play(env, 2) == wanted
    assert env.state()["net_file"] == files["net_file"]
    env.close()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"net_file": "/no/such"}, r"net_file='/no/such': there is no such file"),
        ({"net_file": "<net></net>"}, "route_file= is missing"),
        ({"net": "double", "net_file": "<net></net>"}, "not both"),
        # On this one the simulator itself crashes.
        ({"net_file": "<net></net>", "route_file": "<routes></routes>"}, "SIGSEGV"),
        ({"net_file": "no XML", "route_file": "<routes></routes>"}, "cannot load net_file"),
    ],
)
def test_files_that_will_not_do(files: dict[str, str], told: str, tmp_path: Path) -> None:
    for name, text in files.items():
        if text.startswith("<") or " " in text:
            (tmp_path / name).write_text(text)
            files = {**files, name: str(tmp_path / name)}
    with pytest.raises(OptionError, match=told):
        started(**files)


def test_traffic_that_will_not_do(tmp_path: Path) -> None:
    routes = tmp_path / "routes"
    routes.write_text("<routes><vehicle id='a' depart='0' route='nowhere'/></routes>")
    env = started(net_file=paths("double")[0], route_file=str(routes))
    for _ in range(2):
        with pytest.raises(OptionError, match="route 'nowhere' for vehicle 'a' is not known"):
            env.reset(seed=1)
    env.close()


# Options.


def test_one_junction_of_several_leaves_the_others_their_programs() -> None:
    env = started(net="double", junction="E")
    play(env, 1)
    import libsumo

    assert env.action_space == gymnasium.spaces.Discrete(4)
    assert libsumo.trafficlight.getProgram("E") == "online"
    assert libsumo.trafficlight.getProgram("B") == "0"
    env.close()


def test_all_of_one_junction_is_a_dict() -> None:
    env = started(junction="all")
    assert env.action_space == gymnasium.spaces.Dict({"t": gymnasium.spaces.Discrete(2)})
    assert env.metadata["agents"] == ["t"]
    env.reset(seed=1)
    _, reward, _, _, info = env.step({"t": 1})
    assert info["rewards"] == {"t": reward}
    env.close()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"junction": "Z", "net": "double"}, "the network has B, E; or 'all'"),
        ({"net": "moon"}, "single-intersection"),
        ({"delta_time": 2}, r"delta_time=2 must be more than yellow_time=2"),
        ({"reward_fn": "speed"}, "average-speed"),
        ({"num_seconds": 0}, "num_seconds"),
    ],
)
def test_options_that_will_not_do(options: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        started(**options)


@pytest.mark.parametrize("name", ["net_file", "route_file"])
def test_files_of_the_host_are_for_its_owner(name: str) -> None:
    session = Session("sumo", owner=False)
    with pytest.raises(OptionError, match=f"'{name}' is for the owner of the server alone"):
        session.handle(Open("sumo", {name: "/etc/passwd"}, None))


def test_times() -> None:
    options = {"delta_time": 10, "begin_time": 100, "num_seconds": 30, "yellow_time": 3}
    env = started(**options)
    _, info = env.reset(seed=1)
    assert info["sim_time"] == 100.0
    ends = [env.step(0)[3] for _ in range(3)]
    assert ends == [False, False, True]
    assert env.state()["sim_time"] == 130.0
    env.close()


def test_a_seed_is_not_that_of_the_episode_before() -> None:
    env = started()
    seeded = play(env, 1)
    env.action_space.seed(1)
    env.reset()
    again = [repr(env.step(env.action_space.sample())) for _ in range(20)]
    assert again != seeded[1:]
    assert play(env, 1) == seeded
    env.close()


# One simulation in a process.


def test_a_second_simulation_has_a_process_of_its_own() -> None:
    first, second = started(), started()
    (pid,) = apart()
    traces = []
    for env, seed in ((first, 1), (second, 2)):
        env.reset(seed=seed)
    for _ in range(15):  # in turn
        traces.append([repr(env.step(1)) for env in (first, second)])
    second.close()
    eventually(lambda: not is_running(pid))
    first.close()
    for column, seed in ((0, 1), (1, 2)):
        alone = started()
        assert not apart()  # the place in this one is free again
        alone.reset(seed=seed)
        assert [repr(alone.step(1)) for _ in range(15)] == [pair[column] for pair in traces]
        alone.close()


def test_one_that_is_dropped_leaves_its_place() -> None:
    env = started()
    env.reset(seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del env
        gc.collect()
    env = started()
    assert not apart()
    env.close()


def test_the_users_own_simulation_is_left_alone() -> None:
    env = started()  # which loads the library
    env.close()
    import libsumo

    libsumo.start(["sumo", "-n", paths("double")[0]])
    env = started()
    assert len(apart()) == 1
    env.reset(seed=1)
    env.step(0)
    assert libsumo.simulation.getTime() == 0.0
    env.close()
    libsumo.close()


def test_a_simulation_that_the_user_replaced_says_so() -> None:
    env = started()
    env.reset(seed=1)
    env.step(0)
    import libsumo

    libsumo.start(["sumo", "-n", paths("double")[0]])
    for call in (lambda: env.step(0), lambda: env.reset(seed=1)):
        with pytest.raises(EnvironmentFailedError, match="Other code of this process"):
            call()
    env.close()
    assert libsumo.isLoaded()  # which is the user's
    libsumo.close()


def test_a_process_that_dies_is_replaced_by_reset() -> None:
    here, env = started(), started()
    wanted = play(env, 1)
    (pid,) = apart()
    kill(pid)
    with pytest.raises(TransportError):
        env.step(0)
    assert play(env, 1) == wanted
    assert len(apart()) == 1
    env.close()
    here.close()


_OWNER = """
import time
from openenv_gym.env import OpenEnvGym
envs = [OpenEnvGym("openenv/SumoRL-v0") for _ in range(2)]
for env in envs:
    env.reset(seed=0)
print(flush=True)
time.sleep(1000)
"""


def test_no_simulation_outlives_its_owner() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    (pid,) = apart(owner.pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    eventually(lambda: not is_running(pid))


def test_sessions_of_one_server_are_separate() -> None:
    alone = started()
    wanted = {seed: play(alone, seed, 8) for seed in (1, 2)}
    alone.close()
    with serving("sumo") as served:
        envs = {
            seed: OpenEnvGym(ID, transport="websocket", url=served.url("websocket"))
            for seed in (1, 2)
        }
        for seed, env in envs.items():
            env.action_space.seed(seed)
            traces = {seed: [repr(env.reset(seed=seed)[0])] for seed, env in envs.items()}
        for _ in range(8):
            for seed, env in envs.items():
                traces[seed].append(repr(env.step(env.action_space.sample())))
        for env in envs.values():
            env.close()
    assert traces == wanted


@pytest.mark.parametrize("workers", [1, 2])
def test_lanes_are_separate(workers: int) -> None:
    actions = [choices(6, 2), [1] * 6]
    alone = started()
    rewards = []
    for lane in range(2):
        alone.reset(seed=7 + lane)
        rewards.append([alone.step(action)[1] for action in actions[lane]])
    alone.close()
    transport = "inprocess" if workers == 1 else "process"
    envs = gymnasium.make_vec(ID, num_envs=2, transport=transport, workers=workers)
    envs.reset(seed=7)
    got = [envs.step(np.array(pair))[1] for pair in zip(*actions, strict=True)]
    envs.close()
    assert np.array(got).T.tolist() == rewards


def test_nothing_is_imported_or_set_for_the_user() -> None:
    code = """
import os, sys
import openenv_gym_envs.sumo.environment
assert not {"libsumo", "traci", "sumo_rl", "pandas"} & sys.modules.keys()
from openenv_gym.env import OpenEnvGym
OpenEnvGym("openenv/SumoRL-v0").close()
assert "LIBSUMO_AS_TRACI" not in os.environ
assert "PIL" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)


# Views of it.


def test_picture() -> None:
    env = started(render_mode="rgb_array")
    env.reset(seed=1)
    empty = env.render()
    assert empty.shape == (640, 640, 3)
    assert empty.dtype == np.uint8
    for _ in range(30):
        env.step(0)
    full = env.render()
    env.close()

    def red(picture: Any) -> int:
        wide = picture.astype(int)
        return int(((wide[..., 0] > 180) & (wide[..., 1] < 90)).sum())

    # Vehicles halt in the lanes that have had no green.
    assert red(full) > red(empty) + 500


remarks = pytest.mark.filterwarnings(
    # Its tests give an option that no environment knows; junctions have names of their own.
    "ignore:.*'options' is unknown.*left out:UserWarning",
    "ignore:We recommend agents to be named:UserWarning",
)


OPTIONS = {"net": "double", "num_seconds": 100}


@remarks
@pytest.mark.parametrize("transport", ["inprocess", "websocket"])
def test_pettingzoos_own_test(transport: str) -> None:
    env = parallel_env(ID, transport=transport, **OPTIONS)
    parallel_api_test(env, num_cycles=40)
    env.close()


@remarks
def test_pettingzoos_other_tests() -> None:
    parallel_seed_test(lambda: parallel_env(ID, **OPTIONS), num_cycles=25)
    env = aec_env(ID, **OPTIONS)
    api_test(env, num_cycles=40)
    env.close()


def test_agents_of_pettingzoo() -> None:
    env = parallel_env(ID, net="cologne3", num_seconds=10)
    observations, infos = env.reset(seed=1)
    assert env.agents == list(observations) == list(infos)
    assert len(env.agents) == 3
    for agent in env.agents:
        assert env.observation_space(agent).contains(observations[agent])
    for _ in range(2):
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        _, rewards, terminations, truncations, infos = env.step(actions)
    assert list(rewards) == env.possible_agents
    assert all(truncations.values())
    assert not any(terminations.values())
    assert infos["360082"]["sim_time"] == 25210.0
    assert env.agents == []
    env.close()


def test_typed_clients() -> None:
    with SumoEnv() as one:
        one.reset(seed=1)
        result = one.step(SumoAction(phase_id=1))
        assert result.observation.observation.shape == (11,)
        assert result.observation.action_mask == [0, 1]
        assert one.state().sim_time == 5.0
    with SumoJunctionsEnv(net="double") as several:
        several.reset(seed=1)
        seen = several.step(SumoJunctionsAction(phases={"B": 1, "E": 0})).observation
        assert seen.rewards.keys() == seen.observations.keys() == {"B", "E"}
