"""RLlib: PPO with action masks, in env runners of its own processes, on our vector environment.

    .ci/trainers && .build/trainers-venv/bin/python examples/trainers/rllib_ppo.py

Each env runner imports openenv_gym by the id, and makes all of its games by one call of
``make_vec``. ``mask_in_observation`` puts the legal actions where RLlib's
``ActionMaskingTorchRLModule`` reads them.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import ray
from gymnasium.spaces import Box, Dict, Space
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module.observation_preprocessor import (
    SingleAgentObservationPreprocessor,
)
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule

ID = "openenv_gym:openenv/Connect4-v0"
OPTIONS: dict[str, Any] = {"opponent": "random", "mask_in_observation": True}


class FlatBoard(SingleAgentObservationPreprocessor):
    """Makes a vector of float32 of the board: RLlib has no network for what has two dimensions."""

    def recompute_output_observation_space(
        self, input_observation_space: Space[Any], input_action_space: Space[Any]
    ) -> Space[Any]:
        """Return the space with a flat board."""
        board, mask = (input_observation_space[key] for key in ("observations", "action_mask"))
        flat = Box(-1.0, 1.0, (int(np.prod(board.shape)),), np.float32)
        return Dict(observations=flat, action_mask=mask)

    def preprocess(self, observation: Any, episode: Any) -> Any:
        """Return the observation with a flat board."""
        board = observation["observations"].ravel().astype(np.float32)
        return {"observations": board, "action_mask": observation["action_mask"]}


def main() -> None:
    """Train for two iterations."""
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    config = (
        PPOConfig()
        .environment(ID, env_config=OPTIONS)
        .env_runners(
            num_env_runners=1,
            num_envs_per_env_runner=4,
            gym_env_vectorize_mode=gymnasium.VectorizeMode.VECTOR_ENTRY_POINT,
            rollout_fragment_length=50,
            env_to_module_connector=lambda env, spaces, device: FlatBoard(),
        )
        .training(train_batch_size_per_learner=200, minibatch_size=100, num_epochs=1)
        .rl_module(rl_module_spec=RLModuleSpec(module_class=ActionMaskingTorchRLModule))
    )
    algorithm = config.build_algo()
    for _ in range(2):
        result = algorithm.train()
    games = result["env_runners"]
    print(
        f"{games['num_env_steps_sampled_lifetime']:.0f} steps, "
        f"mean return {games['episode_return_mean']:+.2f}"
    )
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    main()
