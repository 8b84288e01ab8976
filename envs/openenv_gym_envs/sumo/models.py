"""Models of the SUMO-RL environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete

from openenv_gym.models import Action, Array, Info, LegalActions, Observation, State

# The Spaces of the network "single-intersection"; each environment has those of its own network.
_PHASE = Discrete(2)
_FEATURES = Box(0.0, 1.0, (11,), np.float32)


class SumoAction(Action):
    """The next phase of one junction.

    Attributes:
        phase_id: The green phase for the next ``delta_time`` seconds, from 0.
        ts_id: Id of the junction, which is ignored as in OpenEnv: there is only one.
    """

    phase_id: Annotated[int, _PHASE]
    ts_id: Annotated[str, Info()] = "0"


class SumoObservation(Observation):
    """The view of one junction.

    Attributes:
        observation: float32 in [0, 1]: the green phase (one-hot), whether it may change now,
            density and queue of each incoming lane.
        observation_shape: Shape of the observation, as a list.
        action_mask: The phases that may be chosen, which are always all.
        sim_time: Simulated seconds.
    """

    observation: Annotated[Array, _FEATURES]
    observation_shape: Annotated[list[int], Info()]
    action_mask: Annotated[list[int], LegalActions()]
    sim_time: Annotated[float, Info()] = 0.0


class SumoJunctionsAction(Action):
    """The next phases of all junctions.

    Attributes:
        phases: The green phase of each junction, by its id.
    """

    phases: Annotated[dict[str, int], Dict({"t": _PHASE})]


class SumoJunctionsObservation(Observation):
    """The views of all junctions.

    Attributes:
        observations: By the id of the junction, arrays like ``SumoObservation.observation``.
        rewards: Rewards of the step by the id of the junction; empty after a reset.
        sim_time: Simulated seconds.
    """

    observations: Annotated[dict[str, Array], Dict({"t": _FEATURES})]
    rewards: Annotated[dict[str, float], Info()]
    sim_time: Annotated[float, Info()] = 0.0


class SumoState(State):
    """The simulation and its settings.

    Attributes:
        net_file: Path of the network; for a network of SUMO-RL relative to its folder.
        route_file: Path of the traffic; likewise.
        num_seconds: Simulated seconds of an episode.
        delta_time: Simulated seconds of a step.
        yellow_time: Seconds of yellow between two green phases.
        min_green: Least seconds of a green phase.
        max_green: Most seconds of a green phase, which nothing enforces, as in OpenEnv: SUMO-RL
            only stores it.
        reward_fn: Name of the reward.
        sim_time: Simulated seconds, from ``begin_time`` on.
        total_vehicles: Vehicles that are on the network now.
        total_waiting_time: Sum of the seconds for which these vehicles have been standing.
        mean_waiting_time: Mean of these seconds.
        mean_speed: Mean speed in metres per second.
    """

    net_file: str
    route_file: str
    num_seconds: int
    delta_time: int
    yellow_time: int
    min_green: int
    max_green: int = 50
    reward_fn: str
    sim_time: float = 0.0
    total_vehicles: int = 0
    total_waiting_time: float = 0.0
    mean_waiting_time: float = 0.0
    mean_speed: float = 0.0
