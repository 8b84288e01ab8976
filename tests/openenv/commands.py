"""The command ``openenv``, as a function that :class:`tests.openenv.peers.PeerPython` calls.

One process for many calls, since the import takes seconds. Only a peer's process can import this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from openenv.cli.__main__ import app
from openenv.cli._cli_utils import validate_env_structure


def run(*, words: list[str]) -> dict[str, Any]:
    """Return the exit code and the output of a command line."""
    done = CliRunner().invoke(app, words)
    return {"code": done.exit_code, "output": done.output}


def missing(*, folder: str) -> list[str]:
    """Return what ``openenv push`` wants of a folder; an error where it refuses it."""
    return validate_env_structure(Path(folder))
