"""Runs the code of one episode, in one namespace. Whatever comes from here on is hostile."""

from __future__ import annotations

import ast
import io
import json
import linecache
import random
import signal
import socket
import struct
import sys
import traceback
import types
from typing import Any, NamedTuple

from openenv_gym_envs.sandbox.inside import confine, frames, seccomp, system
from openenv_gym_envs.sandbox.inside.capture import Capture, text_file

NUMBER = struct.Struct("!I")
"""Before the code of a step: its number."""

REPLY = struct.Struct("!IB")
"""Number of the step, and its exit code."""

_LONGEST_REQUEST = 1 << 24
_THREADS = 64


class Limits(NamedTuple):
    """What a worker may use.

    Attributes:
        memory: Bytes of address space.
        cpu: Seconds of CPU time, of all its steps.
        count_threads: Its threads can be limited without counting those of others.
    """

    memory: int
    cpu: int
    count_threads: bool


def work(
    channel: socket.socket,
    captures: tuple[Capture, Capture],
    limits: Limits,
    allowed: seccomp.Filter,
    seed: int,
) -> None:
    """Runs what comes over the channel, for as long as it is open.

    Args:
        channel: To the warden.
        captures: Where standard output and standard error go.
        limits: Its limits.
        allowed: The system calls that it has, but for signals to itself.
        seed: Of the module ``random``, and of numpy's old generator where numpy is loaded.
    """
    system.die_with_parent()
    confine.close_all_but(channel.fileno())
    confine.limit(limits.memory, _THREADS if limits.count_threads else None, limits.cpu)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % (1 << 32))
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = [""]
    sys.stdin = io.StringIO()
    files = text_file(captures[0]), text_file(captures[1])
    seccomp.and_itself(allowed)
    allowed.load()
    while True:
        request = frames.receive(channel, _LONGEST_REQUEST)
        (number,) = NUMBER.unpack_from(request)
        for capture in captures:
            capture.clear()
        sys.stdout, sys.stderr = files
        status = _run(request[NUMBER.size :].decode(), main, f"<step {number}>", captures[0])
        frames.send(channel, REPLY.pack(number, status))


def _run(code: str, main: types.ModuleType, filename: str, output: Capture) -> int:
    """Runs the code of one step; returns its exit code."""
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    try:
        value = _evaluate(code, main.__dict__, filename)
        if value is not None:
            reported = _to_text(value).encode(errors="backslashreplace")
            # As OpenEnv puts them together.
            output.write(b"\n" + reported if output.written else reported)
    except SystemExit as error:
        return _status(error)
    except BaseException as error:
        _tell(error)
        return 1
    return 0


def _evaluate(code: str, namespace: dict[str, Any], filename: str) -> Any:
    """The value of the last statement, where that is an expression; else None."""
    body = ast.parse(code, filename)
    last = body.body[-1] if body.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(body, filename, "exec"), namespace)
        return None
    del body.body[-1]
    first = compile(body, filename, "exec")
    expression = compile(ast.Expression(last.value), filename, "eval")
    exec(first, namespace)
    return eval(expression, namespace)


def _to_text(value: Any) -> str:
    try:
        return json.dumps(value)
    except Exception:
        return repr(value)


def _status(error: SystemExit) -> int:
    """What a process that ended so would have for its exit status."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _tell(error: BaseException) -> None:
    """Writes the traceback, as far as it is of the code itself, and without the marks under lines.

    What the standard library has between differs from one place and version of Python to another,
    and so do the marks.
    """
    reported = traceback.TracebackException.from_exception(error)
    waiting: list[traceback.TracebackException | None] = [reported]
    while waiting:
        one = waiting.pop()
        if one is not None:
            one.stack[:] = [frame for frame in one.stack if _is_of_code(frame.filename)]
            for frame in one.stack:
                frame.colno = None
            waiting += [one.__cause__, one.__context__, *(one.exceptions or ())]
    for line in reported.format():
        sys.stderr.write(line)


def _is_of_code(filename: str) -> bool:
    return filename.startswith("<") and not filename.startswith("<frozen ")
