"""Over HTTP requests: where proxies and firewalls allow nothing else."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import ClassVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from openenv_gym.errors import ProtocolError
from openenv_gym.messages import Failure, Reply, Request
from openenv_gym_transports.network import CONNECT_LIMIT, RETRIED, NetworkTransport

CONTENT_TYPE = "application/vnd.openenv-gym.1+msgpack"


class HttpTransport(NetworkTransport):
    """One POST request for each message, over a connection that is kept.

    When it drops, the request is repeated; each step is carried out exactly once. An exchange is
    made on the caller's thread. :meth:`send` makes it on one of its own, so that a vector
    environment's requests run side by side.

    The server cannot see a client that is gone between two requests: close the environment, or the
    session waits for its idle timeout.

    Args:
        url: ``http://host:port`` or ``https://host`` of a server that runs already; proxies of the
            environment variables are used. Without it one is started, on a loopback port of its
            own, and ended with :meth:`close`.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers of each request that something on the way to the server wants.
    """

    name = "http"
    schemes: ClassVar[tuple[str, str]] = ("http", "https")
    other: ClassVar[str] = "For ws:// and wss:// take transport='websocket'."
    path: ClassVar[str] = "/exchange"

    _client: httpx.HTTPTransport | None = None
    _reply: Future[Reply] | None = None

    def _connect_first(self) -> None:
        assert self._url is not None, "a URL is given or made on opening"
        # httpx's transport without its client: of cookies, redirects and events nothing is needed
        # here, and they take as long as the request.
        proxy = None if self._child is not None else _proxy(self._url)
        self._client = httpx.HTTPTransport(proxy=proxy)
        self._target = httpx.URL(self._url)
        self._prepared = httpx.Headers(
            {
                **self._headers,
                "Host": self._target.netloc.decode("ascii"),
                "Content-Type": CONTENT_TYPE,
                "Accept": CONTENT_TYPE,
            }
        )

    def exchange(self, request: Request) -> Reply:
        """One request, one reply, on this thread."""
        self._number(request)
        reply = self._insist(self.timeout)
        if type(reply) is Failure:
            raise reply.error()
        return reply

    def send(self, request: Request) -> None:
        """Implements Transport.send."""
        self._number(request)
        future: Future[Reply] = Future()
        timeout = self.timeout

        def carry() -> None:
            try:
                future.set_result(self._insist(timeout))
            except BaseException as error:
                future.set_exception(error)

        self._reply = future
        # A thread that nobody waits for: at the end of the process it may still wait for a reply.
        threading.Thread(target=carry, daemon=True, name="http exchange").start()

    def receive(self, timeout: float | None) -> Reply:
        """Implements Transport.receive."""
        assert self._reply is not None, "receive() without send()"
        try:
            return self._reply.result(timeout)
        except TimeoutError as error:
            raise self._late(timeout) from error

    def ready(self, timeout: float) -> bool:
        """Implements Transport.ready."""
        assert self._reply is not None, "ready() without send()"
        return bool(wait([self._reply], timeout).done)

    def _attempt(self, timeout: float | None) -> Reply:
        reply = None
        # Whoever repeats an old request learns nothing new, but if it did not arrive the server
        # would not take the next one.
        for data in list(self._unanswered):
            reply = self._answer(self._post(data, timeout))
        if reply is None:
            raise ProtocolError("The server answered with the number of another request.")
        return reply

    def _post(self, data: bytes, timeout: float | None) -> bytes:
        assert self._client is not None, "connected on opening"
        connect = CONNECT_LIMIT if timeout is None else min(timeout, CONNECT_LIMIT)
        limits = {"connect": connect, "pool": connect, "read": timeout, "write": timeout}
        request = httpx.Request(
            "POST",
            self._target,
            headers=self._prepared,
            content=data,
            extensions={"timeout": limits},
        )
        try:
            response = self._client.handle_request(request)
            body = response.read()
        except (httpx.ConnectTimeout, httpx.ConnectError) as error:
            if self._opened:
                raise ConnectionError(str(error)) from error
            raise self._unreachable(ConnectionError(str(error))) from error
        except httpx.TimeoutException as error:
            raise TimeoutError("timed out") from error
        except httpx.TransportError as error:
            raise ConnectionResetError(str(error) or type(error).__name__) from error
        if response.headers.get("content-type") == CONTENT_TYPE:
            return body
        if self._opened and response.status_code in RETRIED:
            raise ConnectionError(f"HTTP {response.status_code}")
        raise self._refused(response.status_code, body)

    def _hang_up(self) -> None:
        """Nothing to do: what broke is out of the pool, and a new connection made when needed."""

    def close(self) -> None:
        """Ends the session, and the server where it is ours."""
        super().close()
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _proxy(url: str) -> str | None:
    """The proxy that the environment variables name for a URL."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
