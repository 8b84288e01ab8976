"""HTTP by httpx: its clients, bounded replies, and its errors as the system's."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import httpx

from openenv_gym.errors import SessionLostError, missing_package
from openenv_gym_transports.links.http_client import Answer, too_large
from openenv_gym_transports.links.proxies import ProxyError, bad_proxy, proxy_of, shown
from openenv_gym_transports.links.server import CONNECT_LIMIT, NotConnectedError, Server


class HttpClient:
    """Requests to one server: by the client that the user gave, or by one of ours.

    Args:
        server: The server.

    Raises:
        OptionError: The environment variables name a proxy that cannot be used.
        MissingDependencyError: A SOCKS proxy needs a package that is not installed.
    """

    def __init__(self, server: Server) -> None:
        self._given = server.client is not None
        self.proxy = None if self._given or server.owned is not None else proxy_of(server.url)
        self._client = server.client or _make_client(server, self.proxy)

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        limit: float | None,
        largest: int,
    ) -> Answer:
        """Make a request.

        Args:
            method: Method of HTTP.
            url: The address.
            body: The body, if any.
            headers: Headers beside httpx's own.
            limit: Seconds that all of it may take; None waits forever.
            largest: Bytes that the reply's body may have.

        Raises:
            TimeoutError: It took longer.
            ConnectionRefusedError: Nothing listens there; nothing was sent.
            OSError: The connection broke, or a proxy does not connect.
            ProtocolError: The reply is larger.
            SessionLostError: The user closed the client.
        """
        if self._client.is_closed:
            raise SessionLostError(
                "The httpx.Client that was given as client= is closed, so nothing goes by it: "
                "close it after the environment."
            )
        made = _Connections()
        deadline = None if limit is None else monotonic() + limit
        connect = CONNECT_LIMIT if limit is None else min(limit, CONNECT_LIMIT)
        with (
            made.ended_after(limit),
            self._system_errors(deadline),
            self._client.stream(
                method,
                url,
                content=body,
                # Identity: what is packed may be any size when it is unpacked.
                headers={"Accept-Encoding": "identity", **headers},
                timeout=httpx.Timeout(limit, connect=connect),
                follow_redirects=False,  # the token is for this server
                extensions={"trace": made.note},
            ) as response,
        ):
            data = bytearray()
            for piece in response.iter_raw():
                data += piece
                if len(data) > largest:
                    raise too_large(len(data), largest)
                if deadline is not None and monotonic() > deadline:
                    raise TimeoutError("timed out")
            return Answer(response.status_code, response.headers.get("content-type"), data)

    def close(self) -> None:
        """Close the client, if it is ours."""
        if not self._given:
            self._client.close()

    @contextmanager
    def _system_errors(self, deadline: float | None) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise TimeoutError("timed out") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            if deadline is not None and monotonic() >= deadline:
                raise TimeoutError("timed out") from error
            refused = any(isinstance(one, ConnectionRefusedError) for one in _causes(error))
            text = str(error) or type(error).__name__
            if self.proxy is not None and isinstance(error, httpx.ProxyError | httpx.ConnectError):
                raise self._proxy_error(text) from error
            if refused:
                raise ConnectionRefusedError(text) from error
            connecting = isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol)
            raise (NotConnectedError if connecting else ConnectionResetError)(text) from error
        except Exception as error:  # httpcore lets those of socksio through
            if not type(error).__module__.startswith("socksio."):
                raise
            raise self._proxy_error(f"it does not speak SOCKS ({error})") from error

    def _proxy_error(self, why: str) -> ProxyError:
        return ProxyError(f"the proxy {shown(self.proxy or '')} does not connect: {why}")


class _Connections:
    """Those that were made for one request, which httpx limits by the wait and not as a whole."""

    def __init__(self) -> None:
        self._streams: list[Any] = []

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Note a new connection; a hook of httpx."""
        if event.endswith("connect_tcp.complete"):
            self._streams.append(info["return_value"])

    @contextmanager
    def ended_after(self, limit: float | None) -> Iterator[None]:
        """End them if the block takes longer, or fails."""
        timer = None if limit is None else threading.Timer(limit, self._shut_down)
        if timer is not None:
            timer.daemon = True
            with suppress(RuntimeError):  # the program ends, and starts no threads any more
                timer.start()
        try:
            yield
        except BaseException:
            for stream in self._streams:  # httpcore leaves it open where SOCKS fails
                stream.close()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _shut_down(self) -> None:
        for stream in self._streams:
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _make_client(server: Server, proxy: str | None) -> httpx.Client:
    try:
        # Without the environment: what it says of proxies was asked already.
        return httpx.Client(verify=_context(server, proxy), proxy=proxy, trust_env=False)
    except ImportError as error:
        assert proxy is not None
        raise missing_package(
            f"Connecting through the proxy {shown(proxy)}", "socksio", "socks"
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        if proxy is None:
            raise
        raise bad_proxy(proxy, str(error).replace(proxy, shown(proxy))) from error


def _context(server: Server, proxy: str | None) -> ssl.SSLContext:
    if proxy is not None or server.url.startswith("https:"):
        return server.context
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used, and made in no time


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
