"""The docker transport, on a real engine: what is let in, what gets out, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openenv_gym.errors import (
    EngineMissingError,
    ImageMissingError,
    OptionError,
    SessionLostError,
    StartError,
)
from openenv_gym.messages import Open, Reset, Step
from openenv_gym_transports import owner
from openenv_gym_transports.docker import DockerTransport
from openenv_gym_transports.image import build_image
from openenv_gym_transports.needs import Needs, needs_of
from openenv_gym_transports.provide import provide

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
PROBE = "probe.environment:ProbeEnvironment"
REPORT, HANG, EXIT, EAT, FORK = range(5)


@pytest.fixture(scope="module")
def probe_image(engine: DockerClient) -> Iterator[str]:
    tag = f"openenv-gym-test/probe:{os.getpid()}"  # tests run in several processes
    build_image(PROBE, tag=tag, include=[HERE / "probe"])
    yield tag
    engine.images.remove(tag, force=True)


@pytest.fixture(scope="module", autouse=True)
def echo_image(engine: DockerClient) -> str:
    return provide(engine, "echo")


@pytest.fixture(autouse=True)
def nothing_left(engine: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """After each test: no container of this process, no folder, no volume of no container."""
    # A short path: that of a socket has at most 107 bytes.
    folder = Path(f"/tmp/oeg-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.syspath_prepend(str(HERE))
    volumes = lost_volumes(engine)
    yield
    assert not list(folder.iterdir())
    folder.rmdir()
    assert not ours(engine)
    assert lost_volumes(engine) <= volumes


def lost_volumes(engine: DockerClient) -> set[str]:
    return {volume.id for volume in engine.volumes.list(filters={"dangling": True})}


def ours(engine: DockerClient, pid: int | None = None) -> list[Container]:
    label = f"{owner.OWNED}={pid or os.getpid()}"
    return engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def open_transport(environment: str = "echo", **options: Any) -> DockerTransport:
    transport = DockerTransport(**options)
    transport.open(Open(environment, {}))
    return transport


@pytest.fixture
def probe(probe_image: str) -> Iterator[DockerTransport]:
    with open_transport(PROBE, image=probe_image) as transport:
        transport.exchange(Reset(1))
        yield transport


def eventually(holds: Callable[[], bool], within: float) -> bool:
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestHardening:
    def test_seen_from_inside(self, probe: DockerTransport) -> None:
        report = probe.exchange(Step(REPORT)).info["report"]
        assert report["interfaces"] == "lo"
        assert report["writable"] == "/tmp /var/scratch"
        assert report["CapEff"] == report["CapPrm"] == report["CapBnd"] == "0" * 16
        assert report["NoNewPrivs"] == "1"
        assert report["Seccomp"] == "2"
        assert set(report["Uid"].split()) == {"65534" if os.geteuid() == 0 else str(os.getuid())}
        assert report["shared"] == "key socket"

    def test_limit_of_processes(self, probe: DockerTransport) -> None:
        forked = int(probe.exchange(Step(FORK)).info["report"]["forked"])
        assert 40 < forked < 77

    def test_limit_of_memory(self, probe: DockerTransport) -> None:
        with pytest.raises(SessionLostError, match="ran out of its memory"):
            probe.exchange(Step(EAT))

    def test_told_by_the_engine(self, engine: DockerClient) -> None:
        with open_transport(memory="200m", cpus=0.5, pids=99) as transport:
            told = transport.isolation
            (container,) = ours(engine)
        assert told["boundary"] == "container"
        assert told["container"] == container.id
        assert told["network"] == "none"
        assert told["port"] is None
        assert told["read_only"] is True
        assert told["cap_drop"] == ["ALL"]
        assert told["cap_add"] == []
        assert told["no_new_privileges"] is True
        assert told["privileged"] is False
        assert told["memory"] == told["memory_and_swap"] == 200 * 1024**2
        assert told["cpus"] == 0.5
        assert told["pids"] == 99
        assert told["init"] is True
        assert [mount["target"] for mount in told["mounts"]] == ["/run/openenv-gym"]
        assert told["relaxed"] == {}
        assert json.loads(json.dumps(told)) == told

    def test_not_what_was_asked_but_what_is(
        self, engine: DockerClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from openenv_gym_transports import sandbox

        asked = sandbox.settings
        monkeypatch.setattr(sandbox, "settings", lambda *args: {**asked(*args), "read_only": False})
        with open_transport() as transport:
            assert transport.isolation["read_only"] is False

    def test_the_folder_is_private(self) -> None:
        with open_transport() as transport:
            (mount,) = transport.isolation["mounts"]
            folder = Path(mount["source"])
            assert folder.stat().st_mode & 0o777 == 0o700
            assert (folder / "key").stat().st_mode & 0o777 == 0o600


class TestNeeds:
    def test_given_and_shown(self, probe: DockerTransport) -> None:
        told = probe.isolation
        assert told["relaxed"] == {
            "memory": "300m",
            "pids": 77,
            "shm_size": "32m",
            "tmpfs": {"/var/scratch": "16m"},
        }
        assert told["memory"] == 300 * 1024**2
        assert told["pids"] == 77
        assert told["shm_size"] == 32 * 1024**2
        assert set(told["tmpfs"]) == {"/tmp", "/var/scratch"}

    def test_the_users_word_is_the_last(self, probe_image: str) -> None:
        with open_transport(PROBE, image=probe_image, memory="400m", pids=88) as transport:
            assert transport.isolation["memory"] == 400 * 1024**2
            assert transport.isolation["pids"] == 88

    @pytest.mark.parametrize(
        "section",
        ["network: host", "privileged: true", "memory: lots", "pids: 0", "tmpfs: {relative: 1m}"],
    )
    def test_wrong_section(
        self, section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "wrong_one.py").write_text("raise RuntimeError('imported')")
        (tmp_path / "openenv.yaml").write_text(f"name: x\ndocker:\n  {section}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        with pytest.raises(OptionError, match=r"openenv\.yaml"):
            needs_of("wrong_one:Env")

    def test_none(self) -> None:
        assert needs_of("echo") == Needs()
        assert needs_of("not_installed_here.at_all:Env") == Needs()


class TestDeath:
    def test_killed_in_a_step(self, probe: DockerTransport, engine: DockerClient) -> None:
        (container,) = ours(engine)
        folder = Path(probe.isolation["mounts"][0]["source"])
        killer = threading.Timer(0.3, container.kill)
        killer.start()
        began = time.monotonic()
        with pytest.raises(SessionLostError, match="killed by signal 9") as caught:
            probe.exchange(Step(HANG))
        assert time.monotonic() - began < 5
        assert not folder.exists()
        assert not ours(engine)
        assert container.short_id in caught.value.fields["fate"]
        killer.join()

    def test_last_lines_of_its_log(self, probe: DockerTransport) -> None:
        with pytest.raises(SessionLostError, match="exited with 7") as caught:
            probe.exchange(Step(EXIT))
        assert "the probe leaves" in str(caught.value)

    def test_early(self, echo_image: str) -> None:
        began = time.monotonic()
        with pytest.raises(StartError, match="No module named 'not_there'") as caught:
            _start_with(echo_image, "import not_there")
        assert time.monotonic() - began < 10
        assert "exited with 1" in caught.value.fields["fate"]

    def test_never_ready(self, echo_image: str) -> None:
        with pytest.raises(StartError, match="still runs"):
            _start_with(echo_image, "import time; time.sleep(600)", start_timeout=1.0)

    def test_close_in_a_step(self, probe: DockerTransport) -> None:
        probe.send(Step(HANG))
        began = time.monotonic()
        probe.close()
        assert time.monotonic() - began < 15

    def test_close_twice(self) -> None:
        transport = open_transport()
        transport.close()
        transport.close()
        with pytest.raises(SessionLostError, match="closed"):
            transport.send(Reset(1))

    def test_forgotten(self, engine: DockerClient) -> None:
        transport = open_transport()
        assert ours(engine)
        channel = transport._channel
        assert channel is not None
        channel.close()
        del transport
        assert not ours(engine)


def _start_with(image: str, code: str, **options: Any) -> None:
    """Starts a container that runs something else than the server."""
    from openenv_gym_transports import sandbox

    asked = sandbox.settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sandbox,
            "settings",
            lambda *args: {**asked(*args), "entrypoint": ["python3", "-c"], "command": [code]},
        )
        open_transport(image=image, **options)


OWNER = """
import sys
from openenv_gym.messages import Open, Reset, Step
from openenv_gym_transports.docker import DockerTransport

