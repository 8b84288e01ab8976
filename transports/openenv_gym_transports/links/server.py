"""Where a link over the network leads: a server's address, and what is known of its end."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from openenv_gym.errors import AuthenticationError, ConnectError, StartError, TransportError
from openenv_gym.wire.names import CLOSE_LIMIT
from openenv_gym_transports.links.tls import Cert, Verify, make_context

if TYPE_CHECKING:
    import httpx

RETRIED = frozenset({502, 503, 504})
"""What a proxy answers while the server behind it restarts."""

CONNECT_LIMIT = 10.0
"""Seconds that one try to connect may take."""

_SHOWN = 200  # characters of an answer that is not one of ours


class OwnedServer(Protocol):
    """A process or a container that was started for one link, which ends it."""

    @property
    def isolation(self) -> dict[str, Any]:
        """What is between it and this process."""
        ...

    @property
    def log(self) -> list[str]:
        """The last lines of what it wrote."""
        ...

    def dead(self) -> str | None:
        """Return what became of it, if it is dead; None while it lives."""
        ...

    def kill(self) -> None:
        """End it at once, whatever it is doing."""

    def fate(self) -> str:
        """Return what became of it, with its last lines."""
        ...

    def stop(self, limit: float) -> None:
        """End it, by force after so many seconds; a second call does nothing."""


class NotConnectedError(ConnectionError):
    """Nothing was sent: the server was not reached, or not the proxy on the way to it."""


class ServerEndedError(ConnectionResetError):
    """The server said that it ends: to connect again is of no use."""


class UnavailableError(ConnectError):
    """Nothing answers there now, or only a proxy that has no server behind it."""


class RefusedForNowError(ConnectionError):
    """What answers is a proxy whose server is away; ``status`` is that of HTTP."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"HTTP {self.status}"


class ForeignServerError(ConnectError):
    """What answers does not speak our protocol; it may be a server of OpenEnv's own make."""


@dataclass(frozen=True)
class Server:
    """A server by the address of one of its faces.

    Attributes:
        url: The address.
        headers: Headers of each request.
        owned: What was started for the link; None for a server that runs already.
        start_timeout: Seconds that it may take to be there.
        verify: What is trusted to sign the server's certificate.
        cert: The certificate of this client.
        client: The user's client of httpx, for all requests.
    """

    url: str
    headers: Mapping[str, str]
    owned: OwnedServer | None
    start_timeout: float
    verify: Verify | None = None
    cert: Cert | None = None
    client: httpx.Client | None = None

    @cached_property
    def context(self) -> ssl.SSLContext:
        """What TLS connections to the server are made with."""
        return make_context(self.verify, self.cert)

    @property
    def isolation(self) -> dict[str, Any]:
        """What is between it and this process."""
        if self.owned is not None:
            return self.owned.isolation
        return {"boundary": "remote", "url": self.url}

    def gone(self) -> str | None:
        """Return what became of the server, if it is ours and dead."""
        return None if self.owned is None else self.owned.dead()

    def stop(self, limit: float = CLOSE_LIMIT) -> None:
        """End it, where it is ours; it has so many seconds to close its environment."""
        if self.owned is not None:
            self.owned.stop(limit)

    def not_started(self, owned: OwnedServer) -> StartError:
        """Return the error for a server of ours that is not there in time."""
        lines = "\n".join(owned.log)
        return StartError(
            f"The server's environment was not there within {self.start_timeout:g} s; "
            f"start_timeout= sets the limit.\n{lines}".rstrip(),
            limit=self.start_timeout,
        )

    def unreachable(self, error: OSError) -> TransportError:
        """Return the error for a server that does not answer at all, on opening."""
        if self.owned is not None and isinstance(error, TimeoutError):
            return self.not_started(self.owned)
        if self.owned is not None:
            fate = self.owned.fate()
            return StartError(f"The environment's server did not start. {fate}", fate=fate)
        kind: type[ConnectError] = UnavailableError
        advice = "Is it running (openenv-gym serve NAME), and is the address right?"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            kind, advice = ConnectError, "Give the CA that signed its certificate as verify=."
        return kind(
            f"No server answers at {self.url}: {error}. {advice}",
            url=self.url,
            status=getattr(error, "status", None),
        )

    def refused(self, status: int, body: bytes, *, foreign: bool = False) -> TransportError:
        """Return the error for an HTTP status that does not come from our protocol.

        Args:
            status: The status.
            body: What came with it.
            foreign: It is such as a server of another make gives.
        """
        text = body[:_SHOWN].decode(errors="replace").strip()
        fields = {"url": self.url, "status": status}
        if status == 401:
            problem = "is wrong" if "Authorization" in self.headers else "is missing"
            return AuthenticationError(
                f"The token of the server at {self.url} {problem}: give the one that it was "
                "started with as token=.",
                **fields,
            )
        kind = ForeignServerError if foreign else ConnectError
        if status in RETRIED:
            kind = UnavailableError
        return kind(
            f"What answers at {self.url} is not an openenv-gym server, or one that refuses: HTTP "
            f"{status} {text}".rstrip(),
            **fields,
        )
