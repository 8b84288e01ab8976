"""SUMO-RL on libsumo, with one junction."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from openenv_gym_envs.comparison import Comparison, Player


class SingleIntersection(Player):
    def __init__(self) -> None:
        # The imports read this variable: it chooses the library over a socket to a program.
        os.environ["LIBSUMO_AS_TRACI"] = "quiet"
        import traci  # noqa: F401  # sumo_rl finds SUMO by it

        import sumo_rl  # isort: skip

        stem = "single-intersection/single-intersection"
        home = Path(sumo_rl.__file__).parent / "nets"
        self._env = sumo_rl.SumoEnvironment(
            str(home / f"{stem}.net.xml"),
            str(home / f"{stem}.rou.xml"),
            single_agent=True,
            num_seconds=20000,
            add_per_agent_info=False,  # our environment does not compute it either
            sumo_warnings=False,
        )

    def reset(self) -> None:
        self._env.reset(seed=1)

    def choose(self) -> Any:
        return self._env.action_space.sample()

    def step(self, action: Any) -> bool:
        outcome: Any = self._env.step(action)  # of one agent, as the class says
        _, _, terminated, truncated, _ = outcome
        return bool(terminated or truncated)

    def close(self) -> None:
        self._env.close()


COMPARISONS = (Comparison("SUMO-RL", "openenv/SumoRL-v0", SingleIntersection, bar=0.9, apart=True),)
