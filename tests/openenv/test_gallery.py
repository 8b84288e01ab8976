"""Six kinds of environments, each in four ways: what is played is what OpenEnv's client plays.

At OpenEnv's own server, in process, behind our server and in a container, twenty seeded episodes of
actions that are sampled from guessed Spaces equal those of OpenEnv's client with the same actions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.openenv.gallery_episodes import COUNT, episodes, reset_options
from tests.openenv.image import gallery_image
from tests.openenv.ours import REMOTE
from tests.openenv.peers import PeerPython, PeerServer, peer_server, requires_peers

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = [requires_peers, pytest.mark.timeout(300)]

HOSTED = "tests.openenv.gallery_hosted"
NAMES = ["safe", "riddle", "depot", "camera", "gauges", "quiz"]

Play = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def theirs() -> Iterator[PeerServer]:
    with peer_server("tests.openenv.gallery:everything") as server:
        yield server


@pytest.fixture(scope="module")
def remote(theirs: PeerServer) -> Play:
    """Episodes at OpenEnv's own server."""

    @cache
    def play(name: str) -> list[dict[str, Any]]:
        return episodes(REMOTE, name, url=f"{theirs.ws_url}/{name}")

    return play


@pytest.mark.parametrize("name", NAMES)
def test_at_its_own_server(name: str, theirs: PeerServer, peer: PeerPython, remote: Play) -> None:
    played = remote(name)
    asked = [
        {"reset": {"seed": seed, **reset_options(name, seed)}, "actions": one["actions"]}
        for seed, one in enumerate(played)
    ]
    url = f"{theirs.url}/{name}"
    truth = peer.call("tests.openenv.clients:play_episodes", url=url, episodes=asked)
    assert len(played) == COUNT
    for one, results in zip(played, truth, strict=True):
        for outcome, wanted in zip(one["outcomes"], results, strict=True):
            check(name, outcome, wanted)


def check(name: str, outcome: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Checks an outcome against what OpenEnv's client got."""
    assert outcome["done"] is wanted["done"]
    assert outcome["reward"] == (wanted["reward"] or 0.0)
    fields = wanted["observation"]
    if name != "safe":
        fields = {field: value for field, value in fields.items() if field != "metadata"}
        assert outcome["seen"] == fields
        return
    seen = outcome["seen"]
    assert seen["tool_name"] == fields.get("tool_name", "")
    if "tool_name" in fields:
        data = fields["result"]["data"]
        assert seen["result"] == data or json.loads(seen["result"]) == data
    else:
        assert json.loads(seen["result"]) == wanted["metadata"]


@pytest.mark.parametrize("name", NAMES)
def test_in_process(name: str, peer: PeerPython, remote: Play) -> None:
    found = peer.call(f"{HOSTED}:play", name=name)
    assert same(found, remote(name))


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether the episodes are equal, apart from rubrics, which OpenEnv's protocol lacks."""
    for one in found:
        for outcome in one["outcomes"]:
            outcome["info"].pop("rubric", None)
    return found == json.loads(json.dumps(expected))


@pytest.fixture(scope="module")
def ours() -> Iterator[PeerServer]:
    with peer_server(f"{HOSTED}:app") as server:
        yield server


@pytest.mark.parametrize("name", NAMES)
def test_behind_our_server(name: str, ours: PeerServer, remote: Play) -> None:
    assert same(episodes(REMOTE, name, url=f"{ours.ws_url}/{name}"), remote(name))


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_in_a_container(engine: DockerClient, remote: Play) -> None:
    """Containers start side by side, since each imports openenv, which takes seconds."""
    image = gallery_image(engine)

    def play(name: str) -> list[dict[str, Any]]:
        started = {"start_timeout": 280.0, "variables": {"NAME": name}}
        docker: dict[str, Any] = {"transport": "docker", "image": image}
        return episodes(REMOTE, name, **docker, transport_options=started)

    with ThreadPoolExecutor(3) as pool:
        for name, found in zip(NAMES, pool.map(play, NAMES), strict=True):
            assert same(found, remote(name)), name
