"""What is around a sandboxed process: bubblewrap's namespaces, Landlock, or a container.

Bubblewrap shows the process the system's programs and Python, read-only, and nothing else: no file,
process or network of this host. Where the kernel makes no namespaces for us, as in a container,
Landlock keeps it to the same files; what else is around it is that container. Where the kernel has
no Landlock either, a hardened container is all there is: nothing in it can be changed, but read.

Whatever these leave open, the filter of system calls closes (``inside/seccomp.py``): signals, Unix
sockets, UDP. Where something stays open that a program could use, there is an error, not a sandbox.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import openenv_gym_envs
from openenv_gym.errors import EnvironmentFailedError, MissingDependencyError
from openenv_gym_envs.sandbox.inside import landlock, system

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
_TRUNCATING = 3  # the version that keeps files from being emptied
_CONNECTING = 4  # the version that keeps programs from connecting to other ports


@dataclass(frozen=True)
class View:
    """What a sandbox sees beside the system and Python.

    Attributes:
        read: Folders that it may read.
        space: Bytes that its own folder may hold; None: it has none.
        programs: It starts programs, which change modes of files and connect to a port.
    """

    read: tuple[str, ...] = ()
    space: int | None = None
    programs: bool = False


@dataclass(frozen=True)
class Launch:
    """How a program is started in a sandbox.

    Attributes:
        command: The command.
        user: Whom it becomes, if it does.
        landlock: What Landlock is to allow it, if it is to.
        counts: A limit of its processes counts no others.
        keeps_files: It can change no file but in its folder, whatever its system calls are.
        keeps_signals: Its programs reach no other process by a signal, and none outlives it.
        workspace: Its folder, as it finds it.
        temporary: The same, where it is to be removed after it.
    """

    command: list[str]
    user: int | None = None
    landlock: dict[str, Any] | None = None
    counts: bool = False
    keeps_files: bool = True
    keeps_signals: bool = True
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
            # Only Python needs to list them; it does not need the other names.
            mode = "0555" if path.startswith(HOME) else "0111"
            arguments += ["--perms", mode, "--dir", path]
        for path in shown:
            arguments += ["--ro-bind-try", path, path]
        arguments += ["--dev", "/dev", "--remount-ro", "/dev"]
        if view.space is not None:
            arguments += ["--size", str(view.space), "--perms", "1777", "--tmpfs", WORKSPACE]
        arguments += ["--remount-ro", "/", "--chdir", HOME, "--"]
        user = _new_user() if root else None
        return Launch([*arguments, *command], user=user, counts=root or _counts_by_namespace())


class Landlock(Boundary):
    """No namespaces, but the same files, and no other process; see ``inside/landlock.py``.

    Args:
        version: Use no more than this version of Landlock can do; None: all that the kernel can.
    """

    name = "landlock"

    def __init__(self, version: int | None = None) -> None:
        self._version = landlock.abi() if version is None else min(version, landlock.abi())

    def launch(self, command: list[str], view: View) -> Launch:
        """Implements Boundary.launch.

        Raises:
            EnvironmentFailedError: Its programs could reach more than they may.
        """
        # Root becomes a user who owns nothing else here.
        user = _new_user() if view.programs and os.geteuid() == 0 else None
        if view.programs:
            self._check(user)
        folder = _folder(view, user)
        return Launch(
            command,
            user=user,
            landlock={
                "read": [*_SYSTEM, _LIBRARIES, *_python(), *map(str, _OURS), *view.read],
                "write": [*_DEVICES, *([folder] if folder else [])],
                "version": self._version,
            },
            counts=user is not None,
            keeps_files=self._version >= _TRUNCATING,
            keeps_signals=False,
            workspace=folder or WORKSPACE,
            temporary=folder,
        )

    def _check(self, user: int | None) -> None:
        if self._version < _CONNECTING and not _is_alone():
            raise _cannot_hold(
                f"version {self._version} of Landlock keeps no program from connecting to other "
                f"ports; version {_CONNECTING} does (Linux 6.7)"
            )
        if user is None and not in_container():
            raise _cannot_hold(
                "Landlock keeps no program from changing the modes of files that belong to the "
                f"user who starts it, who is number {os.geteuid()}"
            )


class Container(Boundary):
    """The hardened container that we are in; code that can start no program changes no file."""

    name = "container"

    def launch(self, command: list[str], view: View) -> Launch:
        """Implements Boundary.launch.

        Raises:
            EnvironmentFailedError: Its programs could reach more than they may.
        """
        if view.programs and not _is_alone():
            raise _cannot_hold("nothing keeps a program in this container from its network")
        system.hide_memory()  # of this process, which such a program could find in /proc
        folder = _folder(view, None)
        return Launch(
            command,
            keeps_files=False,
            keeps_signals=False,
            workspace=folder or WORKSPACE,
            temporary=folder,
        )


def _cannot_hold(why: str) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        f"No sandbox for programs can be made here: bubblewrap can make no namespaces, and {why}. "
        "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0), or use transport='docker'.",
        reason=why,
    )


def _is_alone() -> bool:
    """Return whether this is a container without any network but its own loopback device."""
    return in_container() and {name for _, name in socket.if_nameindex()} <= {"lo"}


def _new_user() -> int:
    """Return the number of a user of whom there is nothing on this host."""
    return (1 << 30) + secrets.randbelow(1 << 30)


def _folder(view: View, user: int | None) -> str | None:
    """A folder for it, where there are no mounts of its own."""
    if view.space is None:
        return None
    parent = Path(tempfile.gettempdir()).resolve()
    if user is not None and not all(
        path.stat().st_mode & stat.S_IXOTH for path in (parent, *parent.parents)
    ):
        parent = Path("/tmp")  # the other is for root's eyes only
    folder = tempfile.mkdtemp(prefix="openenv-gym-sandbox-", dir=parent)
    if user is not None:
        os.chown(folder, user, user)
    return folder


def in_container() -> bool:
    """Return whether this process runs in a container."""
    return any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))


def _in_hardened_container() -> bool:
    """In a container with a read-only root, whose processes can never have a privilege."""
    if not in_container():
        return False
    reported = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    return (
        bool(os.statvfs("/").f_flag & os.ST_RDONLY)
        and reported["NoNewPrivs"] == "1"
        and all(int(reported[name], 16) == 0 for name in ("CapPrm", "CapEff", "CapBnd"))
    )


@cache
def boundary() -> Boundary:
    """The strongest that works here.

    Raises:
        MissingDependencyError: Bubblewrap is not installed.
        EnvironmentFailedError: The kernel allows neither, and this is not a hardened container.
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
        if not in_container():
            warnings.warn(_BARE.format(refusal), stacklevel=2)
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


_BARE = (
    "The sandbox is weaker here than it could be: bubblewrap can make no namespaces ({}), so "
    "Landlock and a filter of system calls are all that keeps code from this host. It sees names "
    "of files, though not what is in them, and runs as your user. Allow user namespaces, or use "
    "transport='docker'."
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
    reported = done.stderr.decode(errors="replace").strip()
    return (reported or f"exit status {done.returncode}") if done.returncode else None


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
