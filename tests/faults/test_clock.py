"""The clock of the machine jumps: no deadline, lease or timeout goes by it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
from gymnasium.spaces import Box, Discrete

from openenv_gym import Action, Environment, Observation, State
from tests.servers import process

NAME = f"{__name__}:Clock"

# For all programs in Python, those of servers and workers too.
JUMPING = """
import os, time

def jumping(real, unit):
    def now():
        with open(os.environ["CLOCK"]) as file:
            return real() + int(file.read()) * unit
    return now

time.time, time.time_ns = jumping(time.time, 1), jumping(time.time_ns, 10**9)
"""

TRAINER = """
import sys, time
from pathlib import Path
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import StepTimeoutError
from openenv_gym.wire.messages import Step

name, clock, port = sys.argv[1:]
urls = {"process": None, "websocket": f"ws://127.0.0.1:{port}", "http": f"http://127.0.0.1:{port}"}

def jump(hours):
    before = time.time()
    Path(clock).write_text(str(3600 * hours))
    assert abs(time.time() - before) > 3600, "the clock did not jump"

def make(limit):
    return [OpenEnvGym(name, transport=transport, url=urls[transport], step_timeout=limit)
            for transport in urls]

patient, hasty = make(600.0), make(0.5)
for env in patient + hasty:
    env.reset(seed=1)
    assert env.step(0)[0]["count"] == 1
for env in patient:
    env.link.send(Step(1))
jump(6)
for env in patient:  # the step that was under way, then the next one of the same session
    assert env.link.receive(600.0).observation["count"] == 2
    seen = env.step(0)[0]
    assert seen["count"] == 3
    assert abs(seen["time"] - time.time()) < 600, "the environment's clock did not jump"
jump(-6)
for env in hasty:
    try:
        env.step(1)
    except StepTimeoutError:
        continue
    raise AssertionError("the step had no limit")
for env in patient + hasty:
    env.close()
print("went on")
"""


class Wait(Action):
    go: Annotated[int, Discrete(2)] = 0


class Seen(Observation):
    count: Annotated[int, Discrete(10)] = 0
    time: Annotated[float, Box(0.0, 1e12, (), np.float64)] = 0.0


class Clock(Environment[Wait, Seen, State]):
    """Counts its steps, of which one takes a while, and shows what time it is."""

    def reset(self) -> Seen:
        self._count = 0
        return Seen()

    def step(self, action: Wait) -> Seen:
        time.sleep(2.0 * action.go)
        self._count += 1
        return Seen(count=self._count, time=time.time())

    @property
    def state(self) -> State:
        return State(step_count=self._count)


def test_the_clock_jumps(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    variables = {**os.environ, "PYTHONPATH": path, "CLOCK": str(clock)}
    with process(NAME, "--idle-timeout", "600", variables=variables) as (_, port):
        done = subprocess.run(
            [sys.executable, "-c", TRAINER, NAME, str(clock), str(port)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.stdout.strip() == "went on", done.stderr
