"""A simulation in this process or in a process of its own.

libsumo can run one simulation in a process. A simulation of the user's files gets a process of its
own, since SUMO crashes on some broken files. But a round trip between two processes adds a tenth to
a third of a step's time. So a simulation of a network of SUMO-RL runs in this process if it is the
only one.
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


class SimulationRunner:
    """A :class:`~openenv_gym_envs.sumo.simulation.Simulation` in a process that has room for it.

    Args:
        options: Options of the simulation.
        trusted: Whether the files are known to be sound, so that it may run in this process.

    Attributes:
        action_space: Action space of the simulation.
        observation_space: Observation space of the simulation.

    Raises:
        OptionError: SUMO cannot load the network, or the junction does not exist.
        TransportError: The simulation's process could not be started.
    """

    def __init__(self, options: dict[str, Any], *, trusted: bool) -> None:
        self._options = options
        self._trusted = trusted
        self._env = self._start()
        self.action_space = self._env.action_space
        self.observation_space = self._env.observation_space

    def _start(self) -> OpenEnvGym:
        here = self._trusted and not _in_use() and _here.acquire(blocking=False)
        # This is called once: by close(), or when this object is dropped without it.
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
        """Whether the simulation runs in a process of its own."""
        return self._env.transport.name == "process"

    def reset(self, seed: int) -> tuple[Any, dict[str, Any]]:
        """Begin a simulation; if its process died, in a new one."""
        try:
            return self._env.reset(seed=seed)
        except TransportError:
            self.close()
            self._env = self._start()
            return self._env.reset(seed=seed)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Advance by a step.

        Raises:
            TransportError: The simulation's process died.
        """
        return self._env.step(action)

    def render(self) -> Any:
        """Return the picture."""
        return self._env.render()

    def close(self) -> None:
        """End the simulation, and its process if it has one."""
        self._env.close()
        self._leave()


def _nothing() -> None:
    pass


def _in_use() -> bool:
    """Return whether other code uses a simulation in this process, or one over a socket."""
    libsumo, traci = sys.modules.get("libsumo"), sys.modules.get("traci")
    return bool((libsumo and libsumo.isLoaded()) or (traci and not traci.isLibsumo()))
