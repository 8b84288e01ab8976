"""The SUMO-RL environment: models around a simulation that is the only one in its process."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

import numpy as np
from gymnasium.spaces import Dict, Discrete, Space
from numpy.typing import NDArray
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError
from openenv_gym.models import Action, ClientOption, Observation
from openenv_gym_envs.sumo.hosted import HostedSimulation
from openenv_gym_envs.sumo.models import (
    SumoAction,
    SumoJunctionsAction,
    SumoJunctionsObservation,
    SumoObservation,
    SumoState,
)
from openenv_gym_envs.sumo.networks import NETWORKS, Name, Network

# Looked for, not imported: perhaps the simulation gets another process.
for _package in ("sumo_rl", "libsumo"):
    if importlib.util.find_spec(_package) is None:
        raise ModuleNotFoundError(f"No module named {_package!r}", name=_package)

_SEEDS = 2**31  # SUMO's are signed, of 32 bits

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
        ClientOption(Annotated[int, Field(ge=0, le=100_000)] | None),
    ] = None,
    num_seconds: Annotated[_Seconds | None, ClientOption(_Episode | None)] = None,
    delta_time: Annotated[_Seconds, ClientOption(_FewSeconds)] = 5,
    yellow_time: Annotated[_Seconds, ClientOption(_FewSeconds)] = 2,
    min_green: Annotated[_Seconds, ClientOption(_FewSeconds)] = 5,
) -> _SumoEnvironment[Any, Any]:
    """Makes an environment of a network, and starts the process of its simulation.

    Rules, observations and rewards are SUMO-RL's; defaults are those of OpenEnv's ``sumo_rl_env``.

    Args:
        net: A network that SUMO-RL ships; by default ``"single-intersection"``.
        net_file: A network of your own instead, and
        route_file: its traffic.
        junction: Id of the junction to control, while the others keep their fixed programs;
            ``"all"`` for all, with Spaces that are Dicts by their ids. By default the only one
            there is, or all where there are several.
        reward_fn: ``"diff-waiting-time"``: by how much the waiting time accumulated on the
            incoming lanes fell, in hundreds of seconds. ``"average-speed"``: relative to what is
            allowed. ``"queue"``: minus the halting vehicles. ``"pressure"``: leaving vehicles
            minus approaching ones.
        begin_time: Second at which the simulation begins; by default that of the network.
        num_seconds: Simulated seconds of an episode; by default that of the network: 3600 in the
            RESCO benchmark, else 20000.
        delta_time: Simulated seconds of a step.
        yellow_time: Seconds of yellow before another phase; fewer than ``delta_time``.
        min_green: Seconds that a green phase lasts at least: a change that comes sooner is ignored.

    Raises:
        OptionError: They do not fit together, or SUMO cannot load a file.
    """
    if delta_time <= yellow_time:
        raise OptionError(
            f"delta_time={delta_time} must be more than yellow_time={yellow_time}: the next phase "
            "would never be green.",
            delta_time=delta_time,
            yellow_time=yellow_time,
        )
    own = net_file is not None or route_file is not None
    network = _own(net, net_file, route_file) if own else NETWORKS[net or "single-intersection"]
    told: dict[str, Any] = {
        "net_file": network.net_file,
        "route_file": network.route_file,
        "reward_fn": reward_fn,
        "num_seconds": num_seconds or network.num_seconds,
        "delta_time": delta_time,
        "yellow_time": yellow_time,
        "min_green": min_green,
    }
    simulation = HostedSimulation(
        {
            **told,
            **network.files(),
            "begin_time": network.begin_time if begin_time is None else begin_time,
            "junction": junction,
        },
        trusted=not own,
    )
    several = isinstance(simulation.action_space, Dict)
    return (JunctionsEnvironment if several else JunctionEnvironment)(simulation, told)


def _own(net: str | None, net_file: str | None, route_file: str | None) -> Network:
    """The user's own network; the simulation's process finds it whatever its folder is."""
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
                f"A network of your own is two files: {name}= is missing.", option=name
            )
        if not Path(file).is_file():
            raise OptionError(
                f"{name}={file!r}: there is no such file where the environment runs; in a "
                "container it must be one of the container's.",
                path=file,
            )
        found[name] = str(Path(file).resolve())
    return Network(found["net_file"], found["route_file"])


class _SumoEnvironment(
    Environment[_ActionT, _ObservationT, SumoState], Generic[_ActionT, _ObservationT]
):
    """What one junction and several have in common.

    Args:
        simulation: The simulation.
        told: What the state tells of its options.
    """

    render_modes = ("rgb_array",)

    def __init__(self, simulation: HostedSimulation, told: dict[str, Any]) -> None:
        self._simulation = simulation
        self._told = told
        self._info: dict[str, Any] = {}
        self._steps = 0
        self._episode_id: str | None = None

    def _begin(self, episode_id: str | None) -> Any:
        """Begins a simulation; its first observation."""
        observation, self._info = self._simulation.reset(int(self.np_random.integers(_SEEDS)))
        self._steps, self._episode_id = 0, episode_id
        return observation

    def _advance(self, action: Any) -> tuple[Any, float, bool]:
        """One step: observation, reward, and whether the time is up."""
        observation, reward, _, truncated, self._info = self._simulation.step(action)
        self._steps += 1
        return observation, reward, truncated

    @property
    def state(self) -> SumoState:
        """The simulation as of the last step."""
        system = self._info.get("system_info", {})
        return SumoState(
            episode_id=self._episode_id,
            step_count=self._steps,
            sim_time=self._info.get("sim_time", 0.0),
            total_vehicles=self._info.get("vehicles", 0),
            total_waiting_time=system.get("system_total_waiting_time", 0.0),
            mean_waiting_time=system.get("system_mean_waiting_time", 0.0),
            mean_speed=system.get("system_mean_speed", 0.0),
            **self._told,
        )

    def render(self) -> NDArray[Any] | None:
        """(640, 640, 3) uint8: the network with its lights and vehicles."""
        return self._simulation.render() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Ends the simulation, and its process if it has one."""
        self._simulation.close()


class JunctionEnvironment(_SumoEnvironment[SumoAction, SumoObservation]):
    """One junction, whose lights the agent chooses."""

    action_type, observation_type, state_type = SumoAction, SumoObservation, SumoState

    def spaces(self) -> Mapping[str, Space[Any]]:
        """As the network's junction has phases and lanes."""
        simulation = self._simulation
        return {"phase_id": simulation.action_space, "observation": simulation.observation_space}

    def reset(self, episode_id: str | None = None) -> SumoObservation:
        """Begins a simulation.

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
    """All junctions at once; the reward is the sum of theirs."""

    action_type, observation_type = SumoJunctionsAction, SumoJunctionsObservation
    state_type = SumoState

    def spaces(self) -> Mapping[str, Space[Any]]:
        """As the network's junctions have phases and lanes."""
        simulation = self._simulation
        return {"phases": simulation.action_space, "observations": simulation.observation_space}

    def metadata(self) -> Mapping[str, Any]:
        """With the ids of the junctions, which are agents that act at the same time."""
        return {**super().metadata(), "agents": list(cast("Dict", self._simulation.action_space))}

    def reset(self, episode_id: str | None = None) -> SumoJunctionsObservation:
        """Begins a simulation.

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
