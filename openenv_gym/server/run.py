"""Running the network faces: uvicorn, with the settings that suit sessions."""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openenv_gym import registry
from openenv_gym.cli.arguments import options_of
from openenv_gym.errors import OpenEnvGymError, OptionError, StartError, missing_package
from openenv_gym.options import is_left_to_clients
from openenv_gym.server import variables
from openenv_gym.server.backend import INPROCESS, LIMITS, BackendSettings, default_backend
from openenv_gym.server.process import end_group, owner_left
from openenv_gym.server.watcher import watch_owner
from openenv_gym.sessions.make import make_adapter
from openenv_gym.wire.names import MAX_REQUEST
from openenv_gym.wire.token import sendable_token

if TYPE_CHECKING:
    import uvicorn

    from openenv_gym.server.sessions import Sessions

_HOST, _PORT = "127.0.0.1", 8000
_BACKLOG = 256  # connections that are accepted at once: less than a process may have files
_MAX_SESSIONS, _IDLE_TIMEOUT, _RESUME_TIMEOUT = 64, 3600.0, 60.0
_OWNED_SESSIONS = 1 << 20  # an owner has one, of as many lanes as it likes
_KEEP_ALIVE = 120  # seconds that an HTTP connection may be silent
_GRACE = 3  # seconds that running requests get when the server is asked to end
_HARD_LIMIT = 5.0  # seconds until an owned server is gone, whatever hangs


