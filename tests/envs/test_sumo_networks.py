"""SUMO-RL: the networks that it ships, and files of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from openenv_gym.errors import OptionError
from openenv_gym_envs.sumo import SumoAction, SumoJunctionsAction
from openenv_gym_envs.sumo.environment import JunctionEnvironment, make
from openenv_gym_envs.sumo.networks import NETWORKS, Name, folder
from tests.envs.sumo import (
    apart,
    nothing_runs,  # noqa: F401  # a fixture of every test
    paths,
    play,
    started,
)


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
    ("files", "reported"),
    [
        ({"net_file": "/no/such"}, r"net_file='/no/such': this file does not exist"),
        ({"net_file": "<net></net>"}, "route_file= is missing"),
        ({"net": "double", "net_file": "<net></net>"}, "not both"),
        # On this one the simulator itself crashes.
        ({"net_file": "<net></net>", "route_file": "<routes></routes>"}, "SIGSEGV"),
        ({"net_file": "no XML", "route_file": "<routes></routes>"}, "cannot load net_file"),
    ],
)
def test_files_that_will_not_do(files: dict[str, str], reported: str, tmp_path: Path) -> None:
    for name, text in files.items():
        if text.startswith("<") or " " in text:
            (tmp_path / name).write_text(text)
            files = {**files, name: str(tmp_path / name)}
    with pytest.raises(OptionError, match=reported):
        started(**files)


def test_traffic_that_will_not_do(tmp_path: Path) -> None:
    routes = tmp_path / "routes"
    routes.write_text("<routes><vehicle id='a' depart='0' route='nowhere'/></routes>")
    env = started(net_file=paths("double")[0], route_file=str(routes))
    for _ in range(2):
        with pytest.raises(OptionError, match="route 'nowhere' for vehicle 'a' is not known"):
            env.reset(seed=1)
    env.close()