transport = DockerTransport(image=sys.argv[1])
transport.open(Open(sys.argv[2], {}))
transport.exchange(Reset(1))
print(transport.isolation["mounts"][0]["source"], flush=True)
if sys.argv[3] == "hang":
    transport.exchange(Step(1))
elif sys.argv[3] == "raise":
    raise SystemExit(3)
"""


# Imported as root, since an ordinary user may not be allowed to read what root installed.
ORDINARY = """
import os, sys
from openenv_gym.messages import Open, Reset
from openenv_gym_transports.docker import DockerTransport

def start():
    with DockerTransport(image=sys.argv[1]) as transport:
        transport.open(Open("echo", {}))
        transport.exchange(Reset(1))
        return transport.isolation

start()
os.setgroups([os.stat("/var/run/docker.sock").st_gid])
os.setgid(1234)
os.setuid(1234)
print(start()["user"])
"""


class TestOwner:
    @pytest.mark.skipif(os.geteuid() != 0, reason="other tests run as an ordinary user then")
    def test_an_ordinary_user(self, echo_image: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", ORDINARY, echo_image],
            env={**os.environ, "TMPDIR": "/tmp", "HOME": "/tmp"},
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        assert done.stdout.strip() == "1234:1234"

    @staticmethod
    def start(image: str, then: str) -> tuple[subprocess.Popen[str], Path]:
        child = subprocess.Popen(
            [sys.executable, "-c", OWNER, image, PROBE, then],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE), "TMPDIR": tempfile.gettempdir()},
        )
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        assert folder.is_dir()
        return child, folder

    def test_killed_in_a_step(self, engine: DockerClient, probe_image: str) -> None:
        child, folder = self.start(probe_image, "hang")
        with child:
            assert len(ours(engine, child.pid)) == 1
            time.sleep(0.5)
            child.send_signal(signal.SIGKILL)
        assert eventually(lambda: not ours(engine, child.pid), within=15)
        # The folder of a killed owner is swept with the next start.
        open_transport().close()
        assert not folder.exists()

    def test_ends_without_closing(self, engine: DockerClient, probe_image: str) -> None:
        child, folder = self.start(probe_image, "raise")
        with child:
            child.wait(30)
        assert child.returncode == 3
        assert not ours(engine, child.pid)
        assert not folder.exists()

    def test_orphans_are_removed(self, engine: DockerClient, echo_image: str) -> None:
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

    def test_a_fork_leaves_it_alone(self, engine: DockerClient) -> None:
        with open_transport() as transport:
            pid = os.fork()
            if pid == 0:
                transport._finalizer()  # type: ignore[attr-defined]
                os._exit(0)
            os.waitpid(pid, 0)
            assert len(ours(engine)) == 1
            transport.exchange(Reset(1))


class TestMissing:
    def test_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
        with pytest.raises(EngineMissingError, match='transport="process"') as caught:
            open_transport()
        assert caught.value.fields["docker_host"] == "unix:///nonexistent"

    def test_image_that_may_not_be_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("docker", "provide"):
            monkeypatch.setattr(
                f"openenv_gym_transports.{module}.image_name", lambda name: "openenv-gym/echo:none"
            )
        with pytest.raises(ImageMissingError, match="openenv-gym build echo"):
            open_transport(build=False)

    def test_image_of_ones_own(self) -> None:
        with pytest.raises(ImageMissingError, match="--include PATH"):
            open_transport("mine.module:Env")

    def test_image_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(ImageMissingError, match="cannot be pulled"):
            open_transport(image="localhost:9/absent:1")
        assert "pulling the image localhost:9/absent:1" in capsys.readouterr().err

    def test_image_that_cannot_be_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("docker", "provide"):
            monkeypatch.setattr(
                f"openenv_gym_transports.{module}.image_name", lambda name: "openenv-gym/echo:none"
            )
        monkeypatch.setenv("OPENENV_GYM_BASE_IMAGE", "localhost:9/absent:1")
        with pytest.raises(ImageMissingError, match="--base-image IMAGE") as caught:
            open_transport()
        assert caught.value.fields["base_image"] == "localhost:9/absent:1"

    def test_environment(self) -> None:
        with pytest.raises(OptionError, match="must be named"):
            DockerTransport().open(Open(None, {}))

    @pytest.mark.parametrize(
        "options", [{"memory": "1 gigabyte"}, {"cpus": 0}, {"pids": -1}, {"memory": "0"}]
    )
    def test_wrong_limit(self, options: dict[str, Any]) -> None:
        with pytest.raises(OptionError, match=next(iter(options))):
            DockerTransport(**options)


class TestPort:
    """The fallback for engines that cannot share a socket."""

    def test_published_on_loopback_only(self, engine: DockerClient) -> None:
        with open_transport(socket=False) as transport:
            told = transport.isolation
            assert told["network"] == "bridge"
            assert told["mounts"][0]["type"] == "volume"
            (container,) = ours(engine)
            (binding,) = container.ports["7777/tcp"]
            assert binding == {"HostIp": "127.0.0.1", "HostPort": str(told["port"])}
            assert transport.exchange(Reset(1)).observation
            assert told["read_only"] is True
            assert told["cap_drop"] == ["ALL"]

    def test_engine_on_another_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from openenv_gym.errors import DockerError
        from openenv_gym_transports import engine

        monkeypatch.setenv("DOCKER_HOST", "tcp://10.1.2.3:2376")
        with pytest.raises(DockerError, match="another machine"):
            engine.check_loopback()
        monkeypatch.setenv("DOCKER_HOST", "tcp://localhost:2375")
        engine.check_loopback()
