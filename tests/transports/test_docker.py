"""The docker transport, on a real engine: what is let in, what gets out, what is missing."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openenv_gym.errors import (
    DockerError,
    EngineMissingError,
    ImageMissingError,
    IsolationError,
    OptionError,
    SessionLostError,
    StartError,
)
from openenv_gym.transport import Link, expect
from openenv_gym.wire.messages import Open, Reset, Result, Step
from openenv_gym_transports.containers import engine as engines
from openenv_gym_transports.containers import hardening as sandbox
from openenv_gym_transports.containers.needs import Needs, needs_of
from openenv_gym_transports.docker import DockerTransport
from tests.transports.containers import (
    EAT,
    EXIT,
    FORK,
    HANG,
    PROBE,
    REPORT,
    containers_of,
    open_link,
)

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("no_containers_left"),
]


class TestHardening:
    def test_seen_from_inside(self, probe: Link) -> None:
        report = expect(Result, probe.exchange(Step(REPORT))).info["report"]
        assert report["interfaces"] == "lo"
        assert report["writable"] == "/tmp /var/scratch"
        assert report["CapEff"] == report["CapPrm"] == report["CapBnd"] == "0" * 16
        assert report["NoNewPrivs"] == "1"
        assert report["Seccomp"] == "2"
        assert set(report["Uid"].split()) == {"65534" if os.geteuid() == 0 else str(os.getuid())}
        assert report["shared"] == ""  # the socket is gone as soon as it is connected

    def test_processes_are_limited(self, probe: Link) -> None:
        forked = int(expect(Result, probe.exchange(Step(FORK))).info["report"]["forked"])
        assert 40 < forked < 77

    def test_memory_is_limited(self, probe: Link) -> None:
        with pytest.raises(SessionLostError, match="ran out of its memory"):
            probe.exchange(Step(EAT))

    def test_isolation_tells_all_of_it(self, engine: DockerClient) -> None:
        with open_link(memory="200m", cpus=0.5, pids=99) as link:
            reported = link.isolation
            (container,) = containers_of(engine)
        assert reported["boundary"] == "container"
        assert reported["container"] == container.id
        assert reported["network"] == "none"
        assert reported["port"] is None
        assert reported["read_only"] is True
        assert reported["cap_drop"] == ["ALL"]
        assert reported["cap_add"] == []
        assert reported["no_new_privileges"] is True
        assert reported["privileged"] is False
        assert reported["memory"] == reported["memory_and_swap"] == 200 * 1024**2
        assert reported["cpus"] == 0.5
        assert reported["pids"] == 99
        assert reported["init"] is True
        assert [mount["target"] for mount in reported["mounts"]] == ["/run/openenv-gym"]
        assert reported["relaxed"] == {}
        assert json.loads(json.dumps(reported)) == reported

    def test_isolation_is_what_is_and_not_what_was_asked_for(
        self, engine: DockerClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = sandbox.settings
        monkeypatch.setattr(sandbox, "settings", lambda *args: {**asked(*args), "read_only": False})
        with open_link() as link:
            assert link.isolation["read_only"] is False

    def test_an_engine_that_ignores_the_runtime(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As Podman does."""
        monkeypatch.setattr(DockerTransport, "_runtime", lambda self: {})
        with pytest.raises(IsolationError, match=r"reports 'runc'.*containers\.conf"):
            open_link(runtime="runsc")

    @pytest.mark.parametrize("left", [[], ["KILL"]])
    def test_capabilities_that_are_dropped_by_name(
        self, left: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As Podman reports them: that none is left, the kernel knows."""
        asked = sandbox.settings
        dropped = [name for name in CAPABILITIES if name not in left]
        monkeypatch.setattr(
            sandbox, "settings", lambda *args: {**asked(*args), "cap_drop": dropped}
        )
        with open_link() as link:
            assert link.isolation["cap_drop"] == (dropped if left else ["ALL"])

    def test_the_folder_is_private(self) -> None:
        with open_link() as link:
            (mount,) = link.isolation["mounts"]
            assert not mount["writable"]
            shared = Path(mount["source"])
            assert shared.parent.stat().st_mode & 0o777 == 0o700
            assert not [*shared.iterdir()]  # nobody else can connect
        assert not shared.parent.exists()


CAPABILITIES = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
]
"""Those that a container has by default."""


class TestNeeds:
    def test_what_openenv_yaml_asks_for_is_given_and_shown(self, probe: Link) -> None:
        reported = probe.isolation
        assert reported["relaxed"] == {
            "memory": "300m",
            "pids": 77,
            "shm_size": "32m",
            "tmpfs": {"/var/scratch": "16m"},
        }
        assert reported["memory"] == 300 * 1024**2
        assert reported["pids"] == 77
        assert reported["shm_size"] == 32 * 1024**2
        assert set(reported["tmpfs"]) == {"/tmp", "/var/scratch"}

    def test_transport_options_override_it(self, probe_image: str) -> None:
        with open_link(PROBE, image=probe_image, memory="400m", pids=88) as link:
            assert link.isolation["memory"] == 400 * 1024**2
            assert link.isolation["pids"] == 88

    @pytest.mark.parametrize(
        "section",
        ["network: host", "privileged: true", "memory: lots", "pids: 0", "tmpfs: {relative: 1m}"],
    )
    def test_wrong_needs_are_refused(
        self, section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "wrong_one.py").write_text("raise RuntimeError('imported')")
        (tmp_path / "openenv.yaml").write_text(f"name: x\ndocker:\n  {section}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        with pytest.raises(OptionError, match=r"openenv\.yaml"):
            needs_of("wrong_one:Env")

    def test_without_openenv_yaml_there_are_none(self) -> None:
        assert needs_of("echo") == Needs()
        assert needs_of("not_installed_here.at_all:Env") == Needs()


class TestDeath:
    def test_killed_in_a_step(self, probe: Link, engine: DockerClient) -> None:
        (container,) = containers_of(engine)
        folder = Path(probe.isolation["mounts"][0]["source"])
        killer = threading.Timer(0.3, container.kill)
        killer.start()
        began = time.monotonic()
        with pytest.raises(SessionLostError, match="killed by signal 9") as caught:
            probe.exchange(Step(HANG))
        assert time.monotonic() - began < 60
        assert not folder.exists()
        assert not containers_of(engine)
        assert container.short_id in caught.value.fields["fate"]
        killer.join()

    def test_the_error_has_the_last_lines_of_its_log(self, probe: Link) -> None:
        with pytest.raises(SessionLostError, match="exited with 7") as caught:
            probe.exchange(Step(EXIT))
        assert "the probe leaves" in str(caught.value)

    def test_before_it_is_ready(self, echo_image: str) -> None:
        began = time.monotonic()
        with pytest.raises(StartError, match="No module named 'not_there'") as caught:
            _start_with(echo_image, "import not_there")
        assert time.monotonic() - began < 60
        assert "exited with 1" in caught.value.fields["fate"]

    def test_not_ready_in_time(self, echo_image: str) -> None:
        with pytest.raises(StartError, match="still runs"):
            _start_with(echo_image, "import time; time.sleep(600)", start_timeout=1.0)

    def test_close_in_a_step(self, probe: Link) -> None:
        probe.send(Step(HANG))
        began = time.monotonic()
        probe.close()
        assert time.monotonic() - began < 60

    def test_close_twice(self) -> None:
        link = open_link()
        link.close()
        link.close()
        with pytest.raises(SessionLostError, match="closed"):
            link.send(Reset(1))

    def test_a_forgotten_link_ends_its_container(self, engine: DockerClient) -> None:
        link = open_link()
        assert containers_of(engine)
        stream = link._stream  # type: ignore[attr-defined]
        assert stream is not None
        stream.close()
        del link
        assert not containers_of(engine)


def _start_with(image: str, code: str, **options: Any) -> None:
    """Starts a container that runs something else than the server."""
    asked = sandbox.settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sandbox,
            "settings",
            lambda *args: {**asked(*args), "entrypoint": ["python3", "-c"], "command": [code]},
        )
        open_link(image=image, **options)


class TestMissing:
    def test_no_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
        with pytest.raises(EngineMissingError, match='transport="process"') as caught:
            open_link()
        assert caught.value.fields["docker_host"] == "unix:///nonexistent"

    def test_image_that_may_not_be_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("docker", "images.provide"):
            monkeypatch.setattr(
                f"openenv_gym_transports.{module}.image_name", lambda name: "openenv-gym/echo:none"
            )
        with pytest.raises(ImageMissingError, match="openenv-gym build echo"):
            open_link(build=False)

    def test_image_of_ones_own(self) -> None:
        with pytest.raises(ImageMissingError, match="--include PATH"):
            open_link("mine.module:Env")

    def test_image_that_cannot_be_pulled(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(ImageMissingError, match="cannot be pulled"):
            open_link(image="localhost:9/absent:1")
        assert "pulling the image localhost:9/absent:1" in capsys.readouterr().err

    def test_image_that_cannot_be_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("docker", "images.provide"):
            monkeypatch.setattr(
                f"openenv_gym_transports.{module}.image_name", lambda name: "openenv-gym/echo:none"
            )
        monkeypatch.setenv("OPENENV_GYM_BASE_IMAGE", "localhost:9/absent:1")
        with pytest.raises(ImageMissingError, match="--base-image IMAGE") as caught:
            open_link()
        assert caught.value.fields["base_image"] == "localhost:9/absent:1"

    def test_an_image_of_ours_needs_an_environment(self) -> None:
        with pytest.raises(OptionError, match="must be named"):
            DockerTransport().open(Open(None, {}))

    @pytest.mark.parametrize(
        "options", [{"memory": "1 gigabyte"}, {"cpus": 0}, {"pids": -1}, {"memory": "0"}]
    )
    def test_wrong_limits_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(OptionError, match=next(iter(options))):
            DockerTransport(**options)


class TestPort:
    """The fallback for engines that cannot share a socket."""

    def test_published_on_loopback_only(self, engine: DockerClient) -> None:
        with open_link(socket=False) as link:
            reported = link.isolation
            assert reported["network"] == "bridge"
            assert reported["mounts"][0]["type"] == "volume"
            (container,) = containers_of(engine)
            (binding,) = container.ports["7777/tcp"]
            assert binding == {"HostIp": "127.0.0.1", "HostPort": str(reported["port"])}
            assert expect(Result, link.exchange(Reset(1))).observation
            assert reported["read_only"] is True
            assert reported["cap_drop"] == ["ALL"]

    def test_an_engine_on_another_machine_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", "tcp://10.1.2.3:2376")
        with pytest.raises(DockerError, match="another machine"):
            engines.check_loopback()
        monkeypatch.setenv("DOCKER_HOST", "tcp://localhost:2375")
        engines.check_loopback()
