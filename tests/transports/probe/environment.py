from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Literal

from gymnasium.spaces import Discrete

from openenv_gym import Action, Environment, Info, Observation, State


class ProbeAction(Action):
    do: Literal["report", "hang", "exit", "eat", "fork"]


class ProbeObservation(Observation):
    ok: Annotated[int, Discrete(2)] = 1
    status: Annotated[str, Info()] = ""
    report: Annotated[dict[str, str] | None, Info()] = None


class ProbeEnvironment(Environment[ProbeAction, ProbeObservation, State]):
    def reset(self) -> ProbeObservation:
        return ProbeObservation()

    def step(self, action: ProbeAction) -> ProbeObservation:
        if action.do == "hang":
            time.sleep(600)
        elif action.do == "exit":
            print("the probe leaves", flush=True)
            os._exit(7)
        elif action.do == "eat":
            bytearray(1 << 30)
        elif action.do == "fork":
            return ProbeObservation(report={"forked": str(_forks())})
        return ProbeObservation(report=_report())

    @property
    def state(self) -> State:
        return State()


def _report() -> dict[str, str]:
    found = {
        line.partition(":")[0]: line.partition(":")[2].strip()
        for line in Path("/proc/self/status").read_text().splitlines()
    }
    found["interfaces"] = " ".join(sorted(os.listdir("/sys/class/net")))
    found["writable"] = " ".join(
        path for path in ("/", "/opt", "/etc", "/tmp", "/var/scratch") if _writable(path)
    )
    found["shared"] = " ".join(sorted(os.listdir("/run/openenv-gym")))
    return found


def _writable(folder: str) -> bool:
    try:
        path = Path(folder, f"probe-{os.getpid()}")
        path.write_text("")
        path.unlink()
    except OSError:
        return False
    return True


def _forks() -> int:
    """How many processes can be started, at most 500."""
    children = []
    try:
        for _ in range(500):
            pid = os.fork()
            if pid == 0:
                time.sleep(20)
                os._exit(0)
            children.append(pid)
    except OSError:
        pass
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return len(children)
