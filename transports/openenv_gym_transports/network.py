"""What the transports over the network share."""

from __future__ import annotations

import copy
import itertools
import re
import secrets
import ssl
from abc import abstractmethod
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, ClassVar, Self
from urllib.parse import SplitResult, urlsplit, urlunsplit

from openenv_gym.errors import (
    ConnectError,
    CopyError,
    OpenEnvGymError,
    OptionError,
    ServerClosingError,
    ServerFullError,
    shown,
    shown_url,
)
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings, Transport
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.names import SESSION_HEADER
from openenv_gym.wire.token import sendable_token
from openenv_gym_transports.links.backoff import Backoff
from openenv_gym_transports.links.child_process import AT_ONCE, start_server
from openenv_gym_transports.links.hub import check_space, find_space, is_space
from openenv_gym_transports.links.server import OwnedServer, Server, UnavailableError
from openenv_gym_transports.links.tls import Cert, Verify, make_context

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a header
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_PATH = re.compile(r"[\x21-\x7e]*")
_LONGEST_PAUSE = 1.0  # seconds between two rounds of the addresses


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NetworkTransport(Transport):
    """A server at a URL, or one that is started for each link.

    Args:
        url: A server that runs already, or several that serve the same: then each worker of a
            vector begins with another, and one that is full, ending or away is passed over, until
            ``start_timeout``. ``hf://owner/name`` is a Space of Hugging Face; a private one is sent
            the token of the variable ``HF_TOKEN``. Without it one is started, on a loopback port of
            its own, with a token of its own, and ended with the link.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers that something on the way to the server wants.
        verify: Path of the CA that signed the server's certificate, or an ``ssl.SSLContext``; by
            default what this system trusts.
        cert: Client certificate: path of a file in PEM with its key; or (certificate, key), or
            (certificate, key, password). A context has its own.
        output: Whether what a server that is started prints goes to this program's standard output
            and error, each line with a prefix.

    A transport with an ``ssl.SSLContext`` cannot be pickled: give paths, where it must be.
    """

    secrets: ClassVar[frozenset[str]] = Transport.secrets | {"cert"}

    # Each scheme that the transport takes, with the transport that takes the others.
    schemes: ClassVar[tuple[str, str]]
    other: ClassVar[str]
    path: ClassVar[str]

    url: str | list[str] | tuple[str, ...] | None = None
    token: str | None = None
    headers: dict[str, str] | None = None
    verify: Verify | None = None
    cert: Cert | None = None
    output: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.url is not None:
            if not isinstance(self.url, str):
                object.__setattr__(self, "url", tuple(self.url))
            if not self._addresses:
                raise OptionError("url=[] has no address: give one or more, or leave it out.")
            for address in self._addresses:
                check_space(address) if is_space(address) else self._endpoint(address)
        elif self.token is not None:
            raise OptionError("token= is that of the server at url=, which is not given.")
        elif self.verify is not None or self.cert is not None:
            raise OptionError("verify= and cert= are for the server at url=, which is not given.")
        if self.verify is not None or self.cert is not None:
            make_context(self.verify, self.cert)  # which says what is wrong with them
        if self.token is not None:
            object.__setattr__(self, "token", sendable_token(self.token, "token="))
        for name, value in (self.headers or {}).items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise OptionError(
                    f"headers= has {shown(name)}, which HTTP does not carry: its name, or its "
                    "value, which is not shown, has a character such as a line break or a letter "
                    "with an accent."
                )

    @property
    def side_by_side(self) -> int:
        """Implements Transport.side_by_side: all servers that are started."""
        return AT_ONCE if self.url is None else 1

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Implements Transport.open."""
        if self.url is not None:
            return self._open_remote(request, settings)
        if request.environment is None:
            raise OptionError("Without url= the environment must be named: there is none to ask.")
        child, port, token = start_server(request.environment, settings.core, output=self.output)
        url = f"{self.schemes[0]}://127.0.0.1:{port}"
        server = replace(self, url=url, token=token).server(child)
        return self.open_at(server, request, settings)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if isinstance(self.verify, ssl.SSLContext):
            memo[id(self.verify)] = self.verify  # it cannot be copied, and is shared
        twin = object.__new__(type(self))
        vars(twin).update(copy.deepcopy(vars(self), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        if isinstance(self.verify, ssl.SSLContext):
            raise CopyError(
                "verify= is an ssl.SSLContext, which cannot go to another process: give the path "
                "of the CA as verify=, and that of a client certificate as cert=."
            )
        return vars(self)

    @property
    def _addresses(self) -> tuple[str, ...]:
        """The addresses of ``url=``."""
        if self.url is None or isinstance(self.url, str):
            return () if self.url is None else (self.url,)
        return tuple(self.url)

    def _open_remote(self, request: Open | OpenVector, settings: LinkSettings) -> Link:
        """Open a session on a server that runs already: of several, on the first that takes it."""
        addresses = self._addresses
        end = monotonic() + self.start_timeout
        backoff = Backoff(_LONGEST_PAUSE)
        for turn in itertools.count():
            address = addresses[(settings.place + turn) % len(addresses)]
            try:
                return self.open_at(self.server(address=address), request, settings)
            except (ServerFullError, ServerClosingError, ConnectError) as error:
                if not self._has_hope(error) or monotonic() + backoff.pause > end:
                    raise
            if (turn + 1) % len(addresses) == 0:
                backoff.wait()
        raise AssertionError("it counts without an end")

    def _has_hope(self, error: OpenEnvGymError) -> bool:
        """Return whether another address, or this one later, may take what this one did not.

        A proxy that has no server yet will have one. Of one address all else is an answer; of
        several, which may be one proxy of many servers, another session id may find room.
        """
        if isinstance(error, UnavailableError) and error.fields.get("status") is not None:
            return True
        elsewhere = (ServerFullError, ServerClosingError, UnavailableError)
        return not isinstance(self.url, str) and isinstance(error, elsewhere)

    def server(self, owned: OwnedServer | None = None, *, address: str | None = None) -> Server:
        """Return a server, which was started for one link or runs already.

        Args:
            owned: What was started.
            address: One of ``url=``, which is the first by default.
        """
        address, token = address or self._addresses[0], self.token
        if is_space(address):
            found = find_space(address)
            scheme, _, place = found.url.partition("://")
            address = f"{self.schemes[scheme == 'https']}://{place}"
            token = token or found.token
        headers = {**(self.headers or {}), SESSION_HEADER: secrets.token_urlsafe(24)}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        endpoint = self._endpoint(address)
        return Server(
            endpoint, headers, owned, self.start_timeout, verify=self.verify, cert=self.cert
        )

    def open_at(self, server: Server, request: Open | OpenVector, settings: LinkSettings) -> Link:
        """Open a session on a server, which is ended if that fails and it was started for this."""
        try:
            return self._open_at(server, request, settings)
        except BaseException:
            server.stop()
            raise

    @abstractmethod
    def _open_at(self, server: Server, request: Open | OpenVector, settings: LinkSettings) -> Link:
        """Open a session on a server, whichever protocol it speaks."""

    def _endpoint(self, url: str) -> str:
        """Return the address of the face, from that of the server."""
        parts = self._split(url)
        if parts is None:
            raise OptionError(
                f"The transport {self.name} takes {self.schemes[0]}://host:port, not "
                f"{shown_url(url)}. {self.other}",
            )
        if parts.username or parts.query or parts.fragment:
            raise OptionError(
                "url= is shown in errors and logs, so it has no credentials and no query: a token "
                "belongs in token=, anything else in headers=."
            )
        path = parts.path.rstrip("/").removesuffix(self.path) + self.path
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    def _split(self, url: str) -> SplitResult | None:
        """Return the parts of an address that this transport can connect to; None of any other."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            host.encode("idna")  # as connecting does
            known = parts.scheme in self.schemes and bool(host) and parts.port != 0
        except ValueError:
            return None
        return parts if known and _PATH.fullmatch(parts.path) else None
