"""What is no request harms a server on none of its faces, and nobody else's session."""

from __future__ import annotations

import pytest

from tests.environments import THREADED
from tests.faults.strangers import FACES, under_attack
from tests.servers import process


@pytest.mark.parametrize("face", FACES)
def test_malformed_requests_and_slow_connections(face: str) -> None:
    with process(THREADED, "--max-sessions", "8") as (server, port):
        toll = under_attack(server.pid, port, face, 300, 100, seconds=0.3)
        assert server.poll() is None
    assert toll.taken == 300
    assert toll.sessions == 0
    assert toll.memory < 20.0
