"""Fixtures of the tests with the real openenv."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openenv.peers import PeerPython


@pytest.fixture(scope="session")
def peer() -> Iterator[PeerPython]:
    """A process of openenv 0.10.0 that calls functions of tests' modules."""
    python = PeerPython()
    yield python
    python.close()
