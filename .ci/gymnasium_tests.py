"""Gymnasium's own tests over our environments: a plugin of pytest, which .ci/gymnasium uses.

In the tests' place of gymnasium's environments it puts ours: its classic ids are made through
``openenv/Gymnasium-v0``, ``make_vec`` makes our vector environments, and the tests of all
environments run over ours. What is known to fail, and why, is in gymnasium_exceptions.txt.
"""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import openenv_gym  # noqa: F401  # registers openenv/*

EXCEPTIONS = Path(__file__).with_name("gymnasium_exceptions.txt")
IDS = (
    "openenv/Chess-v0",
    "openenv/Connect4-v0",
    "openenv/Echo-v0",
    "openenv/OpenSpiel.tic_tac_toe-v0",
    "openenv/Atari.pong-v0",
    "openenv/TextArena-v0",
    "openenv/Chat-v0",
    "openenv/DIPGSafety-v0",
)
"""Environments that need neither a container nor a browser, and fit a test of seconds."""
CLASSIC = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text")


def ours(make: Any) -> Any:
    """Return ``gymnasium.make`` or ``make_vec`` that makes classic environments through ours."""

    def wrapped(id: Any, *arguments: Any, **keywords: Any) -> Any:
        spec = gymnasium.registry.get(id) if isinstance(id, str) else None
        if spec is None or not str(spec.entry_point).startswith(CLASSIC):
            return make(id, *arguments, **keywords)
        if not keywords.get("wrappers"):  # those of each environment need gymnasium's own vector
            keywords.pop("vectorization_mode", None)
        keywords |= keywords.pop("vector_kwargs", None) or {}
        return make("openenv/Gymnasium-v0", *arguments, env_id=id, **keywords)

    return wrapped


def exceptions() -> dict[str, str]:
    """Return the reasons of what is known to fail, by patterns of tests' names."""
    lines = (line.strip() for line in EXCEPTIONS.read_text(encoding="utf-8").splitlines())
    entries = (line.split(" | ", 1) for line in lines if line and not line.startswith("#"))
    return {pattern.strip(): reason.strip() for pattern, reason in entries}


def pytest_configure() -> None:
    """Put ours in place of gymnasium's, before its tests are imported."""
    gymnasium.make = ours(gymnasium.make)
    gymnasium.make_vec = ours(gymnasium.make_vec)
    from tests.envs import utils

    specs = [gymnasium.spec(id) for id in IDS if id in gymnasium.registry]
    utils.all_testing_env_specs[:] = specs
    utils.all_testing_initialised_envs[:] = [
        spec.make(disable_env_checker=True).unwrapped for spec in specs
    ]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out files that are known not to be importable here."""
    known = any(collection_path.match(f"*/{pattern}") for pattern in exceptions())
    return True if known else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is known to fail."""
    known = exceptions()
    for item in items:
        for pattern, reason in known.items():
            if fnmatch.fnmatch(item.nodeid, pattern.replace("[", "[[]")):
                # Not strict: most need a package, and pass where somebody installed it.
                item.add_marker(pytest.mark.xfail(reason=reason, strict=False))
