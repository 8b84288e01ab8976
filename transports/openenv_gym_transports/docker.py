"""In a hardened container that only its owner can reach, over the pipe face."""

from __future__ import annotations

import re
import secrets
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import ConnectError, OptionError, StartError
from openenv_gym.transport import STEP_TIMEOUT
from openenv_gym.wire.messages import Description, Open, OpenVector
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.containers import engine, owner
from openenv_gym_transports.containers import hardening as sandbox
from openenv_gym_transports.containers import mounts as files
from openenv_gym_transports.containers.container import Container
from openenv_gym_transports.containers.needs import SIZE, Needs, needs_of
from openenv_gym_transports.images.build import ENVIRONMENT
from openenv_gym_transports.images.contents import image_name
from openenv_gym_transports.images.provide import labels, provide
from openenv_gym_transports.links.pipe import PipeTransport, connect

if TYPE_CHECKING:
    from docker import DockerClient

    from openenv_gym_transports.containers.served import ServedTransport

__all__ = ["DockerTransport"]

MEMORY, CPUS, PIDS = "1g", 1.0, 256


class DockerTransport(PipeTransport):
    """Runs the environment in a container of its own, safe by default.

    The container has no network: it is reached through a Unix socket in a private folder.
    Its root is read-only, it has no capabilities and cannot gain any, runs as an ordinary
    user, and is limited in memory, processes, CPU and log. What an environment needs
    beyond that its ``openenv.yaml`` says (:mod:`openenv_gym_transports.containers.needs`), and
    :attr:`isolation` shows. It is gone with its owner, also when that is killed.

    An image that is none of ours serves by itself: one of OpenEnv's own make, or any whose
    server listens on port 8000. It is reached over a WebSocket to that port, which is
    published on 127.0.0.1 alone; so it has a network. All else is as above, except that it
    does not see that its owner was killed: then it is removed when the next container is
    started.

    Args:
        image: Image to run; pulled by name if it is not there. By default the one of the
            environment, with the code that is installed here.
        variables: Environment variables for the server in an image that serves by itself,
            whose options are set by these.
        action_space: Description of the action space, where such a server does not tell
            enough; see :mod:`openenv_gym_transports.openenv_servers`.
        observation_space: Likewise of the observation space.
        mounts: Files and folders of this host that it may read, by their paths in the
            container, which an option of the environment can name then:
            ``{"/data/prices.csv": "/home/me/prices.csv"}``. They cannot be written, and the
            container's user must be allowed to read them. File systems that are mounted
            within a folder are not seen.
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
        OptionError: A limit is not one; or a mount is of what is not there, or over what the
            image needs.
    """

    name = "docker"

    def __init__(
        self,
        *,
        image: str | None = None,
        variables: dict[str, str] | None = None,
        action_space: dict[str, Any] | None = None,
        observation_space: dict[str, Any] | None = None,
        mounts: Mapping[str, str | Path] | None = None,
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
        self._variables = variables or {}
        self._spaces = {"action_space": action_space, "observation_space": observation_space}
        self._mounts = files.checked(mounts or {})
        self._memory = memory
        self._cpus = cpus
        self._pids = pids
        self._socket = socket
        self._build = build
        self._isolation: dict[str, Any] = {"boundary": "container"}
        self._finalizer: weakref.finalize[[], DockerTransport] | None = None
        self._container: Container | None = None
        self._client: DockerClient | None = None
        self._named: str | None = None
        self._carrier: ServedTransport | None = None

    def open(self, request: Open | OpenVector) -> Description:
        """Starts the container, and opens the session in it."""
        if request.environment is None and self._image is None:
            raise OptionError(
                "transport='docker' starts a container of its own, so the environment must be "
                "named, or an image: there is none to ask."
            )
        if self._mounts:
            engine.check_files()
        client = self._client = engine.connect()
        container = self._container = Container(client)
        # From here on, whatever happens, the container, the folder and the client are let go.
        self._finalizer = weakref.finalize(self, container.remove)
        try:
            found = {} if self._image is None else labels(client, self._image)
            self._named = request.environment or found.get(ENVIRONMENT)
            if self._image is not None and ENVIRONMENT not in found:
                return self._open_served(request, container)
            self._check_ours()
            return super().open(request)
        except BaseException:
            self.close()
            raise

    def _connect(self, environment: str | None) -> Stream:
        named, container, client = self._named, self._container, self._client
        assert named is not None
        assert container is not None
        assert client is not None
        needs = needs_of(named)
        key = secrets.token_bytes(32)
        shared = engine.shares_sockets(client) if self._socket is None else self._socket
        if shared:
            container.folder = sandbox.private_folder(key)
        else:
            engine.check_loopback()
        settings = sandbox.settings(
            named, self._limits(needs), needs, container.folder, self._mounts
        )
        if not container.create(self._image or image_name(named), settings):
            provide(client, named, build=self._build)
            container.create(image_name(named), settings)
        if not shared:
            container.put(sandbox.SHARED, sandbox.archive(key))
        self._start(container, needs)
        return self._reach(container, named, key)

    def _limits(self, needs: Needs) -> sandbox.Limits:
        return sandbox.Limits(
            memory=self._memory or needs.memory or MEMORY,
            cpus=self._cpus,
            pids=self._pids or needs.pids or PIDS,
        )

    def _start(self, container: Container, needs: Needs) -> None:
        container.start()
        # Python is starting in there, so this takes no time.
        assert self._client is not None
        owner.remove_orphans(self._client)
        owner.remove_folders(sandbox.folders())
        self._isolation = sandbox.isolation(container.inspect(), needs)

    def _reach(self, container: Container, environment: str, key: bytes) -> Stream:
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

    def _open_served(self, request: Open | OpenVector, container: Container) -> Description:
        """Opens the session at the server that the image brings."""
        # Here, since most containers need no WebSocket, and importing that takes a while.
        from openenv_gym_transports.containers.served import ServedTransport

        engine.check_loopback()
        needs = Needs() if request.environment is None else needs_of(request.environment)
        settings = sandbox.serving_settings(
            self._limits(needs), needs, self._variables, self._mounts
        )
        assert self._image is not None
        container.create(self._image, settings)
        self._start(container, needs)
        carrier = self._carrier = ServedTransport(
            container,
            self._isolation["port"],
            timeout=self.timeout,
            start_timeout=self._start_timeout,
            **self._spaces,
        )
        carrier.stopwatch = self.stopwatch
        description = carrier.open(request)
        self._hand_over(carrier)
        return description

    def _check_ours(self) -> None:
        """Checks that nothing is asked of an image of ours that is for others."""
        wrong = [name for name, space in self._spaces.items() if space is not None]
        wrong += ["variables"] if self._variables else []
        if wrong:
            raise OptionError(
                f"The image of {self._named!r} is openenv-gym's, which tells its Spaces itself and "
                f"takes the environment's options: leave {', '.join(f'{w}=' for w in wrong)} out.",
                options=wrong,
            )

    def _fate(self) -> str:
        return "" if self._container is None else self._container.epitaph()

    @property
    def isolation(self) -> dict[str, Any]:
        """What the engine said of the container when it ran, not what was asked of it."""
        return dict(self._isolation)

    @property
    def space_sources(self) -> dict[str, str]:
        """Implements Transport.space_sources."""
        return {} if self._carrier is None else self._carrier.space_sources

    def close(self) -> None:
        """Closes the environment, and removes the container."""
        if self._carrier is not None:
            self._carrier.close()
        super().close()

    def _stop(self) -> None:
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer()


def _wrong(name: str, value: object, wanted: str) -> OptionError:
    return OptionError(
        f"The option {name}={value!r} of transport='docker' is wrong: give {wanted}.",
        **{name: value},
    )
