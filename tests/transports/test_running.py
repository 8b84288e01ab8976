"""``openenv-gym ps`` and ``prune``: what runs, whose it is, and the end of what is nobody's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.cli import main
from openenv_gym.env import OpenEnvGym
from openenv_gym_transports.containers.owner import VARIABLE
from tests.servers import eventually, is_running


def shown(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["ps", "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("no_leftovers")
def test_a_process_has_its_owner(capsys: pytest.CaptureFixture[str]) -> None:
    env = OpenEnvGym("echo", transport="process")
    pid = str(env.isolation["pid"])
    (one,) = [one for one in shown(capsys) if one["id"] == pid]
    assert one == {
        "kind": "process",
        "id": pid,
        "serves": "echo",
        "owner": os.getpid(),
        "orphan": False,
    }
    assert main(["ps"]) == 0
    assert f"process    {pid:<14} {os.getpid():<16} echo" in capsys.readouterr().out
    env.close()
    assert pid not in {one["id"] for one in shown(capsys)}


@pytest.mark.docker
def test_a_container_has_its_owner(capsys: pytest.CaptureFixture[str]) -> None:
    with OpenEnvGym("echo", transport="docker") as env:
        id = env.isolation["container"][:12]
        (one,) = [one for one in shown(capsys) if one["id"] == id]
        assert (one["kind"], one["owner"], one["orphan"]) == ("container", os.getpid(), False)


def test_what_has_no_owner_is_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")  # other tests make orphans there
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    orphan = subprocess.Popen(
        [sys.executable, "-m", "openenv_gym.cli", "serve", "echo", "--pipe", str(tmp_path)]
        + ["--owned"],
        env={**os.environ, VARIABLE: f"{gone.pid} 1", "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    with OpenEnvGym("echo", transport="process") as env:
        eventually(lambda: (tmp_path / "socket").exists())
        assert gone.pid in [one["owner"] for one in shown(capsys) if one["orphan"]]
        assert main(["prune"]) == 0
        assert f"ended process {orphan.pid} of echo" in capsys.readouterr().out
        assert orphan.wait(10.0) is not None
        assert is_running(env.isolation["pid"])
        env.reset(seed=0)
