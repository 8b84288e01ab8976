"""``require_isolation=``: an environment that is less isolated than is asked for is not made."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import pytest

from openenv_gym.errors import IsolationError, OptionError
from openenv_gym.wire.isolation import check_isolation, guarantees
from openenv_gym_transports.docker import DockerTransport

ALL = {
    "network",
    "read_only",
    "no_new_privileges",
    "capabilities",
    "user",
    "memory",
    "pids",
    "cpus",
    "seccomp",
}
HARDENED: dict[str, Any] = {
    "boundary": "container",
    "privileged": False,
    "network": "none",
    "read_only": True,
    "mounts": [{"writable": False}],
    "no_new_privileges": True,
    "cap_drop": ["ALL"],
    "cap_add": [],
    "user": "65534:65534",
    "memory": 1,
    "memory_and_swap": 1,
    "pids": 1,
    "cpus": 1.0,
    "security_opt": ["no-new-privileges"],
}
RELAXED: dict[str, tuple[str, Any]] = {
    "container": ("privileged", True),
    "network": ("network", "bridge"),
    "read_only": ("mounts", [{"writable": True}]),
    "no_new_privileges": ("no_new_privileges", False),
    "capabilities": ("cap_add", ["SYS_ADMIN"]),
    "user": ("user", "0:0"),
    "memory": ("memory_and_swap", -1),
    "pids": ("pids", None),
    "cpus": ("cpus", 0.0),
    "seccomp": ("security_opt", ["seccomp=unconfined"]),
}


def test_a_hardened_container_gives_all() -> None:
    check_isolation(guarantees(ALL), HARDENED, "docker")
    assert guarantees("container") == {"container"}
    assert guarantees(None) == frozenset()


@pytest.mark.parametrize("name", RELAXED)
def test_each_is_looked_for(name: str) -> None:
    field, value = RELAXED[name]
    with pytest.raises(IsolationError, match=f"asks for: {name}\\.") as caught:
        check_isolation(guarantees(ALL), {**HARDENED, field: value}, "docker")
    assert caught.value.fields["missing"] == [name]
    assert pickle.loads(pickle.dumps(caught.value)).fields == caught.value.fields


@pytest.mark.parametrize("transport", ["inprocess", "process", "http", "websocket"])
def test_no_other_transport_has_any(transport: str) -> None:
    with pytest.raises(IsolationError, match="Take transport='docker'"):
        gymnasium.make("openenv/Echo-v0", transport=transport, require_isolation="container")
    with pytest.raises(IsolationError):
        gymnasium.make_vec(
            "openenv/Echo-v0", num_envs=2, transport=transport, require_isolation={"network"}
        )


def test_a_servers_word_is_not_taken() -> None:
    with pytest.raises(IsolationError):
        gymnasium.make("openenv/Remote-v0", url="ws://127.0.0.1:1", require_isolation="container")


def test_an_unknown_guarantee() -> None:
    for transport in ("inprocess", "docker"):
        with pytest.raises(OptionError, match=r"'firewall'\. It may be one or more of 'container'"):
            gymnasium.make("openenv/Echo-v0", transport=transport, require_isolation={"firewall"})


@pytest.mark.docker
@pytest.mark.usefixtures("no_containers_left")
def test_a_real_container(echo_image: str) -> None:
    env = gymnasium.make("openenv/Echo-v0", transport="docker", require_isolation=ALL)
    env.reset(seed=0)
    env.close()
    # A port needs a network.
    with pytest.raises(IsolationError, match="asks for: network"):
        gymnasium.make(
            "openenv/Echo-v0",
            transport="docker",
            require_isolation={"network"},
            transport_options={"socket": False},
        )
    vectors = gymnasium.make_vec(
        "openenv/Echo-v0", num_envs=2, transport=DockerTransport(require_isolation=ALL)
    )
    vectors.reset(seed=0)
    vectors.close()
