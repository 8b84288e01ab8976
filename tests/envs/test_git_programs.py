"""Hostile programs in Git's sandbox: each is contained, and the next episode is clean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym_envs.git.folder import Folder, FolderLostError
from openenv_gym_envs.sandbox import boundary, process
from openenv_gym_envs.sandbox.boundary import Landlock
from openenv_gym_envs.sandbox.inside.landlock import abi
from tests.envs.attacks import OF_GIT, TIMED_OUT
from tests.envs.victim import Victim
from tests.servers import eventually
from tests.troubles import running

STAYS = "987654321"  # in the command of what is left behind
_PYTHON = ["-c", "alias.x=!/usr/bin/python3 -", "x"]
WITHOUT_LANDLOCK = "this kernel has no such version of Landlock"


@pytest.fixture(scope="module", params=["strongest", *range(2, 8)])
def folder(request: pytest.FixtureRequest) -> Iterator[Folder]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "strongest":
            if abi() < request.param:
                pytest.skip(WITHOUT_LANDLOCK)
            landlock = Landlock(request.param)
            patch.setattr(process, "boundary", lambda: landlock)
            # As in a container without a network, where older versions will do.
            patch.setattr(boundary, "_is_alone", lambda: True)
        folder = Folder()
        yield folder
        folder.close()


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("victim")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)
    with Victim(folder) as victim:
        yield victim


def version_of(folder: Folder) -> int:
    """The version of Landlock around it; 99: it is bubblewrap."""
    chosen = process.boundary()
    return chosen._version if isinstance(chosen, Landlock) else 99


@pytest.mark.parametrize("name", OF_GIT)
def test_a_hostile_program_reaches_nothing(name: str, folder: Folder, victim: Victim) -> None:
    if name == "sockets: another port" and version_of(folder) < 4:
        pytest.skip("nothing keeps it from other ports: only where there are none, see below")
    program = OF_GIT[name]
    seconds = 0.7 if program.slow else 30.0
    try:
        done = folder.run(_PYTHON, stdin=victim.code(program.code), seconds=seconds)
    except FolderLostError:
        assert program.lost
    else:
        assert "SUCCEEDED" not in done.stdout, done.stdout
        codes = {TIMED_OUT if done.fate == "timeout" else done.status}
        assert codes <= {*program.exit_codes}, done
        if done.status == program.exit_codes[0]:
            assert program.reported in done.stdout + done.stderr, done
    victim.check()
    eventually(lambda: not running(STAYS))
    # The next episode.
    folder.clear()
    listed = folder.run(["-c", "alias.x=!ls -A", "x"])
    assert (listed.stdout, listed.stderr) == ("", "")
    assert folder.run(["version"]).succeeded


def test_what_succeeds_is_seen(folder: Folder, victim: Victim) -> None:
    program = OF_GIT["signals: sent"].code
    begin = program[: program.index("import signal")]
    done = folder.run(_PYTHON, stdin=victim.code(f"{begin}attempt('control', os.getpid)\n"))
    assert "SUCCEEDED: control" in done.stdout, done


@pytest.mark.parametrize("version", [2, 3])
def test_an_old_landlock_will_not_do_where_there_is_a_network(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if abi() < version:
        pytest.skip(WITHOUT_LANDLOCK)
    landlock = Landlock(version)
    monkeypatch.setattr(process, "boundary", lambda: landlock)
    monkeypatch.setattr(boundary, "_is_alone", lambda: False)
    with pytest.raises(EnvironmentFailedError, match=f"version {version} of Landlock"):
        Folder()


def test_landlock_will_not_do_for_programs_of_the_same_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    landlock = Landlock()
    monkeypatch.setattr(process, "boundary", lambda: landlock)
    monkeypatch.setattr(boundary.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(boundary, "in_container", lambda: False)
    with pytest.raises(EnvironmentFailedError, match="modes of files"):
        Folder()


def test_landlock_is_not_taken_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "_probe", lambda bubblewrap: "no namespaces")
    monkeypatch.setattr(boundary, "in_container", lambda: False)
    monkeypatch.setattr(boundary.landlock, "abi", lambda: 4)
    boundary.boundary.cache_clear()
    try:
        with pytest.warns(UserWarning, match="weaker here"):
            assert boundary.boundary().name == "landlock"
    finally:
        boundary.boundary.cache_clear()
