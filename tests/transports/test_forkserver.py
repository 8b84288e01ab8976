"""Processes that are forks of one that did the imports: as if each had been started by itself."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OptionError, StartError
from openenv_gym_transports.links import forkserver
from openenv_gym_transports.process import ProcessTransport
from tests.servers import eventually, is_running
from tests.troubles import COUNT, LEAVE, TROUBLE, in_process, pid_of

pytestmark = pytest.mark.usefixtures("no_leftovers")

SURROUNDINGS = "tests.transports.test_forkserver:Surroundings"


class Surroundings(gymnasium.Env[int, int]):
    """Shows what a process has from its start."""

    observation_space = action_space = gymnasium.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        return 0, {
            "variables": [os.environb[key] for key in os.environb if key.startswith(b"SURE_")],
            "folder": os.getcwd(),
            "path": os.pathsep.join(sys.path),
            "limit": resource.getrlimit(resource.RLIMIT_CORE)[0],
            "cores": len(os.sched_getaffinity(0)),
            "dice": [random.random(), float(np.random.random())],
            "parent": os.getppid(),
        }


def surroundings(start_method: str) -> dict[str, Any]:
    options = {"start_method": start_method}
    with OpenEnvGym(SURROUNDINGS, transport="process", transport_options=options) as env:
        return env.reset()[1]


def forked() -> OpenEnvGym:
    return in_process(transport_options={"start_method": "forkserver"})


def fork_server(env: OpenEnvGym) -> int:
    """The parent of an environment's process."""
    fields = Path(f"/proc/{pid_of(env)}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def test_a_fork_has_what_a_new_interpreter_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it changed since the last one was started."""
    dice, servers = [], []
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    for turn in range(2):
        if turn:
            monkeypatch.chdir(tmp_path)
            monkeypatch.setenv("SURE_NEW", "\udcff \n")
            monkeypatch.syspath_prepend(str(tmp_path))
            resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        try:
            one, other = surroundings("forkserver"), surroundings("spawn")
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
        dice += [*one.pop("dice"), *other.pop("dice")]
        servers.append(one.pop("parent"))
        assert other.pop("parent") == os.getpid() != servers[-1]
        assert one == other
        assert one["folder"] == os.getcwd()
    assert len({*dice}) == 8
    # Its sys.path and limits are those of its own start.
    assert servers[0] != servers[1]
    assert not is_running(servers[0])


def test_one_process_makes_all_forks_of_a_program() -> None:
    first, second = forked(), forked()
    assert fork_server(first) == fork_server(second) != os.getpid()
    assert pid_of(first) != pid_of(second)
    first.close()
    second.reset()
    assert second.step(COUNT)[0] == 1
    second.close()


def test_a_fork_has_a_command_of_its_own() -> None:
    env = forked()
    words = Path(f"/proc/{pid_of(env)}/cmdline").read_bytes().split(b"\0")
    assert b"openenv_gym.cli" in words
    assert b"--owned" in words
    assert os.fsencode(TROUBLE) in words
    env.close()


def test_where_its_process_was_killed_another_takes_its_place() -> None:
    """And what it had started goes on."""
    env = forked()
    env.reset()
    first = fork_server(env)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not is_running(first))
    assert env.step(COUNT)[0] == 1
    other = forked()
    assert fork_server(other) != first
    other.close()
    with pytest.raises(Exception, match="exited with"):
        env.step(LEAVE)
    env.close()


_IN_IT = """
import os, sys, threading, time
if "openenv_gym.server.forkserver" in sys.orig_argv:
    """
_THREAD = "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"
_TRAINER = """
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import StartError
try:
    OpenEnvGym("echo", transport="process", transport_options={"start_method": "forkserver"})
except StartError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("then", "reason"),
    [(_THREAD, "2 threads run once"), ("os._exit(7)", "its process ended: 7")],
)
def test_where_a_fork_is_not_safe_there_is_none(
    then: str, reason: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A thread of an import could hold a lock for ever in each fork."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(_IN_IT + then)
    done = subprocess.run(
        [sys.executable, "-c", _TRAINER],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
        timeout=110.0,
    )
    assert f"A fork server cannot start a process here: {reason}" in done.stdout


def test_a_start_method_that_there_is_not() -> None:
    with pytest.raises(OptionError, match=r"'fork' is not a valid start_method: .*forkserver"):
        ProcessTransport(start_method="fork")


def test_a_system_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    assert not forkserver.is_supported()
    with pytest.raises(StartError, match="no pidfd_open"):
        surroundings("forkserver")


_TRAINER_THAT_FORKS = """
import os, sys, time
from openenv_gym.env import OpenEnvGym
from tests.transports.test_forkserver import fork_server
options = {"start_method": "forkserver"}
env = OpenEnvGym("echo", transport="process", transport_options=options)
if os.fork() == 0:
    own = OpenEnvGym("echo", transport="process", transport_options=options)
    own.reset(seed=0)
    print(fork_server(env), fork_server(own), flush=True)
    time.sleep(1000)
time.sleep(1000)
"""


def test_it_ends_with_its_trainer_also_where_a_fork_of_that_goes_on() -> None:
    trainer = subprocess.Popen(
        [sys.executable, "-c", _TRAINER_THAT_FORKS],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
        text=True,
    )
    assert trainer.stdout is not None
    try:
        its, of_the_fork = map(int, trainer.stdout.readline().split())
        trainer.kill()
        trainer.wait()
        eventually(lambda: not is_running(its))
        assert is_running(of_the_fork)
    finally:
        os.killpg(trainer.pid, signal.SIGKILL)
        trainer.stdout.close()
    eventually(lambda: not is_running(of_the_fork))
