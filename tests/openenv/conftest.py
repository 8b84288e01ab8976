"""Fixtures of the tests with the real openenv."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openenv.peers import StockPython


@pytest.fixture(scope="session")
def stock() -> Iterator[StockPython]:
    """A process of openenv 0.10.0 that calls functions of tests' modules."""
    python = StockPython()
    yield python
    python.close()
