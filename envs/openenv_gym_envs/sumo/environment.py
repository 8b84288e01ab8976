"""The SUMO-RL environment: a simulation with models."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NoReturn, TypeVar, cast

import numpy as np
from gymnasium.spaces import Dict, Discrete, Space
from numpy.typing import NDArray
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import CopyError, OptionError
from openenv_gym.models import Action, ClientOption, Observation
from openenv_gym_envs.sumo.models import (
    SumoAction,
    SumoJunctionsAction,
    SumoJunctionsObservation,
    SumoObservation,
    SumoState,
)
from openenv_gym_envs.sumo.networks import NETWORKS, Name, Network
from openenv_gym_envs.sumo.runner import SimulationRunner

# The packages are only looked for, not imported, since the simulation may run in another process.
for _package in ("sumo_rl", "libsumo"):
    if importlib.util.find_spec(_package) is None:
        raise ModuleNotFoundError(f"No module named {_package!r}", name=_package)

_SEEDS = 2**31  # SUMO's seeds are signed and have 32 bits

Reward = Literal["diff-waiting-time", "average-speed", "queue", "pressure"]
_Seconds = Annotated[int, Field(ge=1, le=10**6)]
# What a client of a server may ask for.
_Id = Annotated[str, Field(max_length=200)]
_FewSeconds = Annotated[int, Field(ge=1, le=600)]
_Episode = Annotated[int, Field(ge=1, le=100_000)]
_ActionT = TypeVar("_ActionT", bound=Action)
_ObservationT = TypeVar("_ObservationT", bound=Observation)


def make(
    net: Annotated[Name | None, ClientOption()] = None,
    net_file: str | None = None,
    route_file: str | None = None,
    junction: Annotated[str | None, ClientOption(_Id | None)] = None,
    reward_fn: Annotated[Reward, ClientOption()] = "diff-waiting-time",
    begin_time: Annotated[
        Annotated[int, Field(ge=0, le=10**6)] | None,
        ClientOption(Annotated[int, Field(ge=0, le=100_000)] | None),  # pyright: ignore[reportOperatorIssue]
    ] = None,
    num_seconds: Annotated[_Seconds | None, ClientOption(_Episode | None)] = None,
    delta_time: Annotated[_Seconds, ClientOption(_FewSeconds)] = 5,
    yellow_time: Annotated[_Seconds, ClientOption(_FewSeconds)] = 2,
    min_green: Annotated[_Seconds, ClientOption(_FewSeconds)] = 5,
) -> _SumoEnvironment[Any, Any]:
    """Make an environment of a network, and start its simulation.

    Rules, observations and rewards are SUMO-RL's; defaults are those of OpenEnv's ``sumo_rl_env``.

    Args:
        net: Name of a network of SUMO-RL; by default ``"single-intersection"``.
        net_file: Path of a network of your own, instead of ``net``.
        route_file: Path of the traffic of your own network.
        junction: Id of the junction to control, while the others keep their fixed programs;
            ``"all"`` for all, with Spaces that are Dicts by their ids. By default the only
            junction, or all where the network has several.
        reward_fn: ``"diff-waiting-time"``: the decrease of the waiting time accumulated on the
            incoming lanes, in hundreds of seconds. ``"average-speed"``: the average speed,
            relative to the speed limit. ``"queue"``: minus the number of halting vehicles.
            ``"pressure"``: the number of leaving vehicles minus that of approaching ones.
        begin_time: Second at which the simulation begins; by default that of the network.
        num_seconds: Simulated seconds of an episode; by default that of the network: 3600 in the
            RESCO benchmark, else 20000.
        delta_time: Simulated seconds of a step.
        yellow_time: Seconds of yellow before another phase; less than ``delta_time``.
        min_green: Least seconds of a green phase: a change that comes sooner is ignored.

    Raises:
        OptionError: The options contradict each other, or SUMO cannot load a file.
    """
    if delta_time <= yellow_time:
        raise OptionError(
            f"delta_time={delta_time} must be more than yellow_time={yellow_time}: the next phase "
            "would never be green.",
            delta_time=delta_time,
            yellow_time=yellow_time,
        )
    own = net_file is not None or route_file is not None
    network = (
        _user_network(net, net_file, route_file) if own else NETWORKS[net or "single-intersection"]
    )
    settings: dict[str, Any] = {
        "net_file": network.net_file,
        "route_file": network.route_file,
        "reward_fn": reward_fn,
        "num_seconds": num_seconds or network.num_seconds,
        "delta_time": delta_time,
        "yellow_time": yellow_time,
        "min_green": min_green,
    }
    simulation = SimulationRunner(
        {
            **settings,
            **network.files(),
            "begin_time": network.begin_time if begin_time is None else begin_time,
            "junction": junction,
        },
        trusted=not own,
    )
    several = isinstance(simulation.action_space, Dict)
    return (JunctionsEnvironment if several else JunctionEnvironment)(simulation, settings)


def _user_network(net: str | None, net_file: str | None, route_file: str | None) -> Network:
    """Return the user's own network, with absolute paths for the simulation's process."""
    if net is not None:
        raise OptionError(
            f"Give net={net!r}, or net_file= and route_file=, not both.",
            net=net,
            net_file=net_file,
            route_file=route_file,
        )
    found = {}
    for name, file in (("net_file", net_file), ("route_file", route_file)):
        if file is None:
            raise OptionError(
                f"A network of your own needs two files: {name}= is missing.", option=name
            )
        if not Path(file).is_file():
            raise OptionError(
                f"{name}={file!r}: this file does not exist on the machine where the environment "
                "runs; a container sees only its own files.",
                path=file,
            )
        found[name] = str(Path(file).resolve())
    return Network(found["net_file"], found["route_file"])


class _SumoEnvironment(
    Environment[_ActionT, _ObservationT, SumoState], Generic[_ActionT, _ObservationT]
):
    """Base of the environments of one junction and of several.

    Args:
        simulation: The simulation.
        settings: The options that the state shows.
    """

    render_modes = ("rgb_array",)

    def __init__(self, simulation: SimulationRunner, settings: dict[str, Any]) -> None:
        self._simulation = simulation
        self._settings = settings
        self._info: dict[str, Any] = {}
        self._steps = 0
        self._episode_id: str | None = None

    def _begin(self, episode_id: str | None) -> Any:
        """Begin a simulation and return its first observation."""
        observation, self._info = self._simulation.reset(int(self.np_random.integers(_SEEDS)))
        self._steps, self._episode_id = 0, episode_id
        return observation

    def _advance(self, action: Any) -> tuple[Any, float, bool]:
        """Advance by a step; return observation, reward, and whether the time is over."""
        observation, reward, _, truncated, self._info = self._simulation.step(action)
        self._steps += 1
        return observation, reward, truncated

    @property
    def state(self) -> SumoState:
        """The state of the simulation after the last step."""
        system = self._info.get("system_info", {})
        return SumoState(
            episode_id=self._episode_id,
            step_count=self._steps,
            sim_time=self._info.get("sim_time", 0.0),
            total_vehicles=self._info.get("vehicles", 0),
            total_waiting_time=system.get("system_total_waiting_time", 0.0),
            mean_waiting_time=system.get("system_mean_waiting_time", 0.0),
            mean_speed=system.get("system_mean_speed", 0.0),
            **self._settings,
        )

    def render(self) -> NDArray[Any] | None:
        """Draw the network with its lights and vehicles: (640, 640, 3) uint8."""
        return self._simulation.render() if self.render_mode == "rgb_array" else None

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise CopyError("SUMO has one simulation in a process, which cannot be copied.")

    def close(self) -> None:
        """End the simulation, and its process if it has one."""
        self._simulation.close()


class JunctionEnvironment(_SumoEnvironment[SumoAction, SumoObservation]):
    """One junction, whose lights the agent chooses."""

    action_type, observation_type, state_type = SumoAction, SumoObservation, SumoState

    def spaces(self) -> Mapping[str, Space[Any]]:
        """The Spaces of the junction, whose sizes depend on its phases and lanes."""
        simulation = self._simulation
        return {"phase_id": simulation.action_space, "observation": simulation.observation_space}

    def reset(self, episode_id: str | None = None) -> SumoObservation:
        """Begin a simulation.

        Args:
            episode_id: Name of the episode in :attr:`state`.
        """
        return self._observe(self._begin(episode_id), None, False)

    def step(self, action: SumoAction) -> SumoObservation:
        """Implements Environment.step."""
        return self._observe(*self._advance(action.phase_id))

    def _observe(
        self, observation: NDArray[np.float32], reward: float | None, over: bool
    ) -> SumoObservation:
        phases = int(cast("Discrete", self._simulation.action_space).n)
        return SumoObservation(
            observation=observation,
            observation_shape=[len(observation)],
            action_mask=list(range(phases)),
            sim_time=self._info["sim_time"],
            done=over,
            truncated=over,
            reward=reward,
            metadata={"num_green_phases": phases, "system_info": self._info["system_info"]},
        )


class JunctionsEnvironment(_SumoEnvironment[SumoJunctionsAction, SumoJunctionsObservation]):
    """All junctions at once; the reward is the sum of the junctions' rewards."""

    action_type, observation_type = SumoJunctionsAction, SumoJunctionsObservation
    state_type = SumoState

    def spaces(self) -> Mapping[str, Space[Any]]:
        """The Spaces of the junctions, whose sizes depend on their phases and lanes."""
        simulation = self._simulation
        return {"phases": simulation.action_space, "observations": simulation.observation_space}

    def metadata(self) -> Mapping[str, Any]:
        """The general metadata, and the ids of the junctions as agents that act at once."""
        return {**super().metadata(), "agents": list(cast("Dict", self._simulation.action_space))}

    def reset(self, episode_id: str | None = None) -> SumoJunctionsObservation:
        """Begin a simulation.

        Args:
            episode_id: Name of the episode in :attr:`state`.
        """
        return self._observe(self._begin(episode_id), None, False)

    def step(self, action: SumoJunctionsAction) -> SumoJunctionsObservation:
        """Implements Environment.step."""
        return self._observe(*self._advance(action.phases))

    def _observe(
        self, observations: dict[str, NDArray[np.float32]], reward: float | None, over: bool
    ) -> SumoJunctionsObservation:
        return SumoJunctionsObservation(
            observations=observations,
            rewards=self._info.get("rewards", {}),
            sim_time=self._info["sim_time"],
            done=over,
            truncated=over,
            reward=reward,
            metadata={"system_info": self._info["system_info"]},
        )
