"""A container whose image serves by itself, on port 8000, as OpenEnv's own images do."""

from __future__ import annotations

import contextlib
from time import monotonic, sleep

from openenv_gym.errors import StartError, TransportError
from openenv_gym.transport import Link, LinkSettings
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.names import HEALTH_PATH
from openenv_gym_transports.containers.hardening import SERVED
from openenv_gym_transports.containers.owned import OwnedContainer
from openenv_gym_transports.links.server import Server
from openenv_gym_transports.openenv_servers.server import OpenEnvServer
from openenv_gym_transports.websocket import WebSocketTransport

_PAUSE = 0.05
_ANSWER_LIMIT = 2.0  # seconds for one question after its health


def open_served(
    owned: OwnedContainer,
    transport: WebSocketTransport,
    request: Open | OpenVector,
    settings: LinkSettings,
) -> Link:
    """Open a session at the server in a container, as soon as it is there.

    Args:
        owned: The container, which was started.
        transport: Leads to its server, which has until ``start_timeout`` to be there.
        request: Opens the session.
        settings: What the user of the link decides about it.

    Raises:
        StartError: It does not start; the error has the last lines of its log.
    """
    wait(owned, transport.start_timeout)
    try:
        return transport.open_at(transport.server(owned), request, settings)
    except TransportError as error:
        fate = owned.dead()
        if fate is None:
            raise
        raise _not_up(owned, transport.start_timeout, fate) from error


def wait(owned: OwnedContainer, start_timeout: float) -> None:
    """Wait until the server in a container is healthy.

    Raises:
        StartError: It does not start in time.
    """
    port = owned.isolation["port"]
    server = OpenEnvServer(Server(f"http://127.0.0.1:{port}", {}, owned, start_timeout))
    deadline = monotonic() + start_timeout
    while monotonic() < deadline:
        # Docker's proxy of the port answers from the start, if only by hanging up.
        with contextlib.suppress(OSError):
            if server.request("GET", HEALTH_PATH, limit=_ANSWER_LIMIT).status < 500:
                return
        fate = owned.dead()
        if fate is not None:
            raise _not_up(owned, start_timeout, fate)
        sleep(_PAUSE)
    raise _not_up(owned, start_timeout, owned.container.fate())


def _not_up(owned: OwnedContainer, start_timeout: float, fate: str) -> StartError:
    image = owned.container.image
    return StartError(
        f"The image {image} was not made by openenv-gym, so a server of its own is to listen on "
        f"port {SERVED}, within {start_timeout:g} s (start_timeout=). It does not. {fate}",
        image=image,
        start_timeout=start_timeout,
        fate=fate,
    )
