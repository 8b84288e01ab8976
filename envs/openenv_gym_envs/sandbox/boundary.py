"""What is around a sandboxed process: bubblewrap's namespaces, Landlock, or a container.

Bubblewrap shows the process the system's programs and Python, read-only, and nothing else: no file,
process or network of this host. Where the kernel makes no namespaces for us, as in a container,
Landlock keeps it to the same files; what else is around it is that container. Where the kernel has
no Landlock either, a hardened container is all there is: nothing in it can be changed, but read.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import openenv_gym_envs
from openenv_gym.errors import EnvironmentFailedError, MissingDependencyError
from openenv_gym_envs.sandbox.inside import landlock

WORKSPACE = "/workspace"
"""What a sandbox calls its folder."""

_PACKAGE = Path(openenv_gym_envs.__file__).parent
_OURS = (_PACKAGE / "__init__.py", _PACKAGE / "sandbox/__init__.py", _PACKAGE / "sandbox/inside")
HOME = str(_PACKAGE.parent)
"""Where our programs are imported from, and so where they start."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32")
_LIBRARIES = "/etc/ld.so.cache"  # where they are
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_NOBODY = "65534"
_PROBE_SECONDS = 20.0
_OLDEST_LANDLOCK = 2  # its first version lets no file be moved to another folder


@dataclass(frozen=True)
class View:
    """What a sandbox sees beside the system and Python.

    Attributes:
        read: Folders that it may read.
        space: Bytes that its own folder may hold; None: it has none.
    """

    read: tuple[str, ...] = ()
    space: int | None = None


@dataclass(frozen=True)
class Launch:
    """How a program is started in a sandbox.

    Attributes:
        command: The command.
        user: Whom it becomes, if it does.
        landlock: What Landlock is to allow it, if it is to.
        counts: A limit of its processes counts no others.
        keeps_files: It can change no file but in its folder, whatever its system calls are.
        workspace: Its folder, as it finds it.
        temporary: The same, where it is to be removed after it.
    """

    command: list[str]
    user: int | None = None
    landlock: dict[str, Any] | None = None
    counts: bool = False
    keeps_files: bool = True
    workspace: str = WORKSPACE
    temporary: str | None = None


class Boundary(ABC):
    """What is around a sandboxed process.

    Attributes:
        name: For who wants to know.
    """

    name: ClassVar[str]

    @abstractmethod
    def launch(self, command: list[str], view: View) -> Launch:
        """How a command is started behind it."""


class Bubblewrap(Boundary):
    """Namespaces of its own: mounts, processes, network, IPC, host name; users, unless we are root.

    Args:
        path: The program ``bwrap``.
    """

    name = "bubblewrap"

    def __init__(self, path: str) -> None:
        self._path = path

    def launch(self, command: list[str], view: View) -> Launch:
        """Implements Boundary.launch."""
        root = os.geteuid() == 0
        arguments = [self._path, "--unshare-pid", "--unshare-net", "--unshare-ipc"]
        arguments += ["--unshare-uts", "--hostname", "sandbox", "--unshare-cgroup-try"]
        arguments += ["--cap-drop", "ALL"]
        if root:
            # Only root can become another user, whose processes can then be counted: the sandbox
            # does that first of all, and has no capability any more.
            arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        else:
            arguments += ["--unshare-user", "--uid", _NOBODY, "--gid", _NOBODY]
        for path in _SYSTEM:
            if os.path.islink(path):
                arguments += ["--symlink", os.readlink(path), path]
            else:
                arguments += ["--ro-bind-try", path, path]
        shown = [_LIBRARIES, *_python(), *map(str, _OURS), *view.read]
        for path in _parents(shown):
            # Only Python needs to list them; the other names are none of its business.
            mode = "0555" if path.startswith(HOME) else "0111"
            arguments += ["--perms", mode, "--dir", path]
        for path in shown:
            arguments += ["--ro-bind-try", path, path]
        arguments += ["--dev", "/dev", "--remount-ro", "/dev"]
        if view.space is not None:
            arguments += ["--size", str(view.space), "--perms", "1777", "--tmpfs", WORKSPACE]
        arguments += ["--remount-ro", "/", "--chdir", HOME, "--"]
        user = (1 << 30) + secrets.randbelow(1 << 30) if root else None
        return Launch([*arguments, *command], user=user, counts=root or _counts_by_namespace())


