"""The owner of a container: however it ends, the container ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from openenv_gym.wire.messages import Reset
from openenv_gym_transports.containers import owner
from tests.servers import eventually
from tests.transports.containers import HERE, PROBE, containers_of, open_link

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("no_containers_left"),
]


OWNER = """
import sys
from openenv_gym.wire.messages import Open, Reset, Step
from openenv_gym_transports.docker import DockerTransport

link = DockerTransport(image=sys.argv[1]).open(Open(sys.argv[2], {}))
link.exchange(Reset(1))
print(link.isolation["mounts"][0]["source"], flush=True)
if sys.argv[3] == "hang":
    link.exchange(Step(1))
elif sys.argv[3] == "raise":
    raise SystemExit(3)
"""


# Imported as root, since an ordinary user may not be allowed to read what root installed.
ORDINARY = """
import os, sys
from openenv_gym.wire.messages import Open, Reset
from openenv_gym_transports.docker import DockerTransport

def start():
    with DockerTransport(image=sys.argv[1]).open(Open("echo", {})) as link:
        link.exchange(Reset(1))
        return link.isolation

start()
os.setgroups([os.stat("/var/run/docker.sock").st_gid])
os.setgid(1234)
os.setuid(1234)
print(start()["user"])
"""


def start(image: str, then: str) -> tuple[subprocess.Popen[str], Path]:
    """An owner of a probe, and the folder that it shares with its container."""
    child = subprocess.Popen(
        [sys.executable, "-c", OWNER, image, PROBE, then],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
            "TMPDIR": tempfile.gettempdir(),
        },
    )
    assert child.stdout is not None
    folder = Path(child.stdout.readline().strip())
    assert not [*folder.iterdir()]  # nobody else can connect
    return child, folder


@pytest.mark.skipif(os.geteuid() != 0, reason="other tests run as an ordinary user then")
def test_of_an_ordinary_user_the_container_is_too(echo_image: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORDINARY, echo_image],
        env={**os.environ, "TMPDIR": "/tmp", "HOME": "/tmp"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "1234:1234"


def test_killed_in_a_step(engine: DockerClient, probe_image: str) -> None:
    child, folder = start(probe_image, "hang")
    with child:
        assert len(containers_of(engine, child.pid)) == 1
        time.sleep(0.5)
        child.send_signal(signal.SIGKILL)
    eventually(lambda: not containers_of(engine, child.pid))
    assert not folder.parent.exists()


def test_ends_without_closing(engine: DockerClient, probe_image: str) -> None:
    child, folder = start(probe_image, "raise")
    with child:
        child.wait(30)
    assert child.returncode == 3
    assert not containers_of(engine, child.pid)
    assert not folder.exists()


def test_orphans_are_removed(engine: DockerClient, echo_image: str) -> None:
    def create(**changed: str) -> Container:
        labels = owner.labels() | {f"{owner.PREFIX}.{k}": v for k, v in changed.items()}
        return engine.containers.create(echo_image, labels=labels)

    dead = [create(pid="4194305"), create(started="1"), create(boot="an earlier one")]
    alive = [create(), create(host="elsewhere", pid="4194305")]
    removed = owner.remove_orphans(engine)
    assert {container.id for container in dead} <= set(removed)
    for container in alive:
        assert container.id not in removed
        container.remove(force=True)


def test_a_fork_that_ends_leaves_it_alone(engine: DockerClient) -> None:
    with open_link() as link:
        pid = os.fork()
        if pid == 0:
            link._owned.stop(0.0)  # type: ignore[attr-defined]
            os._exit(0)
        os.waitpid(pid, 0)
        assert len(containers_of(engine)) == 1
        link.exchange(Reset(1))
