"""Environments of ``openenv.core`` with us: in process, over our transports, behind our server.

They are made, and played, in a process that has the real package.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import httpx
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import openenv_gym
from openenv_gym.errors import OptionError
from tests.openenv.peers import (
    OPENENV,
    START_LIMIT,
    PeerError,
    PeerPython,
    peer_environment,
    peer_server,
    requires_peers,
)
from tests.servers import process

pytestmark = requires_peers

ADAPTED, CLIENTS = "tests.openenv.adapted", "tests.openenv.clients"
NESTED = "tests.openenv.environments:NestedEnvironment"
QUIET = {
    "environment": f"{ADAPTED}:Quiet",
    "action": f"{ADAPTED}:PullAction",
    "observation": f"{ADAPTED}:PullObservation",
}
WALK: list[dict[str, Any]] = [
    {"by": {"x": 1, "y": -1}, "gait": "run"},
    {"by": {"x": 1, "y": 0}, "towards": {"name": "home", "at": {"x": 0, "y": 0}}},
]
"""An episode of the nested environment."""

TRANSPORTS = ["inprocess", "process", "http", "websocket"]
TWO = TRANSPORTS[:2]
"""Enough where the transport makes no difference: openenv's own import takes seconds in each."""


@contextmanager
def ours(environment: str, *arguments: str, log: Path | None = None) -> Iterator[str]:
    """URL of our server, in a process that has the real package."""
    settings: dict[str, Any] = {"python": OPENENV.python, "variables": peer_environment()}
    with process(environment, *arguments, log=log, **settings) as (_, port):
        url = f"http://127.0.0.1:{port}"
        httpx.get(f"{url}/health", timeout=START_LIMIT)  # clients wait for 10 seconds only
        yield url


@pytest.fixture(scope="module")
def truth(peer: PeerPython) -> Any:
    """What OpenEnv's client gets from OpenEnv's server."""
    with peer_server("tests.openenv.environments:nested") as server:
        return peer.call(f"{CLIENTS}:play", url=server.url, actions=WALK, reset={"seed": 3})


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_over_our_transports(transport: str, peer: PeerPython, truth: Any) -> None:
    """A typed client of its own models gets what OpenEnv's client gets from OpenEnv's server."""
    played = peer.call(f"{ADAPTED}:play_typed", actions=WALK, transport=transport)
    for (observation, reward, done), wanted in zip(played, truth["results"], strict=True):
        assert done == wanted["done"]
        assert {n: v for n, v in observation.items() if n in wanted["observation"]} == (
            wanted["observation"]
        )
        assert reward == (wanted["reward"] if observation["gait"] != "walk" or reward else 0.0)


