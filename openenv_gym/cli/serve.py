"""``openenv-gym serve``: an environment behind a pipe, or for the network."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path
from typing import Any

from openenv_gym import registry
from openenv_gym.cli.arguments import add_options, options_of
from openenv_gym.errors import OptionError, StartError
from openenv_gym.registry import Entry
from openenv_gym.server import variables
from openenv_gym.server.logs import FORMATS, set_up_logging
from openenv_gym.server.process import (
    check_limit,
    end_group_at_exit,
    keep_freed_memory,
    owner,
)
from openenv_gym.server.watcher import end_watcher, start_watcher


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("environment", help="name, id, or module:Class of the environment")
    parser.add_argument("--host", default=None, help="address to listen at (127.0.0.1)")
    parser.add_argument("--port", type=int, default=None, help="port to listen at (8000)")
    parser.add_argument(
        "--pipe",
        type=Path,
        metavar="DIR",
        help="serve one owner on this host: over the Unix socket DIR/socket, or with --port over "
        "TCP; the key is in DIR/key",
    )
    parser.add_argument(
        "--max-sessions", type=int, default=None, help="sessions at a time (64; of a pipe 1)"
    )
    parser.add_argument(
        "--idle-timeout",
        type=float,
        metavar="SECONDS",
        help="close a session that is not used for so long (network: 3600; pipe: never)",
    )
    parser.add_argument(
        "--resume-timeout",
        type=float,
        metavar="SECONDS",
        help="close a session whose connection dropped and did not come back (network: 60)",
    )
    add_options(
        parser,
        "option of the environment, which clients cannot change; also by a variable, as "
        f"{variables.OPTION}NAME=VALUE",
    )
    parser.add_argument(
        "--token",
        help="what clients must send as 'Authorization: Bearer TOKEN'; better in the variable "
        "OPENENV_GYM_TOKEN, which no list of processes shows",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that a server without a token may be called by, beside its addresses",
    )
    parser.add_argument(
        "--web",
        action="store_true",
        help="a page to play it by hand, at http://HOST:PORT/web; also by the variable "
        "ENABLE_WEB_INTERFACE=true",
    )
    parser.add_argument(
        "--debug", action="store_true", help="send clients the texts of the environment's errors"
    )
    parser.add_argument(
        "--drain-timeout",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="after SIGTERM take no new sessions, and let those that there are go on for so long "
        "(0: end at once, after the replies that are due)",
    )
    parser.add_argument(
        "--log-format", choices=FORMATS, default=FORMATS[0], help="how the log is written"
    )
    _add_backend(parser)
    _add_tls(parser)
    _add_inherited(parser)


def _add_backend(parser: argparse.ArgumentParser) -> None:
    """Where the sessions run, and how long they may take."""
    group = parser.add_argument_group("where sessions run")
    group.add_argument(
        "--backend",
        metavar="TRANSPORT",
        help="inprocess (in the server itself), process, docker, ray, or another transport; by "
        "default process for an environment of your own that does not declare itself inline, "
        "since a step of it that does not end would hold all sessions; else inprocess",
    )
    group.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help="spread sessions over N worker processes, or 'auto': one per core",
    )
    group.add_argument(
        "--sessions-per-worker", type=int, metavar="N", help="sessions that one worker may have"
    )
    group.add_argument(
        "--backend-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the backend's transport, such as memory=2g of docker",
    )
    group.add_argument(
        "--spare", type=int, default=0, metavar="K", help="keep K sessions opened and reset ahead"
    )
    group.add_argument(
        "--worker-memory",
        type=_size,
        metavar="SIZE",
        help="kill a worker that takes more: 512m, 2g",
    )
    group.add_argument(
        "--worker-max-steps", type=int, metavar="N", help="replace a worker after N steps"
    )
    for what in ("reset", "step", "render", "close"):
        group.add_argument(
            f"--{what}-timeout",
            type=float,
            metavar="SECONDS",
            help=f"end a session whose {what} takes longer, with the worker that it runs in",
        )


def _workers(text: str) -> int:
    return os.cpu_count() or 1 if text == "auto" else int(text)


def _size(text: str) -> int:
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    unit = units.get(text[-1:].lower())
    return int(text) if unit is None else int(float(text[:-1]) * unit)


def _add_tls(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("encryption (https and wss)")
    group.add_argument(
        "--ssl-certfile", type=Path, metavar="FILE", help="the server's certificate, in PEM"
    )
    group.add_argument(
        "--ssl-keyfile", type=Path, metavar="FILE", help="its key, if that is another file"
    )
    group.add_argument(
        "--ssl-ca",
        type=Path,
        metavar="FILE",
        help="clients must have a certificate that one of these signed",
    )


def _add_inherited(parser: argparse.ArgumentParser) -> None:
    """What a transport says to the server that it starts."""
    group = parser.add_argument_group("what a transport says to the server that it starts")
    group.add_argument(
        "--owned",
        action="store_true",
        help="end with the owner: the first connection of a pipe, or the standard input",
    )
    group.add_argument(
        "--fd",
        type=int,
        help="inherited socket: connected with --owned and no --port, or listening",
    )
    group.add_argument(
        "--connect", type=Path, metavar="SOCKET", help="connect to its Unix socket, with --owned"
    )
    group.add_argument(
        "--network", action="store_true", help="the socket of --fd is for the network faces"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until asked to stop."""
    set_up_logging(arguments.log_format, owned=arguments.owned)
    for name in ("max_sessions", "idle_timeout", "resume_timeout"):
        limit = getattr(arguments, name)
        check_limit(name, limit, f"--{name.replace('_', '-')} {limit}")
    if not arguments.drain_timeout >= 0:
        raise OptionError(
            f"--drain-timeout {arguments.drain_timeout} is not valid: give 0 or more."
        )
    pipe = (arguments.pipe or arguments.connect) is not None or (
        arguments.fd is not None and not arguments.network
    )
    if arguments.owned or not pipe:
        start_watcher(owner() if arguments.owned else None)
    try:
        _serve(arguments, pipe=pipe)
    finally:
        if not arguments.owned:  # that one's watcher is there to the last
            end_watcher()
    return 0


