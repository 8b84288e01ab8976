"""Models of the SUMO-RL environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete

from openenv_gym.models import Action, Array, Info, LegalActions, Observation, State

# Spaces of the network "single-intersection"; each instance has those of its own network.
_PHASE = Discrete(2)
_FEATURES = Box(0.0, 1.0, (11,), np.float32)


class SumoAction(Action):
    """What one junction shows next.

    Attributes:
        phase_id: The green phase for the next ``delta_time`` seconds, from 0.
        ts_id: As in OpenEnv, where it is ignored: there is one junction.
    """

    phase_id: Annotated[int, _PHASE]
    ts_id: Annotated[str, Info()] = "0"


class SumoObservation(Observation):
    """What one junction sees.

    Attributes:
        observation: float32 in [0, 1]: the green phase (one-hot), whether it may change already,
            density and queue of each incoming lane.
        observation_shape: Its shape, as a list.
        action_mask: The phases that may be chosen: all, always.
        sim_time: Simulated seconds.
    """

    observation: Annotated[Array, _FEATURES]
    observation_shape: Annotated[list[int], Info()]
    action_mask: Annotated[list[int], LegalActions()]
    sim_time: Annotated[float, Info()] = 0.0


class SumoJunctionsAction(Action):
    """What every junction shows next.

    Attributes:
        phases: The green phase of each junction, by its id.
    """

    phases: Annotated[dict[str, int], Dict({"t": _PHASE})]


class SumoJunctionsObservation(Observation):
    """What every junction sees.

    Attributes:
        observations: By the id of the junction, as ``SumoObservation.observation``.
        rewards: What each got by the step, by its id; empty after a reset.
        sim_time: Simulated seconds.
    """

    observations: Annotated[dict[str, Array], Dict({"t": _FEATURES})]
    rewards: Annotated[dict[str, float], Info()]
    sim_time: Annotated[float, Info()] = 0.0


class SumoState(State):
    """The simulation, and what it was set to.

    Attributes:
        net_file: The network; of a shipped one the path within SUMO-RL's own.
        route_file: Its traffic, likewise.
        num_seconds: Simulated seconds of an episode.
        delta_time: Simulated seconds of a step.
        yellow_time: Seconds of yellow between two green phases.
        min_green: Seconds that a green phase lasts at least.
        max_green: As in OpenEnv, where nothing enforces it either: SUMO-RL only keeps it.
        reward_fn: Name of the reward.
        sim_time: Simulated seconds, from ``begin_time`` on.
        total_vehicles: Vehicles that are on the network now.
        total_waiting_time: Seconds that they have been standing, summed.
        mean_waiting_time: The same on average.
        mean_speed: Metres per second on average.
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