def test_samples_of_its_spaces_are_played(peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Nested-v0", environment=NESTED)
    played = peer.call(f"{ADAPTED}:sample", id="peer/Nested-v0", count=50)
    assert all(played["contained"])
    assert played["spaces"][0].startswith("Dict('by': Dict('x': Discrete(201, start=-100)")


def test_behind_our_server_it_is_what_it_is_behind_its_own(
    peer: PeerPython, truth: Any, tmp_path: Path
) -> None:
    with ours(NESTED, log=tmp_path / "log") as url:
        reset = {"seed": 3}
        played = peer.call(f"{CLIENTS}:play", url=url, actions=WALK, reset=reset)
        typed = peer.call(f"{ADAPTED}:play_typed", actions=WALK, base_url=url)
        report = peer.call("openenv.cli._validation:validate_running_environment", base_url=url)
        # A client that knows nothing of it, and has no openenv either.
        remote = gymnasium.make("openenv/Remote-v0", url=url.replace("http", "ws"))
        with closing(remote):
            remote.action_space.seed(0)
            remote.reset(seed=3)
            seen = remote.step(remote.action_space.sample())[0]
            assert remote.observation_space.contains(seen)
    for got, wanted in zip(played["results"], truth["results"], strict=True):
        assert {**got, "reward": None} == {**wanted, "reward": None}
    assert [one["reward"] for one in played["results"]] == [
        one["reward"] for one in truth["results"]
    ]
    assert [state["step_count"] for state in played["states"]] == [0, 1, 2]
    assert len(typed) == len(WALK) + 1
    assert report["passed"], report


def test_fields_without_bounds_are_listed(peer: PeerPython) -> None:
    environment = "tests.openenv.environments:Connect4Environment"
    keywords = {"id": "peer/Bare-v0", "environment": environment, "spaces": "strict"}
    peer.call(f"{ADAPTED}:register", **keywords)
    with pytest.raises(PeerError, match="SpaceError") as caught:
        peer.call(f"{ADAPTED}:play", id="peer/Bare-v0", actions=[])
    for line in (
        '"column": Discrete(n),  # Connect4Action.column: int',
        '"board": Box(low, high, shape),  # Connect4Observation.board: list[list[int]]',
        '"legal_actions": Box(low, high, shape),',
        "register_environment(..., spaces={",
    ):
        assert line in caught.value.message


def test_defaults_for_fields_without_bounds(peer: PeerPython) -> None:
    environment = "tests.openenv.environments:Connect4Environment"
    peer.call(f"{ADAPTED}:register", id="peer/Free-v0", environment=environment)
    played = [
        peer.call(f"{ADAPTED}:play", id="peer/Free-v0", actions=[3, 0], options={"transport": name})
        for name in TWO
    ]
    assert played[0]["spaces"][0] == "Discrete(7)"
    assert played[0]["spaces"][1].endswith("(6, 7), int64)")
    assert played[0]["results"][0][1]["action_mask"] == [1] * 7
    assert played[1] == played[0]


def test_spaces_that_are_given(peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register_connect4", id="peer/Connect4-v0")
    moves = [3, 0, 3, 1, 3, 6, 3]
    played = [
        peer.call(
            f"{ADAPTED}:play", id="peer/Connect4-v0", actions=moves, options={"transport": name}
        )
        for name in TWO
    ]
    assert played[0]["spaces"] == ["Discrete(7)", "Box(-1, 1, (6, 7), int8)"]
    assert [result[2:4] for result in played[0]["results"][-2:]] == [[0.0, False], [1.0, True]]
    assert played[0]["results"][0][1]["legal_actions"] == [*range(7)]
    assert played[0]["state"]["step_count"] == 7
    assert all(one == played[0] for one in played[1:])


@pytest.fixture
def registered() -> Iterator[str]:
    """An id that is registered here as it is at the server, where nobody has openenv."""
    id = "test/Connect4-v0"
    spaces = {"column": Discrete(7), "board": Box(-1, 1, (6, 7), np.int8), "legal_actions": None}
    environment = "tests.openenv.environments:Connect4Environment"
    openenv_gym.register_environment(id, environment, spaces=spaces, max_episode_steps=2)
    yield id
    del gymnasium.registry[id]


def test_a_server_of_what_was_registered_with_spaces(registered: str, peer: PeerPython) -> None:
    with peer_server("tests.openenv.registered:app") as server:
        for url in (server.ws_url, server.url):
            for id in (registered, "openenv/Remote-v0"):
                with closing(gymnasium.make(id, url=url)) as env:
                    assert str(env.action_space) == "Discrete(7)"
                    assert str(env.observation_space) == "Box(-1, 1, (6, 7), int8)"
                    env.reset(seed=1)
                    observation, *_, info = env.step(3)
                    assert observation[5, 3] == 1
                    assert info["legal_actions"] == [*range(7)]
        with closing(gymnasium.make_vec(registered, num_envs=2, url=server.ws_url)) as envs:
            assert envs.reset(seed=1)[0].shape == (2, 6, 7)
        for spaces, said in (
            ({"column": Discrete(9)}, r"action\.column .*Discrete\(9\).*Discrete\(7\)"),
            ({"board": None}, r"observation\.board .* in no Space; .*Box\(-1, 1"),
            ({"row": Discrete(6)}, "'row', which is not a field"),
        ):
            with pytest.raises(OptionError, match=said):
                gymnasium.make(registered, url=server.ws_url, spaces=spaces)
        reported = peer.call(f"{CLIENTS}:play", url=server.url, actions=[{"column": 3}])
        assert reported["results"][1]["observation"]["board"][5][3] == 1


def test_lanes_of_a_vector_environment(peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register_connect4", id="peer/Lanes-v0")
    here, there = (
        peer.call(f"{ADAPTED}:play_lanes", id="peer/Lanes-v0", lanes=3, steps=40, **options)
        for options in ({"transport": "inprocess"}, {"transport": "process", "workers": 2})
    )
    assert here == there
    assert any(any(row) for row in here)


def test_spaces_of_fields_that_there_are_not(peer: PeerPython) -> None:
    spaces = {"colum": {"type": "Discrete", "n": 7}}
    peer.call(f"{ADAPTED}:register", id="peer/Typo-v0", environment=NESTED, spaces=spaces)
    with pytest.raises(PeerError, match="names colum, which its models do not have"):
        peer.call(f"{ADAPTED}:play", id="peer/Typo-v0", actions=[])


def test_models_that_its_class_does_not_tell(peer: PeerPython) -> None:
    bare = {"id": "peer/Untold-v0", "environment": QUIET["environment"]}
    peer.call(f"{ADAPTED}:register", **bare)
    with pytest.raises(PeerError, match="declares no model of its actions"):
        peer.call(f"{ADAPTED}:play", id="peer/Untold-v0", actions=[])


@pytest.mark.parametrize("transport", TWO)
def test_models_that_are_named_and_methods_that_are_awaited(
    transport: str, peer: PeerPython
) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Quiet-v0", **QUIET)
    ask = {"id": "peer/Quiet-v0", "actions": [1, 2], "reset": {"episode_id": "ep", "bonus": 2}}
    played = peer.call(f"{ADAPTED}:play", **ask, options={"most": 5, "transport": transport})
    assert played["spaces"] == ["Discrete(4)", "Discrete(10)"]
    assert played["state"] == {"episode_id": "ep", "step_count": 2}
    paid = [result[0] for result in played["results"]]
    assert [result[2] for result in played["results"]] == [0.0, paid[1], 2 * paid[2]]
    again = peer.call(f"{ADAPTED}:play", **ask, options={"most": 5})
    assert again == played


def test_it_renders_nothing(peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Unseen-v0", environment=NESTED)
    for mode in ("ansi", "human"):
        with pytest.raises(PeerError, match=f"no render_mode='{mode}'. It has none"):
            peer.call(f"{ADAPTED}:sample", id="peer/Unseen-v0", count=1, render_mode=mode)


def test_options_are_checked(peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Options-v0", **QUIET)
    for wrong, known in (
        ({"options": {"mst": 5}}, "most: int = 9"),
        ({"reset": {"bonsu": 2}}, "bonus: int = 0"),
    ):
        with pytest.raises(PeerError, match="OptionError") as caught:
            peer.call(f"{ADAPTED}:play", id="peer/Options-v0", actions=[], **wrong)
        assert known in caught.value.message


# Folders


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``openenv init`` makes, with Spaces for the fields that its models do not bound."""
    home = tmp_path_factory.mktemp("folders")
    subprocess.run(
        [str(OPENENV.bin / "openenv"), "init", "thing_env", "--output-dir", str(home)],
        env=peer_environment(),
        check=True,
        capture_output=True,
        timeout=250,
    )
    made = home / "thing_env"
    with (made / "openenv.yaml").open("a") as manifest:
        manifest.write(
            "spaces:\n"
            "  message: {type: Utf8, max_length: 100}\n"
            "  echoed_message: {type: Utf8, max_length: 100}\n"
            "  message_length: null\n"
        )
    return made


def test_a_folder_by_its_path(folder: Path, peer: PeerPython) -> None:
    peer.call(f"{ADAPTED}:register", id="peer/Thing-v0", environment=str(folder))
    for transport in TWO:
        options = {"transport": transport}
        played = peer.call(f"{ADAPTED}:play", id="peer/Thing-v0", actions=["Hi"], options=options)
        first, second = played["results"]
        assert first[0] == "Thing Env environment ready!"
        assert second[0] == "Hi"
        assert second[1]["message_length"] == 2


def test_serve_a_folder(folder: Path, peer: PeerPython, tmp_path: Path) -> None:
    with ours(os.path.relpath(folder), log=tmp_path / "log") as url:
        played = peer.call(f"{CLIENTS}:play", url=url, actions=[{"message": "Hi"}])
        remote = gymnasium.make("openenv/Remote-v0", url=url)
        with closing(remote):
            remote.reset()
            assert remote.step("Hi")[0] == "Hi"
    assert played["results"][1]["observation"]["echoed_message"] == "Hi"


# Packages that bring ids of their own


PACKAGE = """
[openenv_gym.environments]
acme/Counting-v0 = tests.environments:Counting
"""


def test_ids_of_installed_packages(tmp_path: Path) -> None:
    information = tmp_path / "acme-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(PACKAGE)
    program = (
        "import gymnasium, openenv_gym, openenv_gym.registry as registry\n"
        "env = gymnasium.make('acme/Counting-v0', size=3, transport='process')\n"
        "entry = registry.environment('acme/Counting-v0')\n"
        "print(env.reset(seed=0)[0]['frame'].shape, entry.target)\n"
        "print(entry.summary)\n"
        "env.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "(3,) tests.environments:Counting",
        "of the package acme",
    ]
    assert "acme/Counting-v0" not in gymnasium.registry
    assert openenv_gym.REMOTE_ID in gymnasium.registry
