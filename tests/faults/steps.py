"""Steps through a bad network, compared with those of an environment that is played in process."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from openenv_gym.env import OpenEnvGym
from openenv_gym.testing import Transition, assert_same_trajectory
from tests.environments import COUNT
from tests.faults.proxy import Proxy

_EPISODE = 50  # steps


@dataclass
class Steps:
    """What came of them.

    Attributes:
        steps: How many were made and compared.
        faults: How often each fault befell one.
        lost: Steps that the environment had not counted when it should have.
        doubled: Steps that it counted twice.
        differ: Steps whose outcome was another than in process.
    """

    steps: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    differ: int = 0

    @property
    def right(self) -> bool:
        """Return whether each step was carried out once, and is the same to the bit."""
        return not (self.lost or self.doubled or self.differ)


def play(
    environment: str,
    transport: str,
    steps: int,
    *,
    port: int | None = None,
    faults: Sequence[str] = (),
    each: int = 1,
    seed: int = 0,
    size: int = 1,
) -> Steps:
    """Play a counting environment here and there with the same seeds, and compare all steps.

    Args:
        environment: One of ``tests.environments`` that counts its steps.
        transport: How the environment there is reached.
        steps: How many.
        port: That of its server; None where the transport starts what it needs.
        faults: What befalls a request between client and server, chosen by chance.
        each: A fault befalls one request of so many.
        seed: That of the chance.
        size: Bytes of the frame in an observation.
    """
    done, rng = Steps(), random.Random(seed)
    proxy = None if port is None else Proxy(port)
    scheme = {"websocket": "ws", "http": "http"}.get(transport)
    url = None if proxy is None else f"{scheme}://127.0.0.1:{proxy.port}"
    here = OpenEnvGym(environment, transport="inprocess", size=size)
    there = OpenEnvGym(environment, transport=transport, url=url, size=size, timeout=60.0)
    try:
        while done.steps < steps:
            _episode(here, there, done, min(_EPISODE, steps - done.steps), rng, proxy, faults, each)
    finally:
        there.close()
        here.close()
        if proxy is not None:
            proxy.close()
    return done


def _episode(
    here: OpenEnvGym,
    there: OpenEnvGym,
    done: Steps,
    length: int,
    rng: random.Random,
    proxy: Proxy | None,
    faults: Sequence[str],
    each: int,
) -> None:
    seed = rng.randrange(1 << 30)
    here.reset(seed=seed)
    there.reset(seed=seed)
    for number in range(1, length + 1):
        if proxy is not None and faults and rng.randrange(each) == 0:
            proxy.at, proxy.fault = rng.random(), rng.choice(faults)
            done.faults[proxy.fault] = done.faults.get(proxy.fault, 0) + 1
        got = Transition(COUNT, *there.step(COUNT))
        wanted = Transition(COUNT, *here.step(COUNT))
        done.steps += 1
        count = int(got.observation["count"])
        if count != number:
            done.lost += count < number
            done.doubled += count > number
            return  # what follows is as wrong as this
        try:
            assert_same_trajectory([got], [wanted])
        except AssertionError:
            done.differ += 1
