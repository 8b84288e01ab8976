"""Trainers that are killed: what they started ends with them, in whatever phase it is."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import is_running

HERE = Path(__file__).parent
STUBBORN = "stubborn:Stubborn"

PHASES = ("make", "reset", "step", "render", "close")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

LIMIT = 15.0
"""Seconds after which nothing may be left."""

_MARK = "OPENENV_GYM_FAULTS_MARK"
_CONTAINER = "a container"

_TRAINER = """
import sys
from openenv_gym.env import OpenEnvGym

transport, image, phase, how = sys.argv[1:]
made = {"image": image} if image else {}

def make():
    return OpenEnvGym(
        "stubborn:Stubborn", transport=transport, render_mode="ansi", timeout=None, phase=phase,
        how=how, transport_options={"start_timeout": 600.0}, **made,
    )

def begin():
    print("begun", flush=True)

if phase == "make":
    begin()
    while True:
        make().close()
env = make()
if phase == "reset":
    begin()
while True:
    env.reset()
    if phase == "step":
        begin()
    for _ in range(50):
        env.step(0)
    if phase == "render":
        begin()
    for _ in range(50):
        env.render()
    if phase == "close":
        begin()
        env.close()
        env = make()
"""


@dataclass(frozen=True)
class Case:
    """A trainer, and how it is killed."""

    transport: str
    phase: str
    how: str
    signum: signal.Signals
    wait: float
    image: str = ""


@dataclass
class Kill:
    """What came of one.

    Attributes:
        case: The trainer.
        seconds: How long it took until nothing was left.
        left: What was left after :data:`LIMIT`.
    """

    case: Case
    seconds: float = 0.0
    left: list[str] = field(default_factory=list)


def cases(
    count: int, transports: tuple[str, ...], rng: random.Random, image: str = ""
) -> Iterator[Case]:
    """Yield so many trainers; a third of them hold the interpreter lock in their phase."""
    for number in range(count):
        how = "lock" if number % 3 == 0 else rng.choice(("sleep", "quick", "quick", "quick"))
        yield Case(
            rng.choice(transports),
            rng.choice(PHASES),
            how,
            rng.choice(SIGNALS),
            rng.uniform(0.0, 1.0),
            image,
        )


def kill_all(chosen: list[Case], at_once: int = 3) -> list[Kill]:
    """Start and kill trainers, a few at once."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(kill, chosen))


def kill(case: Case) -> Kill:
    """Start a trainer, kill it in its phase, and look at what is left."""
    mark = uuid.uuid4().hex
    folder = Path(tempfile.mkdtemp(prefix="oef-", dir="/tmp"))  # short: a socket is in it
    trainer = subprocess.Popen(
        [sys.executable, "-c", _TRAINER, case.transport, case.image, case.phase, case.how],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
            "TMPDIR": str(folder),
            _MARK: mark,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=_heed_ctrl_c,
    )
    with trainer:
        assert trainer.stdout is not None
        begun = trainer.stdout.readline()
        assert begun, f"the trainer ended by itself: {case}"
        time.sleep(case.wait)
        trainer.send_signal(case.signum)
        done, started = Kill(case), time.monotonic()
        while left := _left(trainer, mark, folder, case):
            done.seconds = time.monotonic() - started
            if done.seconds > LIMIT:
                done.left = left
                _clean_up(mark)
                break
            time.sleep(0.05)
        done.seconds = time.monotonic() - started
        trainer.kill()
    shutil.rmtree(folder, ignore_errors=True)
    return done


def _heed_ctrl_c() -> None:
    """As a terminal starts a trainer; what a shell starts in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _left(trainer: subprocess.Popen[bytes], mark: str, folder: Path, case: Case) -> list[str]:
    left = [f"process {pid}" for pid in _marked(mark)]
    left += [] if trainer.poll() is not None else ["the trainer"]
    try:
        left += [str(path) for path in folder.rglob("*")]
    except FileNotFoundError:  # removed while it was looked at
        left.append("a folder")
    if case.image and not left and _containers(trainer.pid):
        left.append(_CONTAINER)
    return left


def _marked(mark: str) -> list[int]:
    """Return the processes that have the mark among their variables."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            has = mark.encode() in path.read_bytes()
        except OSError:
            continue
        if has and is_running(pid := int(path.parent.name)):
            found.append(pid)
    return found


def _containers(pid: int) -> bool:
    from openenv_gym_transports.containers.engine import connect
    from tests.transports.containers import containers_of

    client = connect()
    try:
        return bool(containers_of(client, pid))
    finally:
        client.close()


def _clean_up(mark: str) -> None:
    for pid in _marked(mark):
        os.kill(pid, signal.SIGKILL)
