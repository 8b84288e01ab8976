"""Files of the user's in a container, on a real engine."""

from __future__ import annotations

import csv
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import DockerError, OptionError
from openenv_gym.wire.messages import Open
from openenv_gym_transports.containers.mounts import checked
from openenv_gym_transports.docker import DockerTransport

if TYPE_CHECKING:
    from docker import DockerClient

INSIDE = "/data/prices.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that the user of the container can read."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def prices(folder: Path) -> Path:
    """Prices of two shares, as a user has them."""
    path = folder / "prices.csv"
    rng = np.random.default_rng(5)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "tic", "open", "high", "low", "close"])
        for day in np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]"):
            for share, base in (("UP", 20), ("DOWN", 90)):
                close = round(base + float(rng.normal()), 2)
                writer.writerow([day, share, close, close + 1, close - 1, close])
    path.chmod(0o644)
    return path


def trajectory(**options: Any) -> Iterator[Any]:
    env = gymnasium.make("openenv/FinRL-v0", **options)
    try:
        env.action_space.seed(3)
        yield env.reset(seed=1)
        over = False
        while not over:
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            over = terminated or truncated
            yield observation, reward, terminated, truncated, info
    finally:
        env.close()


def as_bytes(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [as_bytes(part) for part in value]
    if isinstance(value, dict):
        return {name: as_bytes(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    return value


@pytest.mark.docker
@pytest.mark.timeout(300)
class TestInTheContainer:
    @pytest.mark.parametrize("shared", [None, False])
    def test_a_file_of_the_users_is_as_in_this_process(
        self, prices: Path, shared: bool | None
    ) -> None:
        here = [as_bytes(turn) for turn in trajectory(data=str(prices))]
        there = trajectory(
            data=INSIDE,
            transport="docker",
            transport_options={"mounts": {INSIDE: prices}, "socket": shared},
        )
        assert [as_bytes(turn) for turn in there] == here
        assert len(here) > 20

    def test_the_engine_tells(self, prices: Path) -> None:
        transport = DockerTransport(mounts={INSIDE: prices, "/data/all": prices.parent})
        with transport.open(Open("echo", {})) as link:
            reported = link.isolation
        mounts = {mount.pop("target"): mount for mount in reported["mounts"]}
        expected = {"type": "bind", "source": str(prices), "writable": False}
        assert mounts[INSIDE] == expected
        assert mounts["/data/all"] == {**expected, "source": str(prices.parent)}
        assert reported["relaxed"] == {
            "mounts": {INSIDE: str(prices), "/data/all": str(prices.parent)}
        }
        assert reported["read_only"] is True
        assert json.loads(json.dumps(reported)) == reported

    @pytest.mark.parametrize("user", ["65534", "0"])
    def test_nothing_is_written(self, engine: DockerClient, prices: Path, user: str) -> None:
        prices.chmod(0o666)
        prices.parent.chmod(0o777)
        before = prices.read_bytes()
        transport = DockerTransport(mounts={INSIDE: prices, "/data/all": prices.parent})
        with transport.open(Open("echo", {})) as link:
            container = engine.containers.get(link.isolation["container"])
            for target in (INSIDE, "/data/all/new", "/data/all/prices.csv"):
                code = f"open({target!r}, 'a').write('x')"
                status, output = container.exec_run(["python3", "-c", code], user=user)
                assert status != 0
                assert b"Read-only file system" in output
        assert prices.read_bytes() == before
        assert os.listdir(prices.parent) == [prices.name]

    def test_what_went_since(self, prices: Path) -> None:
        transport = DockerTransport(mounts={INSIDE: prices})
        prices.unlink()
        with pytest.raises(DockerError, match=r"prices\.csv"):
            transport.open(Open("echo", {}))


class TestChecked:
    def test_full_paths(self, prices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(prices.parent)
        monkeypatch.setenv("HOME", str(prices.parent))
        (prices.parent / "link").symlink_to(prices)
        given = {"/a": "prices.csv", "/b": "~/prices.csv", "/c": "link", "/app/data/d": prices}
        assert checked(given) == dict.fromkeys(given, str(prices))

    @pytest.mark.parametrize(
        ("target", "reported"),
        [
            ("data/prices.csv", "not an absolute path"),
            ("", "not an absolute path"),
            ("/", "has its own"),
            ("/app", "has its own"),
            ("/usr/lib/python3", "has its own"),
            ("/run/openenv-gym", "has its own"),
            ("/opt/openenv-gym/site", "has its own"),
            ("/tmp/prices.csv", "has its own"),
            ("//usr", "plainly"),
            ("/data/../usr", "plainly"),
            ("/data/", "plainly"),
            ("/data\0", "plainly"),
        ],
    )
    def test_paths_in_the_container(self, target: str, reported: str, prices: Path) -> None:
        with pytest.raises(OptionError, match=reported) as raised:
            DockerTransport(mounts={target: prices})
        assert raised.value.fields["path"] == target

    @pytest.mark.parametrize(
        ("source", "reported"),
        [
            ("/nowhere/prices.csv", "not a file or folder"),
            ("/dev/null", "not a file or folder"),
            ("/", "all of this host"),
            ("x\0", "'x.x00' is no"),
            (None, "mounts=None"),
        ],
    )
    def test_paths_on_this_host(self, source: Any, reported: str) -> None:
        with pytest.raises(OptionError, match=reported):
            gymnasium.make(
                "openenv/FinRL-v0",
                data=INSIDE,
                transport="docker",
                transport_options={"mounts": {INSIDE: source}},
            )

    def test_a_socket_can_be_talked_to(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("engine.sock")
            with pytest.raises(OptionError, match="not a file or folder"):
                checked({"/data/engine.sock": "engine.sock"})

    def test_one_within_another(self, prices: Path) -> None:
        with pytest.raises(OptionError, match="cannot be written"):
            checked({"/data/x": prices, "/data": prices.parent})

    @pytest.mark.parametrize("host", ["tcp://10.1.2.3:2376", "tcp://127.0.0.1:2375", "ssh://there"])
    def test_an_engine_elsewhere(
        self, host: str, prices: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(DockerError, match="may be on another machine"):
            DockerTransport(mounts={INSIDE: prices}).open(Open("echo", {}))
