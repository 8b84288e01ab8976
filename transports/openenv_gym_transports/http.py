"""Over HTTP requests: where proxies and firewalls allow nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from openenv_gym.transport import Link, LinkSettings
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.names import EXCHANGE_PATH
from openenv_gym_transports.links.http_link import HttpLink
from openenv_gym_transports.links.server import ForeignServerError, Server
from openenv_gym_transports.network import NetworkTransport

__all__ = ["HttpTransport"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HttpTransport(NetworkTransport):
    """One POST request for each message, over a connection that is kept.

    When it drops, the request is repeated; each step is carried out exactly once. What both ends of
    a kept connection need not do again for each request is left out
    (:mod:`~openenv_gym_transports.links.http_client`).

    To a server of OpenEnv's own make the link speaks OpenEnv's own protocol, and warns once: over
    HTTP to a legacy one (openenv-core 0.1); over a WebSocket to a later one, which holds no episode
    over HTTP.

    The server cannot see a client that is gone between two requests: close the environment, or the
    session waits for its idle timeout.

    Args:
        url: ``http://host:port`` or ``https://host`` of a server that runs already; proxies of the
            environment variables are used. Without it one is started for each link, on a loopback
            port of its own, and ended with it.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers of each request that something on the way to the server wants.
    """

    name: ClassVar[str] = "http"
    schemes: ClassVar[tuple[str, str]] = ("http", "https")
    other: ClassVar[str] = "For ws:// and wss:// take transport='websocket'."
    path: ClassVar[str] = EXCHANGE_PATH

    def _open_at(self, server: Server, request: Open | OpenVector, settings: LinkSettings) -> Link:
        link = HttpLink(server, timeout=self.timeout, settings=settings)
        try:
            link.begin(request, self.start_timeout)
        except ForeignServerError as error:
            refusal = error  # what may fail next has nothing to do with it
        except BaseException:
            link.close()
            raise
        else:
            return link
        link.close()
        # Here, since only servers of another make need it.
        from openenv_gym_transports.openenv_servers.connect import over_http

        return over_http(server, request, settings, refusal=refusal, timeout=self.timeout)
