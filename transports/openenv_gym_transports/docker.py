"""In a hardened container that only its owner can reach, over the pipe face."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec

from openenv_gym.errors import ConnectError, IsolationError, OptionError, StartError
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings, Transport
from openenv_gym.wire.isolation import check_isolation, guarantees
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.names import TOKEN_VARIABLE
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.containers import engine, owner
from openenv_gym_transports.containers import hardening as sandbox
from openenv_gym_transports.containers import mounts as files
from openenv_gym_transports.containers.container import Container
from openenv_gym_transports.containers.needs import SIZE, Needs, needs_of
from openenv_gym_transports.containers.owned import OwnedContainer
from openenv_gym_transports.images.build import ENVIRONMENT
from openenv_gym_transports.images.contents import image_name
from openenv_gym_transports.images.own import PACKAGES_FOLDER, find_inside
from openenv_gym_transports.images.provide import labels, provide
from openenv_gym_transports.links.pipe import PipeLink, accept, connect

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["DockerTransport"]

MEMORY, CPUS, PIDS = "1g", 1.0, 256

AT_ONCE = 4
"""Containers of one vector that are started at a time; fewer where there are fewer cores."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DockerTransport(Transport):
    """Runs the environment in a container of its own, safe by default.

    The container has no network: it connects to a Unix socket in a private folder, which it
    cannot write in.
    Its root is read-only, it has no capabilities and cannot gain any, runs as an ordinary
    user, and is limited in memory, processes, CPU and log. What an environment needs
    beyond that its ``openenv.yaml`` says (:mod:`openenv_gym_transports.containers.needs`), and
    the link's ``isolation`` shows. It is gone with its owner, also when that is killed.

    An image that is not ours serves by itself: one of OpenEnv's own make, or any whose
    server listens on port 8000. It is reached over a WebSocket to that port, which is
    published on 127.0.0.1 alone; so it has a network. All else is as above, except that it
    does not see that its owner was killed: then it is removed when the next container is
    started.

    Args:
        image: Image to run; pulled by name if it is not there. By default the one of the
            environment, with the code that is installed here.
        variables: Environment variables for the server in an image that serves by itself,
            whose options are set by these.
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
        require_isolation: What must be between the environment and this host, by the engine's own
            report of the running container, before the environment is made: ``"container"``, or
            the names of :func:`~openenv_gym.wire.isolation.guarantees`.
        runtime: The engine's runtime, such as ``"runsc"`` (gVisor); by default the engine's own.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds from the start of the container until the environment must
            be there; building or pulling an image is not counted.

    Raises:
        OptionError: A limit is not one; or a mount is of what is not there, or over what the
            image needs.
    """

    name: ClassVar[str] = "docker"
    secrets: ClassVar[frozenset[str]] = frozenset({"variables"})

    image: str | None = None
    variables: dict[str, str] | None = None
    mounts: Mapping[str, str | Path] | None = None
    memory: str | None = None
    cpus: float = CPUS
    pids: int | None = None
    socket: bool | None = None
    build: bool = True
    require_isolation: str | Collection[str] | None = None
    runtime: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory is not None and not re.fullmatch(SIZE, self.memory):
            raise _wrong("memory", self.memory, "a size such as '512m' or '2g'")
        if self.cpus <= 0:
            raise _wrong("cpus", self.cpus, "a number above 0")
        if self.pids is not None and self.pids <= 0:
            raise _wrong("pids", self.pids, "a number above 0")
        guarantees(self.require_isolation)
        # As they are now: what goes since is the engine's to refuse.
        object.__setattr__(self, "mounts", files.checked(self.mounts or {}))

    @property
    def side_by_side(self) -> int:
        """Implements Transport.side_by_side: starting many at once drowns an engine."""
        return min(AT_ONCE, os.cpu_count() or 1)

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Implements Transport.open: start the container, and open the session in it."""
        if request.environment is None and self.image is None:
            raise OptionError(
                "transport='docker' starts a container of its own, so the environment must be "
                "named, or an image: there is none to ask."
            )
        if self.mounts:
            engine.check_files()
        client = engine.connect()
        # From here on, whatever happens, the container, the folder and the client are let go.
        owned = OwnedContainer(Container(client))
        try:
            found = {} if self.image is None else labels(client, self.image)
            if self.image is not None and ENVIRONMENT not in found:
                return self._open_foreign(self.image, request, settings, client, owned)
            named = request.environment or found[ENVIRONMENT]
            self._check_ours(named, request)
            stream = self._connect(named, client, owned)
            link = PipeLink(stream, owned, timeout=self.timeout, settings=settings)
            if request.environment is not None:
                inside = find_inside(named).name
                request = msgspec.structs.replace(request, environment=inside)
            link.begin(request, self.start_timeout)
        except BaseException:
            owned.stop()
            raise
        return link

    def _connect(self, environment: str, client: DockerClient, owned: OwnedContainer) -> Stream:
        # Of an image's own word for it nothing is known here.
        needs = Needs() if environment.startswith(PACKAGES_FOLDER) else needs_of(environment)
        shared = engine.shares_sockets(client) if self.socket is None else self.socket
        if not shared:
            engine.check_loopback()
            key = secrets.token_bytes(32)
            self._create(environment, needs, client, owned, None)
            owned.container.put(sandbox.SHARED, sandbox.archive(key))
            self._start(client, owned, needs)
            return self._reach(
                owned,
                environment,
                lambda limit: connect(
                    ("127.0.0.1", owned.isolation["port"]),
                    key,
                    limit=limit,
                    dead=owned.container.dead,
                ),
            )
        folder = sandbox.private_folder()
        owned.kept.enter_context(sandbox.removed_with_us(folder))
        with sandbox.listening(folder) as listener:
            self._create(environment, needs, client, owned, sandbox.shared_folder(folder))
            self._start(client, owned, needs)
            return self._reach(
                owned,
                environment,
                lambda limit: accept(listener, limit=limit, dead=owned.container.dead),
            )

    def _create(
        self,
        environment: str,
        needs: Needs,
        client: DockerClient,
        owned: OwnedContainer,
        folder: Path | None,
    ) -> None:
        """Create the container, and its image if need be."""
        settings = (
            sandbox.settings(
                find_inside(environment).name, self._limits(needs), needs, folder, self._sources()
            )
            | self._runtime()
        )
        if not owned.container.create(self.image or image_name(environment), settings):
            provide(client, environment, build=self.build)
            owned.container.create(image_name(environment), settings)

    def _sources(self) -> dict[str, str]:
        return {target: str(source) for target, source in (self.mounts or {}).items()}

    def _runtime(self) -> dict[str, str]:
        return {} if self.runtime is None else {"runtime": self.runtime}

    def _limits(self, needs: Needs) -> sandbox.Limits:
        return sandbox.Limits(
            memory=self.memory or needs.memory or MEMORY,
            cpus=self.cpus,
            pids=self.pids or needs.pids or PIDS,
        )

    def _start(self, client: DockerClient, owned: OwnedContainer, needs: Needs) -> None:
        """Start the container, and see that it is as isolated as it must be."""
        container = owned.container
        container.start()
        # Python is starting in there, so this takes no time.
        owner.remove_orphans(client)
        owner.remove_folders(sandbox.folders())
        owned.isolation = sandbox.isolation(container.inspect(), needs)
        self._check_runtime(owned.isolation["runtime"])
        check_isolation(guarantees(self.require_isolation), owned.isolation, self.name)

    def _check_runtime(self, found: str | None) -> None:
        """Check that the engine took the runtime; Podman takes none from a client."""
        if self.runtime not in (None, found):
            raise IsolationError(
                f"The engine did not take runtime={self.runtime!r}: it reports {found!r}. The "
                "environment was not made. Podman takes its runtime from its own containers.conf: "
                "set it there, and leave runtime= out.",
                missing=["runtime"],
                isolation={"runtime": found},
            )

    def _reach(
        self, owned: OwnedContainer, environment: str, reach: Callable[[float], Stream]
    ) -> Stream:
        """Return the connection with the server in the container, as soon as it is there."""
        container = owned.container
        try:
            return reach(self.start_timeout)
        except (StartError, ConnectError) as error:
            fate = container.fate()
            raise StartError(
                f"The environment {environment!r} did not start in a container of "
                f"{container.image}, for which it had {self.start_timeout} s. {fate}",
                environment=environment,
                image=container.image,
                start_timeout=self.start_timeout,
                fate=fate,
            ) from error

    def _open_foreign(
        self,
        image: str,
        request: Open | OpenVector,
        settings: LinkSettings,
        client: DockerClient,
        owned: OwnedContainer,
    ) -> Link:
        """Open the session at the server that the image brings."""
        # Here, since most containers need no WebSocket, and importing that takes a while.
        from openenv_gym_transports.containers.served import open_served
        from openenv_gym_transports.websocket import WebSocketTransport

        token = self._start_foreign(image, request.environment, client, owned)
        transport = WebSocketTransport(
            url=f"ws://127.0.0.1:{owned.isolation['port']}",
            token=token,
            timeout=self.timeout,
            start_timeout=self.start_timeout,
        )
        return open_served(owned, transport, request, settings)

    def serve(self) -> tuple[OwnedContainer, str, str]:
        """Start a container of an image that serves by itself, and wait until it is healthy.

        Returns:
            The container, which the caller stops, the address of its server, and its token.

        Raises:
            OptionError: ``image`` is missing.
            StartError: The server was not healthy within ``start_timeout`` seconds.
            DockerError: The engine refused.
        """
        from openenv_gym_transports.containers.served import wait

        if self.image is None:
            raise OptionError("image= is missing: name an image whose server listens on port 8000.")
        client = engine.connect()
        owned = OwnedContainer(Container(client))
        try:
            token = self._start_foreign(self.image, None, client, owned)
            wait(owned, self.start_timeout)
        except BaseException:
            owned.stop()
            raise
        return owned, f"http://127.0.0.1:{owned.isolation['port']}", token

    def _start_foreign(
        self, image: str, environment: str | None, client: DockerClient, owned: OwnedContainer
    ) -> str:
        """Start the container, and return the token of its server.

        Other containers reach its port. An image of openenv-gym's make serves who has the token
        alone; those of others do not look at it.
        """
        engine.check_loopback()
        variables = {TOKEN_VARIABLE: secrets.token_urlsafe(24), **(self.variables or {})}
        needs = Needs() if environment is None else needs_of(environment)
        keywords = sandbox.serving_settings(self._limits(needs), needs, variables, self._sources())
        owned.container.create(image, keywords | self._runtime())
        self._start(client, owned, needs)
        return variables[TOKEN_VARIABLE]

    def _check_ours(self, environment: str, request: Open | OpenVector) -> None:
        """Check that nothing is asked of an image of ours that is for others."""
        given = {
            "action_space": request.action_space,
            "observation_space": request.observation_space,
            "variables": self.variables,
        }
        wrong = [name for name, value in given.items() if value]
        if wrong:
            raise OptionError(
                f"The image of {environment!r} is openenv-gym's, which has its own Spaces and "
                f"takes the environment's options: leave {', '.join(f'{w}=' for w in wrong)} out.",
                options=wrong,
            )


def _wrong(name: str, value: object, wanted: str) -> OptionError:
    return OptionError(
        f"The option {name}={value!r} of transport='docker' is wrong: give {wanted}.",
        **{name: value},
    )
