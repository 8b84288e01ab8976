"""PettingZoo: environments of several players, with an agent for each.

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

An environment has several players where ``env.metadata["players"]`` says so, and then each info
tells by ``current_player_id`` whose turn it is (see ``Environment.players``). Where all agents act
at the same time, ``env.metadata["agents"]`` has their names; both Spaces are Dicts by these, and
``info["rewards"]`` has what each got. All this travels over every transport, so this module knows
no environment.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space

from openenv_gym.errors import (
    EnvironmentFailedError,
    MissingDependencyError,
    OptionError,
    RegistryError,
)

try:
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils.conversions import parallel_to_aec, turn_based_aec_to_parallel
    from pettingzoo.utils.wrappers import OrderEnforcingWrapper
except ImportError as error:
    raise MissingDependencyError(
        f"openenv_gym.pettingzoo needs the package {error.name or error}, which is not installed "
        'here: pip install "openenv-gym[pettingzoo]".',
        package=error.name,
        extra="pettingzoo",
    ) from error

__all__ = ["JointEnv", "TurnBasedEnv", "aec_env", "parallel_env"]


def aec_env(id: str, **keywords: Any) -> AECEnv[str, Any, Any]:
    """Makes an environment with an agent for each player, who move in turn.

    Agents who all act at the same time are asked one after the other, before all are stepped.

    Args:
        id: What ``gymnasium.make`` takes: ``"openenv/Connect4-v0"``.
        **keywords: The other keywords of ``gymnasium.make``: the transport, options of the
            environment. Chess has two players with ``opponent="self"``.

    Raises:
        OptionError: The environment has one player with these options.
        RegistryError: There is no such environment.
    """
    env = _make(id, keywords)
    if env.metadata.get("agents"):
        return cast("AECEnv[str, Any, Any]", parallel_to_aec(JointEnv(env)))
    return _in_turn(env)


def _in_turn(env: gymnasium.Env[Any, Any]) -> AECEnv[str, Any, Any]:
    return cast("AECEnv[str, Any, Any]", OrderEnforcingWrapper(TurnBasedEnv(env)))


def parallel_env(id: str, **keywords: Any) -> ParallelEnv[str, Any, Any]:
    """Makes an environment with an agent for each player, all stepped together.

    Where players move in turn, a step carries out the action of the agent whose turn it is, and
    leaves those of the others out of account. Whose turn it is shows in the masks (others have no
    legal action) and in ``info["active_agent"]``.

    Args:
        id: As of :func:`aec_env`.
        **keywords: As of :func:`aec_env`.

    Raises:
        OptionError: The environment has one player with these options.
        RegistryError: There is no such environment.
    """
    env = _make(id, keywords)
    if env.metadata.get("agents"):
        return JointEnv(env)
    return cast("ParallelEnv[str, Any, Any]", turn_based_aec_to_parallel(_in_turn(env)))


class JointEnv(ParallelEnv[str, Any, Any]):
    """A ``gymnasium.Env`` whose agents all act at the same time, as a ``ParallelEnv``.

    Its Spaces are Dicts by the names of the agents; so are the actions that it is given and the
    observations. What each agent got is in the info, ``rewards``; the rest of it all agents share.

    Args:
        env: The environment; it is closed with this one.

    Attributes:
        env: The environment.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env = env
        name = "it" if env.spec is None else env.spec.id
        self.metadata = {**env.metadata, "name": name}
        self.render_mode = env.render_mode
        self.possible_agents = list(env.metadata["agents"])
        self.agents: list[str] = []
        actions, observations = cast("Dict", env.action_space), cast("Dict", env.observation_space)
        self.action_spaces = {agent: actions[agent] for agent in self.possible_agents}
        self.observation_spaces = {agent: observations[agent] for agent in self.possible_agents}

    def observation_space(self, agent: str) -> Space[Any]:
        """Implements ParallelEnv.observation_space."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Implements ParallelEnv.action_space."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Implements ParallelEnv.reset; options that the environment does not know are left out."""
        observation, info = _reset(self.env, seed, options)
        self.agents = self.possible_agents[:]
        return observation, self._shared(info)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Implements ParallelEnv.step.

        Raises:
            ActionError: An action is missing, or not in its Space; nothing was stepped.
        """
        observation, _, terminated, truncated, info = self.env.step(actions)
        agents = self.agents
        if terminated or truncated:
            self.agents = []
        return (
            observation,
            {agent: info["rewards"][agent] for agent in agents},
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, truncated),
            self._shared(info),
        )

    def _shared(self, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
        shared = {key: value for key, value in info.items() if key != "rewards"}
        return {agent: dict(shared) for agent in self.possible_agents}

    def render(self) -> Any:
        """Implements ParallelEnv.render."""
        return self.env.render()

    def close(self) -> None:
        """Implements ParallelEnv.close."""
        self.env.close()


class TurnBasedEnv(AECEnv[str, Any, Any]):
    """A ``gymnasium.Env`` of several players, who move in turn, as an ``AECEnv``.

    Agents are ``player_0`` and so on, in the order of ``current_player_id``. Where actions are
    Discrete an observation is a dict, as in PettingZoo's own games: ``observation``, which all
    agents share, and ``action_mask``, all 0 for an agent whose turn it is not.

    A reward is the mover's, and its negative is the other player's; an action that the mask
    forbids costs only who chose it. An environment whose info has ``rewards`` says itself what
    each player got.

    Args:
        env: The environment; it is closed with this one.

    Attributes:
        env: The environment.

    Raises:
        OptionError: It has one player; it was closed.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.env = env
        name = "it" if env.spec is None else env.spec.id
        players = int(env.metadata.get("players", 1))
        if players < 2:
            env.close()
            raise OptionError(
                f"{name} has one player with these options, so there is no game for PettingZoo: "
                'give the option that leaves all sides to the caller (opponent="self" of chess '
                "and connect4), or use gymnasium.make.",
                id=name,
            )
        self.metadata = {**env.metadata, "name": name, "is_parallelizable": False}
        self.render_mode = env.render_mode
        self.possible_agents = [f"player_{number}" for number in range(players)]
        self.agents: list[str] = []
        observed = env.observation_space
        self._actions = env.action_space if isinstance(env.action_space, Discrete) else None
        if self._actions is not None:
            mask = Box(0, 1, (int(self._actions.n),), np.int8)
            observed = Dict({"observation": observed, "action_mask": mask})
        # An object for each agent, since each has the state of its own sampling.
        agents = self.possible_agents
        self.observation_spaces = {agent: copy.deepcopy(observed) for agent in agents}
        self.action_spaces = {agent: copy.deepcopy(env.action_space) for agent in agents}

    def observation_space(self, agent: str) -> Space[Any]:
        """Implements AECEnv.observation_space."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Implements AECEnv.action_space."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Implements AECEnv.reset; options that the environment does not know are left out."""
        observation, info = _reset(self.env, seed, options)
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        # AECEnv's own, which a game leaves behind that was not played to its very end.
        self._skip_agent_selection = None  # type: ignore[assignment]
        self._take(observation, info)
        self.agent_selection = self._turn(info)

    def observe(self, agent: str) -> Any:
        """Implements AECEnv.observe."""
        if self._actions is None:
            return self._observation
        mask = self._mask if agent == self.agent_selection else np.zeros_like(self._mask)
        return {"observation": self._observation, "action_mask": mask}

    def step(self, action: Any) -> None:
        """Implements AECEnv.step.

        Raises:
            ActionError: The action is not in the action space; nothing was stepped.
        """
        mover = self.agent_selection
        if self.terminations[mover] or self.truncations[mover]:
            self._was_dead_step(action)
            return
        observation, reward, terminated, truncated, info = self.env.step(action)
        rewards = self._rewards_of(mover, action, float(reward), info)
        self.rewards = dict(zip(self.agents, rewards, strict=True))
        self.terminations = dict.fromkeys(self.agents, bool(terminated))
        self.truncations = dict.fromkeys(self.agents, bool(truncated))
        self._take(observation, info)
        if terminated or truncated:
            after = self.agents.index(mover) + 1
            self.agent_selection = self.agents[after % len(self.agents)]
        else:
            self.agent_selection = self._turn(info)
        # What last() told the mover is settled; what the step brought counts from now on.
        self._cumulative_rewards[mover] = 0.0
        self._accumulate_rewards()

    def _take(self, observation: Any, info: dict[str, Any]) -> None:
        self._observation = observation
        if self._actions is not None:
            # Where the environment does not tell, all actions are legal.
            self._mask = info.get("action_mask", np.ones(int(self._actions.n), np.int8))
        shared = {key: value for key, value in info.items() if key != "action_mask"}
        self.infos = {agent: dict(shared) for agent in self.agents}

    def _turn(self, info: dict[str, Any]) -> str:
        number = info.get("current_player_id")
        if not isinstance(number, int) or not 0 <= number < len(self.possible_agents):
            raise EnvironmentFailedError(
                f"{self} has {len(self.possible_agents)} players, and its info does not tell "
                f"which of them is to move: current_player_id is {number!r}. Its author must give "
                "it, from 0.",
                current_player_id=number,
            )
        return self.possible_agents[number]

    def _rewards_of(
        self, mover: str, action: Any, reward: float, info: dict[str, Any]
    ) -> list[float]:
        """What each agent got by a step, before the next observation is taken."""
        told = info.get("rewards")
        if told is not None and len(told) == len(self.agents):
            return [float(each) for each in told]
        if told is not None or len(self.agents) != 2:
            raise EnvironmentFailedError(
                f"{self} has {len(self.agents)} players, and its info does not tell what each of "
                f"them got: rewards is {told!r}. Its author must give a list with one for each.",
                rewards=told,
            )
        actions = self._actions
        legal = actions is None or bool(self._mask[int(action) - int(actions.start)])
        # 0.0 - reward: a draw is 0.0 for both, not -0.0.
        other = 0.0 - reward if legal else 0.0
        return [reward if agent == mover else other for agent in self.agents]

    def render(self) -> Any:
        """Implements AECEnv.render."""
        return self.env.render()

    def close(self) -> None:
        """Implements AECEnv.close."""
        self.env.close()


def _make(id: str, keywords: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    try:
        return gymnasium.make(id, **{"disable_env_checker": True, **keywords})
    except (gymnasium.error.UnregisteredEnv, ModuleNotFoundError) as error:
        raise RegistryError(
            f"There is no environment {id!r} ({error}). If another package registers it, import "
            "that first, or name it: 'module:ns/Name-v0'.",
            id=id,
        ) from error


def _reset(
    env: gymnasium.Env[Any, Any], seed: int | None, options: dict[str, Any] | None
) -> tuple[Any, dict[str, Any]]:
    """Resets, without the options that the environment does not know.

    PettingZoo's own tests give an option that no environment knows, and ask that it does no harm.
    """
    given = options or {}
    try:
        return env.reset(seed=seed, options=options)
    except OptionError as error:
        known = error.fields.get("known", given)
        left = {key: value for key, value in given.items() if key in known}
        if len(left) == len(given):
            raise
        warnings.warn(f"{error} What is unknown was left out.", stacklevel=3)
        return env.reset(seed=seed, options=left)
