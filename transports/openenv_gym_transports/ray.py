"""On a Ray cluster: each session is an actor, and each request one call of it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import ray

from openenv_gym import registry
from openenv_gym.errors import ConnectError, OptionError
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings, Transport
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym_transports.links.child_process import python_path
from openenv_gym_transports.links.ray_link import RayLink
from openenv_gym_transports.links.server import CONNECT_LIMIT

LOCAL = "local"
"""As ``address=``: a Ray of this program's own, on this machine."""

_ACTOR = registry.Entry("actor", "openenv_gym.server.actor:SessionActor")
_connecting = threading.Lock()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RayTransport(Transport):
    """Runs the environment in an actor of a Ray cluster, which ends with the link or its program.

    Where ``ray.init()`` was called before, that cluster is used. Ray never repeats a call or
    restarts an actor, which would double a step. The nodes need openenv-gym and the environment's
    packages, of the versions that are installed here, or a ``runtime_env`` that installs them.

    Args:
        address: The cluster, as ``ray.init`` takes it: ``"auto"`` (one that runs on this machine),
            ``"host:6379"``, ``"ray://host:10001"``; or ``"local"``: one that is started here for
            this program, and ends with it. By default what ``RAY_ADDRESS`` says, else
            ``"local"``.
        num_cpus: CPUs that Ray sets aside for each actor; None: one to place it, and none after.
        resources: Further resources to set aside, by name.
        scheduling_strategy: Where actors are placed: ``"SPREAD"``, or an object of Ray's.
        runtime_env: What Ray prepares for an actor's process, such as ``{"pip": [...]}``.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there.

    Raises:
        OptionError: A number of CPUs or of a resource is negative.
    """

    name: ClassVar[str] = "ray"

    secrets: ClassVar[frozenset[str]] = Transport.secrets | {"runtime_env"}

    address: str | None = None
    num_cpus: float | None = None
    resources: Mapping[str, float] | None = None
    scheduling_strategy: Any = None
    runtime_env: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, amount in {"num_cpus": self.num_cpus, **(self.resources or {})}.items():
            if amount is not None and not amount >= 0:
                raise OptionError(f"{name}={amount!r}: give a number, 0 or more.", **{name: amount})

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Implements Transport.open."""
        if request.environment is None:
            raise OptionError("With transport='ray' the environment must be named.")
        with _connecting:
            self._connect()
        link = RayLink(self._make_actor(settings.core), timeout=self.timeout, settings=settings)
        link.begin(request, self.start_timeout)
        return link

    def _connect(self) -> None:
        """Connect this process to the cluster, unless it is connected.

        Raises:
            ConnectError: No Ray answers there, or it refuses.
            OptionError: This process is connected to another one.
        """
        if ray.is_initialized():
            self._check_connected()
            return
        address = self.address or os.environ.get("RAY_ADDRESS") or LOCAL
        try:
            if ":" in address:  # Ray itself tries for minutes
                host, port = address.rpartition("://")[2].rsplit(":", 1)
                socket.create_connection((host.strip("[]"), int(port)), CONNECT_LIMIT).close()
            ray.init(address, include_dashboard=False)
        except Exception as error:  # its kinds are many, those of gRPC among them
            raise ConnectError(
                f"No Ray cluster can be used at {address!r}: {error!r:.500}. Is it running (ray "
                "start --head), of the same version of Ray and Python, and with the token that "
                "this program has, if with one (RAY_AUTH_MODE=token)?",
                address=address,
            ) from error

    def _check_connected(self) -> None:
        if self.address is None or ":" not in self.address or "://" in self.address:
            return
        connected = ray.get_runtime_context().gcs_address
        if connected != self.address:
            raise OptionError(
                f"address={self.address!r}: this program is connected to the Ray at {connected} "
                "already, and can use only one. Leave address= out, or call ray.shutdown() first.",
                address=self.address,
                connected=connected,
            )

    def _make_actor(self, core: int | None) -> Any:
        """Have Ray begin an actor; what becomes of it shows in the first call.

        Raises:
            OptionError: Ray refuses the options.
        """
        wanted = {
            "num_cpus": self.num_cpus,
            "resources": None if self.resources is None else dict(self.resources),
            "scheduling_strategy": self.scheduling_strategy,
            "runtime_env": None if self.runtime_env is None else dict(self.runtime_env),
        }
        options = {name: value for name, value in wanted.items() if value is not None}
        cls: Any = ray.remote(registry.load(_ACTOR))
        try:
            # A second run of a call, or a second life of an actor, would be a second step.
            prepared = cls.options(max_restarts=0, max_task_retries=0, **options)
            return prepared.remote(python_path().split(os.pathsep), core, socket.gethostname())
        except (ValueError, TypeError) as error:
            raise OptionError(
                f"Ray refuses the options {sorted(options)} of an actor: {error}",
                options=sorted(options),
            ) from error
