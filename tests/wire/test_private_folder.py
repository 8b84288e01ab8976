"""The folder of a pipe: one that another user owns, or may use, is refused at both ends."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import ConnectError, StartError
from openenv_gym.server.pipe import key_of
from openenv_gym.wire.private_folder import NotPrivateError, check_private, read_key

ROOT = os.geteuid() == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pipe"
    key_of(made)
    return made


def test_the_key_is_made_once(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(read_key(folder)) == 32
    assert key_of(folder) == read_key(folder)


def test_what_nobody_else_can_reach_may_have_any_mode(folder: Path) -> None:
    (folder / "key").chmod(0o644)
    assert len(read_key(folder)) == 32


def give_away(path: Path) -> None:
    os.chown(path, 12345, 12345)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


FAULTS: dict[str, Callable[[Path], None]] = {
    "group writes folder": lambda folder: folder.chmod(0o770),
    "others write folder": lambda folder: folder.chmod(0o707),
    "group reads key": lambda folder: (folder.chmod(0o750), (folder / "key").chmod(0o640))[1],
    "others write key": lambda folder: (folder / "key").chmod(0o602),
    "link": lambda folder: link(folder / "key"),
    "no file": lambda folder: ((folder / "key").unlink(), os.mkfifo(folder / "key", 0o600))[1],
}
if ROOT:
    FAULTS["foreign folder"] = give_away
    FAULTS["foreign key"] = lambda folder: give_away(folder / "key")


@pytest.mark.parametrize("fault", FAULTS)
def test_what_others_may_use_is_refused(folder: Path, fault: str) -> None:
    FAULTS[fault](folder)
    with pytest.raises(OSError, match="pipe"):
        read_key(folder)
    with pytest.raises(StartError, match=str(folder)):
        key_of(folder)
    with pytest.raises(ConnectError, match=str(folder)):
        OpenEnvGym("echo", url=f"unix://{folder}")


def test_the_error_says_what_is_wrong(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(NotPrivateError, match="mode is 777, and may be 755 at most"):
        check_private(folder)
    with pytest.raises(ConnectError, match="another user could be at its other end"):
        OpenEnvGym("echo", url=f"unix://{folder}")
