"""A bad network: each step is carried out once, and is the same as in process."""

from __future__ import annotations

import pytest

from tests.environments import INLINE, THREADED
from tests.faults.proxy import CUTS, DELIVERIES
from tests.faults.steps import play
from tests.servers import process


@pytest.mark.parametrize(("environment", "size"), [(THREADED, 50_000), (INLINE, 1)])
@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_steps_through_a_bad_network(environment: str, transport: str, size: int) -> None:
    with process(environment) as (server, port):
        played = play(
            environment,
            transport,
            100,
            port=port,
            faults=(*CUTS, *DELIVERIES),
            each=4,
            seed=size,
            size=size,
        )
        assert server.poll() is None
    assert played.right, played
    assert sum(played.faults.values()) > 10


def test_steps_in_a_process() -> None:
    played = play(THREADED, "process", 200)
    assert played.right, played
    assert played.steps == 200
