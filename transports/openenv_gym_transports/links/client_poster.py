"""POST requests by httpx: through a proxy, or by a client of the user's."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from openenv_gym.wire.names import MAX_MESSAGE
from openenv_gym_transports.links.http_client import Answer
from openenv_gym_transports.links.httpx_client import HttpClient

_AT_EXIT = 1.0  # seconds for a request of a program that ends


class ClientPoster:
    """Posts to one address, as :class:`~openenv_gym_transports.links.http_client.Poster` does.

    Each request has a thread of its own, so that several environments can wait side by side.

    Args:
        client: Makes the requests.
        url: The address.
        kind: Content type of what is posted, and of the replies to it.
        headers: Further headers of each request.
        limit: Seconds that a thread waits for a reply at most; None waits forever.

    Attributes:
        usable: The connection can take another request: always, since httpx sees to that.
        begun: Some of the reply is there already; not known, so never.
    """

    usable = True
    begun = False

    def __init__(
        self,
        client: HttpClient,
        url: str,
        kind: str,
        headers: Mapping[str, str],
        limit: float | None,
    ) -> None:
        self._client = client
        self._url = url
        self._headers = {**headers, "Content-Type": kind, "Accept": kind}
        self._limit = limit
        self._exchange: _Exchange | None = None

    def send(self, body: bytes, /) -> None:
        """Send one request; its reply is fetched by :meth:`receive`."""
        exchange = _Exchange(self._client, self._url, self._headers, body)
        self._exchange = exchange
        thread = threading.Thread(target=exchange.run, args=(self._limit,), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the program ends, and starts no threads any more
            exchange.run(_AT_EXIT)

    def receive(self, timeout: float | None) -> Answer:
        """Receive the reply.

        Args:
            timeout: Seconds that all of it may take; None waits forever.

        Raises:
            TimeoutError: It took longer.
            OSError: The connection broke, or could not be made.
            ProtocolError: It is larger than any reply of ours.
        """
        exchange = self._exchange
        assert exchange is not None
        if not exchange.done.wait(timeout):
            raise TimeoutError("timed out")
        if exchange.error is not None:
            raise exchange.error
        assert exchange.answer is not None
        return exchange.answer

    def ready(self, timeout: float) -> bool:
        """Return whether there is a reply; waits for it as long as that."""
        return self._exchange is None or self._exchange.done.wait(timeout)

    def fileno(self) -> None:
        """Return None: there is no socket to wait for, so :meth:`ready` is asked."""

    def close(self) -> None:
        """Give up the reply that is due; the client is the link's."""
        self._exchange = None


class _Exchange:
    """One request and its reply, or the error in its place."""

    def __init__(
        self, client: HttpClient, url: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        self._client = client
        self._url = url
        self._headers = headers
        self._body = body
        self.done = threading.Event()
        self.answer: Answer | None = None
        self.error: Exception | None = None

    def run(self, limit: float | None) -> None:
        try:
            self.answer = self._client.request(
                "POST", self._url, self._body, self._headers, limit=limit, largest=MAX_MESSAGE
            )
        except Exception as error:
            self.error = error
        self.done.set()
