"""The hostile programs, run by an ordinary user, whose sandbox has a user namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_USER = "65534"
# A Python in root's home is out of an ordinary user's reach, so for this test there is another home
# around it, which nobody else sees.
_OPEN = """
set -eu
hold={hold}
mount -t tmpfs none "$hold"
for path in {paths}; do
    mkdir -p "$hold$path"
    mount --bind "$path" "$hold$path"
done
for closed in {closed}; do
    mount -t tmpfs -o mode=755 none "$closed"
done
for path in {paths}; do
    mkdir -p "$path"
    mount --rbind "$hold$path" "$path"
done
cd {root}
exec setpriv --reuid={user} --regid={user} --clear-groups env HOME=/ "$@"
"""


def closed(path: Path) -> list[Path]:
    """The topmost folder above a path that an ordinary user cannot enter."""
    return [one for one in reversed(path.parents) if not one.stat().st_mode & 0o001][:1]


@pytest.mark.skipif(os.geteuid() != 0, reason="test_coding_hostile is run by an ordinary user")
def test_hostile_programs_of_an_ordinary_user(tmp_path: Path) -> None:
    paths = [Path(sys.base_prefix).resolve(), Path(sys.prefix), _ROOT]
    script = _OPEN.format(
        hold=tmp_path,
        paths=" ".join(map(str, paths)),
        closed=" ".join({str(one) for path in paths for one in closed(path)}),
        root=_ROOT,
        user=_USER,
    )
    chosen = "strongest and not (time or listener or parsing)"
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh"]
        + [*pytest_, "tests/envs/test_coding_hostile.py"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
