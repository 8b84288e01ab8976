"""Hostile programs for the Coding environment, and what is to come of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TIMED_OUT = 124
_KILLED = 137

_ATTEMPT = """
import ctypes, os, struct, sys

OTHERS = [1]; FILE = STREAM = DATAGRAM = ABSTRACT = '/run/nothing'; TCP = UDP = 1
#VICTIM
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, call):
    try:
        result = call()
    except BaseException:
        return
    if not ("libc" in str(name) and result == -1):
        print("SUCCEEDED:", name, result)

"""
_HEADER = re.compile(
    r"#### (?P<name>.+?) -> (?P<codes>[\d ]+?)(?P<lost> lost)?(?:: (?P<said>.+?))?(?P<star> \*)?"
)


class Program(NamedTuple):
    """A hostile program.

    Attributes:
        code: The program.
        exit_codes: What its step may end with.
        reported: What its ``stdout`` or ``stderr`` says.
        lost: It may end its sandbox.
    """

    code: str
    exit_codes: tuple[int, ...]
    reported: str = ""
    lost: bool = False

    @property
    def slow(self) -> bool:
        """It may take all the time that it has."""
        return TIMED_OUT in self.exit_codes


def _from_file(name: str) -> Iterator[tuple[str, Program]]:
    text = Path(__file__).with_name(name).read_text("utf-8")
    for block in re.split(r"\n(?=#### )", text)[1:]:
        first, _, code = block.partition("\n")
        header = _HEADER.fullmatch(first)
        assert header is not None, first
        codes = tuple(map(int, header["codes"].split()))
        code = (_ATTEMPT if header["star"] else "") + code
        yield header["name"], Program(code, codes, header["said"] or "", bool(header["lost"]))


PROGRAMS = {
    "parsing: brackets": Program("(" * 60_000, (1,), "SyntaxError"),
    "parsing: signs": Program("-" * 60_000 + "1", (1, _KILLED)),
    "parsing: attributes": Program("a" + ".a" * 30_000, (1, _KILLED)),
    "parsing: lambdas": Program("lambda:" * 9_000 + "0", (1, _KILLED)),
    "parsing: calls": Program("f" + "()" * 30_000, (1, _KILLED)),
    "parsing: long number": Program("9" * 60_000, (1,), "SyntaxError"),
    "parsing: null byte": Program("a\0b", (1,), "SyntaxError"),
    **dict(_from_file("attacks.txt")),
}
"""For Coding."""

OF_GIT = dict(_from_file("attacks_git.txt"))
"""For the sandbox of Git."""

CONTROL = Program(_ATTEMPT + "attempt('control', os.getpid)", (0,), "SUCCEEDED: control")
"""What is printed of an attempt that succeeds."""
