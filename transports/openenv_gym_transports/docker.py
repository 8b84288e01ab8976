"""In a hardened container that only its owner can reach, over the pipe face."""

from __future__ import annotations

import re
import secrets
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv_gym.channel import Channel
from openenv_gym.errors import ConnectError, OptionError, StartError
from openenv_gym.transport import STEP_TIMEOUT
from openenv_gym_transports import engine, owner, sandbox
from openenv_gym_transports.container import Container
from openenv_gym_transports.contents import image_name
from openenv_gym_transports.needs import SIZE, Needs, needs_of
from openenv_gym_transports.pipe import PipeTransport, connect
from openenv_gym_transports.provide import provide, pull

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["DockerTransport"]

MEMORY, CPUS, PIDS = "1g", 1.0, 256


class DockerTransport(PipeTransport):
    """Runs the environment in a container of its own, safe by default.

    The container has no network: it is reached through a Unix socket in a private folder.
    Its root is read-only, it has no capabilities and cannot gain any, runs as an ordinary
    user, and is limited in memory, processes, CPU and log. What an environment needs
    beyond that its ``openenv.yaml`` says (:mod:`openenv_gym_transports.needs`), and
    :attr:`isolation` shows. It is gone with its owner, also when that is killed.

    Args:
        image: Image to run; pulled by name if it is not there. By default the one of the
            environment, with the code that is installed here.
        memory: Limit of its memory, such as ``"512m"``; there is no swap beyond it. By
            default what the environment asks for, else ``"1g"``.
        cpus: Limit of its CPU time, in CPUs.
        pids: Limit of its processes and threads. By default what the environment asks
            for, else 256.
        socket: Whether it is reached by a Unix socket. False publishes a port on
            127.0.0.1 instead, and so gives it a network, for engines that cannot share a
            socket. By default the engine is asked.
        build: Build the environment's image if it is not there.
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds from the start of the container until the environment must
            be there; building or pulling an image is not counted.

    Raises:
        OptionError: A limit is not one.
    """

    name = "docker"

    def __init__(
        self,
        *,
        image: str | None = None,
        memory: str | None = None,
        cpus: float = CPUS,
        pids: int | None = None,
        socket: bool | None = None,
        build: bool = True,
        timeout: float | None = STEP_TIMEOUT,
        start_timeout: float = 60.0,
    ) -> None:
        super().__init__(timeout=timeout, start_timeout=start_timeout)
        if memory is not None and not re.fullmatch(SIZE, memory):
            raise _wrong("memory", memory, "a size such as '512m' or '2g'")
        if cpus <= 0:
            raise _wrong("cpus", cpus, "a number above 0")
        if pids is not None and pids <= 0:
            raise _wrong("pids", pids, "a number above 0")
        self._image = image
        self._memory = memory
        self._cpus = cpus
        self._pids = pids
        self._socket = socket
        self._build = build
        self._isolation: dict[str, Any] = {"boundary": "container"}
        self._finalizer: weakref.finalize[[], DockerTransport] | None = None
        self._container: Container | None = None

    def _connect(self, environment: str | None) -> Channel:
        if environment is None:
            raise OptionError(
                "transport='docker' starts a container of its own, so the environment must be "
                "named: there is none to ask."
            )
        needs = needs_of(environment)
        client = engine.connect()
        container = self._container = Container(client)
        # From here on, whatever happens, the container, the folder and the client are let go.
        self._finalizer = weakref.finalize(self, container.remove)
        key = secrets.token_bytes(32)
        shared = engine.shares_sockets(client) if self._socket is None else self._socket
        if shared:
            container.folder = sandbox.private_folder(key)
        else:
            engine.check_loopback()
        self._create(client, container, environment, needs)
        if not shared:
            container.put(sandbox.SHARED, sandbox.archive(key))
        container.start()
        # Python is starting in there, so this takes no time.
        owner.remove_orphans(client)
        owner.remove_folders(sandbox.folders())
        self._isolation = sandbox.isolation(container.inspect(), needs)
        return self._reach(container, environment, key)

    def _create(
        self, client: DockerClient, container: Container, environment: str, needs: Needs
    ) -> None:
        limits = sandbox.Limits(
            memory=self._memory or needs.memory or MEMORY,
            cpus=self._cpus,
            pids=self._pids or needs.pids or PIDS,
        )
        settings = sandbox.settings(environment, limits, needs, container.folder)
        image = self._image or image_name(environment)
        if not container.create(image, settings):
            if self._image is None:
                provide(client, environment, build=self._build)
            else:
                pull(client, self._image)
            container.create(image, settings)

    def _reach(self, container: Container, environment: str, key: bytes) -> Channel:
        """Connects as soon as the server in the container listens."""
        address: Path | tuple[str, int]
        if container.folder is not None:
            address = container.folder / "socket"
        else:
            address = ("127.0.0.1", self._isolation["port"])
        try:
            return connect(address, key, limit=self._start_timeout, dead=container.dead)
        except (StartError, ConnectError) as error:
            fate = container.fate()
            raise StartError(
                f"The environment {environment!r} did not start in a container of "
                f"{container.image}, for which it had {self._start_timeout} s. {fate}",
                environment=environment,
                image=container.image,
                start_timeout=self._start_timeout,
                fate=fate,
            ) from error

    def _fate(self) -> str:
        return "" if self._container is None else self._container.epitaph()

    @property
    def isolation(self) -> dict[str, Any]:
        """What the engine said of the container when it ran, not what was asked of it."""
        return dict(self._isolation)

    def _stop(self) -> None:
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer()


def _wrong(name: str, value: object, wanted: str) -> OptionError:
    return OptionError(
        f"The option {name}={value!r} of transport='docker' is wrong: give {wanted}.",
        **{name: value},
    )
