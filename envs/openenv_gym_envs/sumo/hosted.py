"""Where a simulation runs: in this process, or in one of its own.

libsumo has room for one simulation in a process. All could have a process of their own, and those
of files that may be broken do, since SUMO crashes on some. But a step is so short that a round trip
between two processes costs a tenth to a third of it. So a simulation of a shipped network runs in
this process if there is none yet.
"""

from __future__ import annotations

import sys
import threading
import weakref
from typing import Any

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OptionError, StartError, TransportError

_SIMULATION = "openenv_gym_envs.sumo.simulation:Simulation"
_here = threading.Lock()  # held while a simulation runs in this process


class HostedSimulation:
    """A :class:`~openenv_gym_envs.sumo.simulation.Simulation`, wherever it runs.

    Args:
        options: Of the simulation.
        trusted: Its files are known to be sound, so it may run in this process.

    Attributes:
        action_space: As of the simulation.
        observation_space: As of the simulation.

    Raises:
        OptionError: SUMO cannot load the network, or there is no such junction.
        TransportError: Its process could not be started.
    """

    def __init__(self, options: dict[str, Any], *, trusted: bool) -> None:
        self._options = options
        self._trusted = trusted
        self._env = self._start()
        self.action_space = self._env.action_space
        self.observation_space = self._env.observation_space

    def _start(self) -> OpenEnvGym:
        here = self._trusted and not _in_use() and _here.acquire(blocking=False)
        # Called once, by close() or when this is dropped without it.
        self._leave = weakref.finalize(self, _here.release if here else _nothing)
        transport = "inprocess" if here else "process"
        options = {**self._options, "render_mode": "rgb_array", "transport": transport}
        try:
            return OpenEnvGym(_SIMULATION, **options)
        except BaseException as error:
            self._leave()
            if isinstance(error, StartError) and not self._trusted:
                file = self._options["net_file"]
                raise OptionError(
                    f"SUMO cannot load net_file={file!r}: {error}", path=file
                ) from error
            raise

    @property
    def apart(self) -> bool:
        """It runs in a process of its own."""
        return self._env.transport.name == "process"

    def reset(self, seed: int) -> tuple[Any, dict[str, Any]]:
        """Begins anew; if its process died, in another."""
        try:
            return self._env.reset(seed=seed)
        except TransportError:
            self.close()
            self._env = self._start()
            return self._env.reset(seed=seed)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step.

        Raises:
            TransportError: Its process died.
        """
        return self._env.step(action)

    def render(self) -> Any:
        """The picture."""
        return self._env.render()

    def close(self) -> None:
        """Ends it, and its process if it has one."""
        self._env.close()
        self._leave()


def _nothing() -> None:
    pass


def _in_use() -> bool:
    """The user's own code has a simulation in this process, or talks to one over a socket."""
    libsumo, traci = sys.modules.get("libsumo"), sys.modules.get("traci")
    return bool((libsumo and libsumo.isLoaded()) or (traci and not traci.isLibsumo()))
