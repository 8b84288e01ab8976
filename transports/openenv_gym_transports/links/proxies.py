"""The proxy on the way to a server, by the environment variables, as httpx reads them."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies

from websockets.exceptions import InvalidHandshake, InvalidProxy
from websockets.proxy import parse_proxy
from websockets.sync.client import connect_http_proxy, connect_socks_proxy
from websockets.sync.utils import Deadline
from websockets.uri import WebSocketURI

from openenv_gym.errors import OptionError, missing_package
from openenv_gym_transports.links.server import NotConnectedError

_AS_HTTP = {"ws": "http", "wss": "https"}


class ProxyError(NotConnectedError):
    """The proxy cannot be reached, or does not connect to the server."""


def proxy_of(url: str) -> str | None:
    """Return the URL of the proxy on the way to a server; None if there is none.

    A WebSocket takes the proxy of an HTTP connection to the same server.
    """
    if not getproxies():
        return None
    # Here, since without such variables nobody needs it. These two are private, and what the
    # clients of httpx decide by: tests/transports/test_proxies.py compares the answers.
    from httpx import URL
    from httpx._utils import URLPattern, get_environment_proxies

    parts = urlsplit(url)
    address = URL(urlunsplit(parts._replace(scheme=_AS_HTTP.get(parts.scheme, parts.scheme))))
    proxies = get_environment_proxies()
    for pattern in sorted(map(URLPattern, proxies)):
        if pattern.matches(address):
            return proxies[pattern.pattern]
    return None


def shown(proxy: str) -> str:
    """Return the proxy's URL without its user and password."""
    parts = urlsplit(proxy)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def bad_proxy(proxy: str, why: object) -> OptionError:
    """Return the error for a proxy that cannot be used."""
    return OptionError(
        f"The environment variables name {shown(proxy)} as the proxy, which cannot be used: {why}. "
        "Give http://host:port, https://host:port, socks5://host:port or socks5h://host:port.",
        proxy=shown(proxy),
    )


def connect_through(
    proxy: str, uri: WebSocketURI, context: ssl.SSLContext, limit: float
) -> socket.socket:
    """Return a socket to a WebSocket's server that leads through a proxy.

    Args:
        proxy: URL of the proxy.
        uri: The server.
        context: For TLS to the proxy.
        limit: Seconds that it may take.

    Raises:
        OptionError: The URL is not that of a proxy.
        MissingDependencyError: A SOCKS proxy needs a package that is not installed.
        TimeoutError: It took longer.
        ProxyError: The proxy cannot be reached, or refuses.
    """
    deadline = Deadline(limit)
    try:
        parsed = parse_proxy(proxy)
        if parsed.scheme.startswith("socks"):
            return connect_socks_proxy(parsed, uri, deadline)
        return connect_http_proxy(parsed, uri, deadline, ssl=context)
    except InvalidProxy as error:
        raise bad_proxy(proxy, error.msg) from error
    except ImportError as error:
        raise missing_package(
            f"Connecting through the proxy {shown(proxy)}", "python-socks", "socks"
        ) from error
    except TimeoutError as error:
        raise TimeoutError(f"the proxy {shown(proxy)} did not connect in time") from error
    except (OSError, InvalidHandshake) as error:
        raise ProxyError(f"the proxy {shown(proxy)} does not connect: {error}") from error
