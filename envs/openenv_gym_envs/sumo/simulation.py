"""A simulation of SUMO, which is the only one in its process.

The library libsumo is the simulator itself and can run one simulation in a process: a second one
silently replaces the first. ``runner.py`` makes sure that there is no second: it uses this module
in the process of the user for one simulation at a time, and in other processes for all others.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Dict
from numpy.typing import NDArray

from openenv_gym.errors import EnvironmentFailedError, MissingDependencyError, OptionError

_VARIABLE = "LIBSUMO_AS_TRACI"


@contextlib.contextmanager
def _library_for_socket() -> Iterator[None]:
    """Let the modules imported meanwhile use the library, and not a program over a socket.

    An environment variable chooses the library; it is removed again, so that no process inherits
    it.
    """
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "quiet"
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        if before is not None:
            os.environ[_VARIABLE] = before


try:
    with _library_for_socket():
        import traci  # first: sumo_rl finds SUMO through it

        if not traci.isLibsumo():
            # It fell back to the socket, since the library does not load. Its error says why.
            import libsumo
        import sumo_rl
    import libsumo
except ImportError as error:
    raise MissingDependencyError(
        f"SUMO's library does not load: {error}. Beside the extra sumo it needs libraries of the "
        "system, even for drawing, which is not used: apt-get install libatomic1 libgl1 libxext6 "
        "libxrender1.",
        package=error.name,
        extra="sumo",
    ) from error

ALL = "all"
"""The value of ``junction`` that stands for all junctions."""


class Simulation(gymnasium.Env[Any, Any]):
    """Traffic on a road network; the agent chooses the lights of one junction or of all.

    For one junction the Spaces are a Box and a Discrete; for all they are Dicts of these, by the
    ids of the junctions, and the reward is the sum over them.

    Args:
        net_file: Path of the network.
        route_file: Path of the traffic.
        additional_file: Path of another file to load.
        junction: Id of the junction whose lights the agent chooses, while the others keep their
            fixed programs; ``"all"``; or None for the only junction, or all where there are
            several.
        reward_fn: Name of SUMO-RL's reward.
        render_mode: ``"rgb_array"``, or None.
        **timing: Further options of :class:`sumo_rl.SumoEnvironment`, in seconds.

    Raises:
        OptionError: The junction does not exist, or the network has no lights, or SUMO cannot read
            a file.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  # as gymnasium declares it

    def __init__(
        self,
        net_file: str,
        route_file: str,
        additional_file: str | None,
        junction: str | None,
        reward_fn: str,
        render_mode: str | None = None,
        **timing: int,
    ) -> None:
        self.render_mode = render_mode
        self._left_at: float | None = None  # the simulation's clock after the last call
        try:
            self._sumo = _Simulator(
                net_file,
                route_file,
                reward_fn=reward_fn,
                additional_sumo_cmd=None if additional_file is None else f"-a {additional_file}",
                sumo_warnings=False,
                **timing,
            )
        except libsumo.TraCIException as error:
            raise OptionError(
                f"SUMO cannot load net_file={net_file!r}: {str(error).strip()}", path=net_file
            ) from error
        self._junctions = self._sumo.control(junction)
        self._single = junction != ALL and len(self._junctions) == 1
        signals = self._sumo.traffic_signals
        observations = {one: signals[one].observation_space for one in self._junctions}
        actions = {one: signals[one].action_space for one in self._junctions}
        if self._single:
            (self.observation_space,) = observations.values()
            (self.action_space,) = actions.values()
        else:
            self.observation_space, self.action_space = Dict(observations), Dict(actions)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a simulation; the seed is SUMO's."""
        self._check_alone()
        self._left_at = None
        try:
            observations = self._sumo.reset(seed=seed)
        except libsumo.TraCIException as error:
            libsumo.close()  # the simulation may exist in part
            file = self._sumo.route_file
            raise OptionError(
                f"SUMO cannot load route_file={file!r}: {str(error).strip()}", path=file
            ) from error
        self._left_at = self._sumo.sim_step
        return self._select(observations), self._sumo.describe()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Show the chosen phases for ``delta_time`` seconds; the end of time truncates."""
        self._check_alone()
        phases = {self._junctions[0]: action} if self._single else action
        try:
            observations, rewards, dones, info = self._sumo.step(phases)
        except BaseException:  # such as Ctrl-C: the state of the simulation is not known
            self.close()
            raise
        self._left_at = info["sim_time"]
        rewards = {junction: float(reward) for junction, reward in rewards.items()}
        if not self._single:
            info["rewards"] = rewards
        return self._select(observations), sum(rewards.values()), False, dones["__all__"], info

    def _select(self, observations: dict[str, NDArray[np.float32]]) -> Any:
        return observations[self._junctions[0]] if self._single else observations

    def _alone(self) -> bool:
        """Return whether no other code has started or ended a simulation in this process."""
        loaded: bool = libsumo.isLoaded()
        if self._left_at is None or not loaded:
            return self._left_at is None and not loaded
        return bool(self._sumo.sim_step == self._left_at)

    def _check_alone(self) -> None:
        if not self._alone():
            raise EnvironmentFailedError(
                "Other code of this process has started or ended a simulation of SUMO. A process "
                "can run only one, so this one is gone: close it and make another, with "
                "transport='process' if the other code continues."
            )

    def render(self) -> NDArray[np.uint8]:
        """Draw the network with its lights and vehicles, from above."""
        self._check_alone()
        # Imported here, since Pillow is slow to load and only this needs it.
        from openenv_gym_envs.sumo.drawing import draw

        return draw(self._sumo.sumo)

    def close(self) -> None:
        """End the simulation, unless other code has started another."""
        if not self._alone():
            self._sumo.sumo = None
        self._sumo.close()
        self._left_at = None


_Untyped: Any = sumo_rl.SumoEnvironment  # type checkers infer wrong types for it


class _Simulator(_Untyped):  # type: ignore[misc]  # a class of any type
    """SUMO-RL's environment of several junctions, which observes only the controlled ones."""

    ts_ids: list[str]

    def __init__(self, net_file: str, route_file: str, **settings: Any) -> None:
        self.sumo: Any = None  # SUMO-RL closes it even if it could not make it
        self.route_file = route_file
        super().__init__(net_file, route_file, add_per_agent_info=False, **settings)

    def control(self, junction: str | None) -> list[str]:
        """Leave all junctions but one to their fixed programs; return the controlled ids."""
        if not self.ts_ids:
            raise OptionError(
                f"The network {self._net!r} has no traffic light to control: give another network.",
                path=self._net,
            )
        if junction not in (None, ALL):
            if junction not in self.ts_ids:
                raise OptionError(
                    f"junction={junction!r} does not exist in the network. Choose "
                    f"{', '.join(self.ts_ids)} or 'all'.",
                    known=self.ts_ids,
                )
            self.ts_ids = [junction]
            self.observations, self.rewards = {junction: None}, {junction: None}
        return list(self.ts_ids)

    def describe(self) -> dict[str, Any]:
        """Return the facts about the simulation that the observation lacks."""
        vehicle = self.sumo.vehicle
        vehicles = vehicle.getIDList()
        speeds = [vehicle.getSpeed(each) for each in vehicles]
        waits = [vehicle.getWaitingTime(each) for each in vehicles]
        count = len(vehicles) or 1
        waited = math.fsum(waits)
        return {
            "sim_time": self.sim_step,
            "vehicles": len(vehicles),
            "system_info": {
                # SUMO calls vehicles slower than 0.1 m/s halting.
                "system_total_stopped": sum(speed < 0.1 for speed in speeds),
                "system_total_waiting_time": waited,
                "system_mean_waiting_time": waited / count,
                "system_mean_speed": math.fsum(speeds) / count,
            },
        }

    def _compute_info(self) -> dict[str, Any]:
        """Override SUMO-RL's method, which stores the info of all steps for CSV files."""
        return self.describe()
