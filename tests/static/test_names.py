"""What both ends of a connection know is written once: in ``openenv_gym/wire/names.py``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import openenv_gym
from openenv_gym.wire import names

ROOT = Path(openenv_gym.__file__).parents[1]
NAMES = Path(names.__file__)

TEXTS = {
    value.lower(): name
    for name, value in vars(names).items()
    if name.isupper() and isinstance(value, str)
}


def constants(path: Path) -> Iterator[tuple[int, str]]:
    """The texts in a module, those in bytes too, with their lines; without docstrings."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            yield node.lineno, value.decode("latin-1") if isinstance(value, bytes) else value


def test_there_are_names() -> None:
    assert {"/ws", "openenv-gym.1", "x-session-id"} <= TEXTS.keys()


def test_no_name_is_written_a_second_time() -> None:
    again = [
        f"{path.relative_to(ROOT)}:{line} has {text!r}: write names.{TEXTS[text.lower()]}"
        for folder in ("openenv_gym", "transports/openenv_gym_transports")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != NAMES
        for line, text in constants(path)
        if text.lower() in TEXTS
    ]
    assert not again
