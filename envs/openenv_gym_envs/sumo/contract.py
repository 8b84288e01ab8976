"""The contract tests of SUMO-RL, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"phase_id": "int!", "ts_id": "str"},
    observation={
        "observation": "[num]",
        "observation_shape": "[int]",
        "action_mask": "[int]",
        "sim_time": "num",
    },
    sample={"phase_id": 0},
    state={
        "net_file": "str",
        "route_file": "str",
        "num_seconds": "int",
        "delta_time": "int",
        "yellow_time": "int",
        "min_green": "int",
        "max_green": "int",
        "reward_fn": "str",
        "sim_time": "num",
        "total_vehicles": "int",
        "total_waiting_time": "num",
        "mean_waiting_time": "num",
        "mean_speed": "num",
    },
    metadata={"num_green_phases": "int", "system_info": "obj"},
    reset_reward=None,
)


class TestSumoRL(EnvironmentContract):
    id = "openenv/SumoRL-v0"


class TestSumoRLOfAllJunctions(TrajectoryContract):
    id = "openenv/SumoRL-v0"
    options: ClassVar[dict[str, Any]] = {"net": "2x2grid", "reward_fn": "pressure"}
