"""Over HTTP requests: where proxies and firewalls allow nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from openenv_gym.errors import CopyError, OptionError
from openenv_gym.transport import Link, LinkSettings
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.names import EXCHANGE_PATH
from openenv_gym_transports.links.http_link import HttpLink
from openenv_gym_transports.links.server import ForeignServerError, OwnedServer, Server
from openenv_gym_transports.network import NetworkTransport

if TYPE_CHECKING:
    import httpx

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
        url: ``http://host:port`` or ``https://host`` of a server that runs already, or a list of
            several (:class:`~openenv_gym_transports.network.NetworkTransport`); proxies of the
            environment variables are used, as httpx reads them. Without it one is
            started for each link, on a loopback port of its own, and ended with it.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers of each request that something on the way to the server wants.
        verify: Path of the CA that signed the server's certificate, or an ``ssl.SSLContext``.
        cert: Client certificate: path of a file in PEM with its key; or (certificate, key), or
            (certificate, key, password).
        client: A client of httpx by which all requests go, steps too, with its own proxies and
            certificates. It stays the caller's, who closes it.
        output: Whether what a server that is started prints goes to this program's standard output
            and error, each line with a prefix.

    A transport with a client, or with an ``ssl.SSLContext``, cannot be pickled.
    """

    name: ClassVar[str] = "http"
    schemes: ClassVar[tuple[str, str]] = ("http", "https")
    other: ClassVar[str] = "For ws:// and wss:// take transport='websocket'."
    path: ClassVar[str] = EXCHANGE_PATH

    client: httpx.Client | None = None

    def __post_init__(self) -> None:
        if self.client is not None:
            self._check_client()
        super().__post_init__()

    def _check_client(self) -> None:
        import httpx  # here, since others need not load it

        if not isinstance(self.client, httpx.Client):
            raise OptionError(f"client={self.client!r}: give an httpx.Client.")
        if self.url is None or self.verify is not None or self.cert is not None:
            raise OptionError(
                "client= is for a server at url=, without verify= and cert=: it has its own."
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if self.client is not None:
            memo[id(self.client)] = self.client  # it cannot be copied, and is shared
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[str, Any]:
        if self.client is not None:
            raise CopyError(
                "client= is an httpx.Client, which cannot go to another process: make the "
                "transport there, or give verify= and cert= instead."
            )
        return super().__getstate__()

    def server(self, owned: OwnedServer | None = None, *, address: str | None = None) -> Server:
        """Like the base method, with the client."""
        return replace(super().server(owned, address=address), client=self.client)

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