def _serve(arguments: argparse.Namespace, *, pipe: bool) -> None:
    keep_freed_memory()
    if arguments.owned:
        end_group_at_exit()
    entry = registry.environment(arguments.environment)
    by_variables = {} if pipe or arguments.owned else variables.options()
    options = {**entry.options, **by_variables, **options_of(arguments.option)}
    if pipe and arguments.web:
        raise OptionError("--web is a page for the network: not with --pipe, or its socket.")
    if pipe:
        _serve_pipe(entry, options, arguments)
    else:
        from openenv_gym.server.run import serve

        serve(entry.name, options, arguments)


def _serve_pipe(entry: Entry, options: dict[str, Any], arguments: argparse.Namespace) -> None:
    from openenv_gym.server.pipe import serve

    if not arguments.owned:  # an owner asks for it
        registry.load(entry)
    where: Path | socket.socket = arguments.pipe
    if arguments.fd is not None:
        try:
            where = socket.socket(fileno=arguments.fd)
        except OSError as error:
            raise StartError(
                f"--fd {arguments.fd} is not an inherited socket: {error}.",
                fd=arguments.fd,
            ) from error
        where.set_inheritable(False)
    if arguments.connect is not None:
        where = _connect(arguments.connect)
    address = None
    if arguments.port is not None:
        address = (arguments.host or "127.0.0.1", arguments.port)
    serve(
        entry.name,
        where,
        address=address,
        options=options,
        owned=arguments.owned,
        max_sessions=arguments.max_sessions or 1,
        idle_timeout=arguments.idle_timeout,
    )


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise StartError(f"Nobody listens at --connect {path}: {error}.", path=str(path)) from error
    return connection