class Landlock(Boundary):
    """No namespaces, but the same files, and no other process; see ``inside/landlock.py``."""

    name = "landlock"

    def launch(self, command: list[str], view: View) -> Launch:
        """Implements Boundary.launch."""
        folder = _folder(view)
        return Launch(
            command,
            landlock={
                "read": [*_SYSTEM, _LIBRARIES, *_python(), *map(str, _OURS), *view.read],
                "write": [*_DEVICES, *([folder] if folder else [])],
            },
            workspace=folder or WORKSPACE,
            temporary=folder,
        )


class Container(Boundary):
    """The hardened container that we are in; code that can start no program changes no file."""

    name = "container"

    def launch(self, command: list[str], view: View) -> Launch:
        """Implements Boundary.launch."""
        folder = _folder(view)
        return Launch(command, keeps_files=False, workspace=folder or WORKSPACE, temporary=folder)


def _folder(view: View) -> str | None:
    """A folder for it, where there are no mounts of its own."""
    return None if view.space is None else tempfile.mkdtemp(prefix="openenv-gym-sandbox-")


def _in_hardened_container() -> bool:
    """In a container with a read-only root, whose processes can never have a privilege."""
    if not any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv"))):
        return False
    told = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return (
        bool(os.statvfs("/").f_flag & os.ST_RDONLY)
        and told["NoNewPrivs"] == "1"
        and all(int(told[name], 16) == 0 for name in ("CapPrm", "CapEff", "CapBnd"))
    )


@cache
def boundary() -> Boundary:
    """The strongest that works here.

    Raises:
        MissingDependencyError: Bubblewrap is not installed.
        EnvironmentFailedError: The kernel allows neither, and this is no hardened container.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise MissingDependencyError(
            "The sandbox needs the program bwrap, which was not found: apt-get install "
            "bubblewrap. Or run the environment in a container, which brings it, by "
            "transport='docker'.",
            package="bubblewrap",
        )
    bubblewrap = Bubblewrap(path)
    refusal = _probe(bubblewrap)
    if refusal is None:
        return bubblewrap
    version = landlock.abi()
    if version >= _OLDEST_LANDLOCK:
        return Landlock()
    if _in_hardened_container():
        return Container()
    raise EnvironmentFailedError(
        f"No sandbox can be made here. Bubblewrap: {refusal}. Landlock: version {version} of the "
        f"kernel's interface, and {_OLDEST_LANDLOCK} is needed (Linux 5.19, with Landlock switched "
        "on). Allow user namespaces, or run the environment where one of the two works, such as "
        "transport='docker'.",
        bubblewrap=refusal,
        landlock=version,
    )


def _probe(bubblewrap: Bubblewrap) -> str | None:
    """Why bubblewrap does not work here; None if it does."""
    launch = bubblewrap.launch([python(), "-I", "-S", "-c", ""], View())
    try:
        done = subprocess.run(
            launch.command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    told = done.stderr.decode(errors="replace").strip()
    return (told or f"exit status {done.returncode}") if done.returncode else None


def _parents(paths: list[str]) -> list[str]:
    """The folders above these, but for the system's, from the top."""
    found = {str(parent) for path in paths for parent in Path(path).parents}
    return sorted(path for path in found if not path.startswith("/usr"))


def python() -> str:
    """The interpreter of this process, without its virtual environment."""
    return os.path.realpath(sys.executable)


def _python() -> list[str]:
    """What Python needs of its installation, where that is not the system's."""
    return [python(), os.path.join(sys.base_prefix, "lib")]


def _counts_by_namespace() -> bool:
    """Processes are counted by user namespace, not by user alone: Linux 5.14."""
    major, minor = platform.release().split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)) or 0)) >= (5, 14)
