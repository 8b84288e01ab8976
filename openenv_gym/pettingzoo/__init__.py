"""PettingZoo: environments for several players, with an agent for each player.

::

    from openenv_gym.pettingzoo import aec_env

    env = aec_env("openenv/Connect4-v0", transport="websocket")
    env.reset(seed=42)
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, info = env.last()
        over = terminated or truncated
        action = None if over else env.action_space(agent).sample(observation["action_mask"])
        env.step(action)
    env.close()

``env.metadata["players"]`` says whether an environment has several players; then
``current_player_id`` in each info names the player whose turn it is (see ``Environment.players``).
Where all agents act at the same time, ``env.metadata["agents"]`` has their names, both Spaces are
Dicts by these names, and ``info["rewards"]`` has their rewards. All this travels over every
transport, so this package does not depend on any environment.
"""

from __future__ import annotations

from typing import Any, cast

import gymnasium

from openenv_gym.errors import RegistryError, missing_package

try:
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils.conversions import parallel_to_aec, turn_based_aec_to_parallel
    from pettingzoo.utils.wrappers import OrderEnforcingWrapper
except ImportError as error:
    raise missing_package(
        "openenv_gym.pettingzoo", error.name or str(error), "pettingzoo"
    ) from error

from openenv_gym.pettingzoo.infos import Together
from openenv_gym.pettingzoo.joint import JointEnv
from openenv_gym.pettingzoo.rounds import Rounds
from openenv_gym.pettingzoo.turns import TurnBasedEnv

__all__ = ["JointEnv", "TurnBasedEnv", "aec_env", "parallel_env"]


def aec_env(id: str, **keywords: Any) -> AECEnv[str, Any, Any]:
    """Make an environment with an agent for each player; the agents move in turn.

    Agents that act at the same time are asked one after the other, before all are stepped.

    Args:
        id: Id of the environment, as for ``gymnasium.make``: ``"openenv/Connect4-v0"``.
        **keywords: The other keywords of ``gymnasium.make``: the transport, and options of the
            environment. Chess has two players with ``opponent="self"``.

    Raises:
        OptionError: The environment has one player with these options.
        RegistryError: The environment does not exist.
    """
    env = _make(id, keywords)
    if env.metadata.get("agents"):
        return cast("AECEnv[str, Any, Any]", parallel_to_aec(JointEnv(env)))
    return _in_turn(env)


def _in_turn(env: gymnasium.Env[Any, Any]) -> AECEnv[str, Any, Any]:
    return cast("AECEnv[str, Any, Any]", OrderEnforcingWrapper(TurnBasedEnv(env)))


def parallel_env(id: str, **keywords: Any) -> ParallelEnv[str, Any, Any]:
    """Make an environment with an agent for each player, all stepped together.

    Where players move in turn, a step carries out the action of the agent whose turn it is and
    ignores those of the others, whose masks allow all actions; ``info["current_player_id"]`` names
    the agent. Where players act at once, all actions are carried out.
    Infos have only numbers and arrays, which trainers batch; ``env.unwrapped.info`` has everything.

    Args:
        id: Id of the environment, as for :func:`aec_env`.
        **keywords: Keywords, as for :func:`aec_env`.

    Raises:
        OptionError: The environment has one player with these options.
        RegistryError: The environment does not exist.
    """
    env = _make(id, keywords)
    if env.metadata.get("agents"):
        return JointEnv(env)
    if env.metadata.get("simultaneous"):
        return JointEnv(Rounds(TurnBasedEnv(env)))
    in_turn = cast("ParallelEnv[str, Any, Any]", turn_based_aec_to_parallel(_in_turn(env)))
    return Together(in_turn)


def _make(id: str, keywords: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    try:
        return gymnasium.make(id, **{"disable_env_checker": True, **keywords})
    except (gymnasium.error.UnregisteredEnv, ModuleNotFoundError) as error:
        raise RegistryError(
            f"The environment {id!r} does not exist ({error}). If another package registers it, "
            "import that package first, or name it: 'module:ns/Name-v0'.",
            id=id,
        ) from error