def serve(environment: str, options: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """Serves until a signal comes, or the owner is gone.

    Args:
        environment: Name of the environment.
        options: Options of the environment, which clients cannot change.
        arguments: Those of ``openenv-gym serve``.

    Raises:
        MissingDependencyError: The server's packages are not installed.
        OptionError: Strangers could reach it, and there is no token.
        StartError: It cannot listen there.
    """
    try:
        import uvicorn
        from starlette.applications import Starlette

        from openenv_gym.server.app import application, served_entry
        from openenv_gym.server.draining import DrainingServer
        from openenv_gym.server.sessions import Sessions
    except ImportError as error:
        raise missing_package("Serving for the network", str(error.name), "server") from error
    owned: bool = arguments.owned
    token = _secret() if owned else _token(arguments.token, arguments.host or _HOST)
    if arguments.backend is None:
        arguments.backend = INPROCESS if owned else default_backend(environment)
    if not owned:
        _check_makeable(environment, options, arguments.backend)
        arguments.web = arguments.web or variables.has_page()
    # An owner is there as long as the standard input is, and is the only client.
    forever = float("inf")
    entry, known_options = served_entry(environment)
    sessions = Sessions(
        entry,
        options={**known_options, **options},
        max_sessions=arguments.max_sessions or (_OWNED_SESSIONS if owned else _MAX_SESSIONS),
        idle_timeout=_given(arguments.idle_timeout, forever if owned else _IDLE_TIMEOUT),
        resume_timeout=_given(arguments.resume_timeout, forever if owned else _RESUME_TIMEOUT),
        owner=owned,
        reveal=arguments.debug or owned,
        backend=_backend(arguments),
    )
    app = application(
        Starlette,
        entry,
        sessions,
        token=token,
        web=arguments.web,
        allow_hosts=[
            *filter(None, [arguments.host]),
            *arguments.allow_host,
            *variables.host_names(),
        ],
    )
    decided = owned or arguments.token == "" or variables.is_open()
    open_to_all = token is None and not decided
    listener = _listener(arguments, open_to_all)
    settings = uvicorn_settings(sessions, tls_context(arguments))
    config = uvicorn.Config(app, **settings)
    server = DrainingServer(config, sessions, arguments.drain_timeout)
    logging.getLogger("uvicorn.error").addFilter(_Seldom())
    if owned:
        watch_owner(0)
        threading.Thread(target=_end_with_owner, args=(server,), daemon=True).start()
    else:
        _announce(environment, listener, arguments)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # uvicorn raises it again once it has shut down
    finally:
        if sessions.stuck:
            _exit(1)


def uvicorn_settings(
    sessions: Sessions | None = None, tls: ssl.SSLContext | None = None
) -> dict[str, Any]:
    """Return the settings of uvicorn that suit sessions.

    Args:
        sessions: Those of the application, ``app.state.sessions``.
        tls: Encrypts the connections.
    """
    from openenv_gym.server.connections import Connections

    http, ws = _protocols()
    return {
        "loop": "uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        "http": Connections(http, sessions, tls),
        "ws": ws,
        "backlog": _BACKLOG,
        "proxy_headers": False,
        "ws_per_message_deflate": False,
        "ws_max_size": MAX_REQUEST,
        # Pings keep proxies from closing a silent connection. A pong is not waited for: a client
        # reads nothing while its model thinks for minutes.
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": None,
        "timeout_keep_alive": _KEEP_ALIVE,
        "timeout_graceful_shutdown": _GRACE,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "log_config": None,
        "log_level": "warning",
    }


def _check_makeable(environment: str, options: Mapping[str, Any], backend: str) -> None:
    """Make an environment once, so that what is wrong is said now, and not to each client.

    Not where an option that it needs is left to its clients.

    Raises:
        OpenEnvGymError: It cannot be made.
    """
    entry = registry.environment(environment)
    make = registry.load(entry)
    if backend not in ("inprocess", "process"):  # elsewhere there may be more than here
        return
    if is_left_to_clients(make, options):
        return
    try:
        make_adapter(entry, options, None).close()
    except OpenEnvGymError:
        raise
    except Exception as error:
        raise StartError(
            f"{environment} cannot be made: {type(error).__name__}: {error}. Nothing is served.",
            environment=environment,
        ) from error


def _backend(arguments: argparse.Namespace) -> BackendSettings:
    """Return what the command line says of where sessions run."""
    limits = {
        name: getattr(arguments, f"{name}_timeout")
        for name in ("reset", "step", "render", "close")
        if getattr(arguments, f"{name}_timeout") is not None
    }
    return BackendSettings(
        name=arguments.backend,
        workers=arguments.workers,
        sessions_per_worker=arguments.sessions_per_worker,
        options=options_of(arguments.backend_option),
        spare=arguments.spare,
        limits=replace(LIMITS, **limits),
        worker_memory=arguments.worker_memory,
        worker_max_steps=arguments.worker_max_steps,
    )


def _protocols() -> tuple[Any, Any]:
    """Our protocols; or uvicorn's own, where these are not as ours need them."""
    try:
        from openenv_gym.server import uvicorn_protocols as ours

        problem = ours.unexpected()
        if problem is None:
            return ours.RequestProtocol, ours.FrameProtocol
    except (ImportError, AttributeError) as error:
        problem = str(error)
    from uvicorn.protocols.http.h11_impl import H11Protocol

    if not _fell_back:
        _fell_back.append(problem)
        logging.getLogger(__name__).warning(
            "this uvicorn is not one that we know (%s): its own protocols serve, which is slower",
            problem,
        )
    return H11Protocol, "websockets-sansio"


_fell_back: list[str] = []  # why, once it was logged


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _token(given: str | None, host: str) -> str | None:
    """Return the token: of the command line, else of the variable, which is not passed on.

    Raises:
        OptionError: No client can send it; or the variable is there but empty, as of a
            secret that was not filled in, and strangers could reach the server.
    """
    variable = os.environ.pop(variables.TOKEN, None)
    if given == "":
        return None
    if given is not None:
        return sendable_token(given, "--token")
    if variable is None or (not variable.strip() and _is_local(host)):
        return None
    return sendable_token(variable, f"The variable {variables.TOKEN}")


def _listener(arguments: argparse.Namespace, open_to_all: bool) -> socket.socket:
    """Return the listening socket: inherited, or bound here.

    Args:
        arguments: Those of ``openenv-gym serve``.
        open_to_all: There is no token, and nobody has said that there is to be none.
    """
    if arguments.fd is not None:
        listener = socket.socket(fileno=arguments.fd)
        listener.set_inheritable(False)
        if open_to_all and listener.family != socket.AF_UNIX:
            try:
                _check_local(listener.getsockname()[0])
            except OptionError:
                listener.close()
                raise
        return listener
    host = arguments.host or _HOST
    port = _PORT if arguments.port is None else arguments.port
    if open_to_all:
        _check_local(host)
    if not 0 <= port < 1 << 16:
        raise OptionError(f"There is no port {port}: they end at 65535.", port=port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StartError(
            f"Cannot listen at {host}, port {port}: {error}. Name another with --host or --port; "
            "--port 0 takes a free one.",
            host=host,
            port=port,
        ) from error


def _check_local(host: str) -> None:
    """Check that only this machine can reach an address.

    Raises:
        OptionError: Strangers can.
    """
    if not _is_local(host):
        raise OptionError(
            f"Whoever reaches {host} could use the server, and the environment may be worth "
            f"protecting: set the variable {variables.TOKEN}, or give --token, which every user of "
            f"this machine can see. --token '' serves without one, as does {variables.OPEN}=1.",
            host=host,
        )


def tls_context(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    """Return the context that encrypts connections, if there is a certificate.

    Raises:
        OptionError: A file is missing, or is not what it should be.
    """
    certificate, key, ca = arguments.ssl_certfile, arguments.ssl_keyfile, arguments.ssl_ca
    if certificate is None:
        if key is not None or ca is not None:
            raise OptionError("--ssl-keyfile and --ssl-ca need --ssl-certfile, which is missing.")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, _no_password)
    except OSError as error:
        raise OptionError(
            f"--ssl-certfile {certificate} and --ssl-keyfile {key or certificate} cannot be used: "
            f"{error}. Give a certificate and its key in PEM.",
            certificate=str(certificate),
        ) from error
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:
            raise OptionError(
                f"--ssl-ca {ca} cannot be used: {error}. Give the certificates of those that sign "
                "the clients' ones, in PEM.",
                ca=str(ca),
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    raise OptionError("The key of --ssl-keyfile has a password: give one without.")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _announce(environment: str, listener: socket.socket, arguments: argparse.Namespace) -> None:
    host, port = listener.getsockname()[:2]
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    s = "" if arguments.ssl_certfile is None else "s"
    log = logging.getLogger(__name__)
    log.info("serving %s at ws%s://%s and http%s://%s; Ctrl-C ends it", environment, s, at, s, at)
    if arguments.web:
        log.info("to play it by hand: http%s://%s/web", s, at)


class _Seldom(logging.Filter):
    """Lets what strangers can cause be logged once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Implements Filter.filter."""
        if record.exc_info:
            return True
        now = time.monotonic()
        if now - self._logged.get(record.msg, -60.0) < 60.0:
            return False
        self._logged[record.msg] = now
        return True


def _secret() -> str:
    """The first line of the standard input, read without a buffer: the watcher reads on."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise StartError("The owner was gone before it named a token.")
        line += byte
    return line.decode().strip()


def _end_with_owner(server: uvicorn.Server) -> None:
    """Ends the server when the standard input ends, which its owner holds open."""
    while os.read(0, 4096):
        pass
    owner_left()
    server.should_exit = True
    threading.Event().wait(_HARD_LIMIT)  # the process is gone before, unless a step hangs
    _exit(1)


def _exit(code: int) -> None:
    """Ends the process at once: a thread that hangs in a step may hang its ordinary end."""
    logging.getLogger(__name__).error("a step does not end, and nobody waits for it")
    logging.shutdown()
    end_group()
    os._exit(code)
