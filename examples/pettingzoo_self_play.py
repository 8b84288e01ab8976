"""An agent learns Connect4 by playing against itself, in PettingZoo's form.

    python -m pip install -e ".[pettingzoo,connect4,sb3]" && python examples/pettingzoo_self_play.py

REINFORCE with a small network: one policy plays both sides, and its moves become likelier where
they led to a win. Then it plays a random agent, with each side in turn.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from pettingzoo import AECEnv
from torch import nn
from torch.distributions import Categorical

from openenv_gym.pettingzoo import aec_env

DISCOUNT = 0.95


def network() -> nn.Module:
    """Return the policy: own and other pieces in, a logit for each column out."""
    return nn.Sequential(nn.Linear(84, 128), nn.ReLU(), nn.Linear(128, 7))


def policy(model: nn.Module, observation: dict[str, Any]) -> Categorical:
    """Return the probabilities of the columns, 0 where the column is full."""
    board = torch.tensor(observation["observation"]).flatten()
    planes = torch.cat([board == 1, board == -1]).float()
    legal = torch.tensor(observation["action_mask"]) == 1
    return Categorical(logits=model(planes).masked_fill(~legal, -1e9))


def learn(env: AECEnv, model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    """Play a game with the policy on both sides, and make one update by it."""
    env.reset(seed=seed)
    moves: list[tuple[str, torch.Tensor]] = []
    returns = dict.fromkeys(env.possible_agents, 0.0)
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        returns[agent] += reward
        if terminated or truncated:
            env.step(None)
            continue
        chosen = policy(model, observation)
        action = chosen.sample()
        moves.append((agent, chosen.log_prob(action)))
        env.step(int(action))
    left = reversed(range(len(moves)))
    loss = -sum(
        returns[agent] * DISCOUNT**after * log_prob
        for after, (agent, log_prob) in zip(left, moves, strict=True)
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def beats_random(env: AECEnv, model: nn.Module, seed: int) -> bool:
    """Play a game against a random agent; return whether the policy won."""
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    learner = env.possible_agents[seed % 2]
    total = 0.0
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        total += reward if agent == learner else 0.0
        if terminated or truncated:
            env.step(None)
        elif agent == learner:
            with torch.no_grad():
                env.step(int(policy(model, observation).probs.argmax()))
        else:
            env.step(int(rng.choice(np.flatnonzero(observation["action_mask"]))))
    return total > 0


def main(arguments: list[str] | None = None) -> float:
    """Train and evaluate; return the part of the games that were won."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--games", type=int, default=3000, help="to train (%(default)s)")
    parser.add_argument("--evaluate", type=int, default=100, help="games (%(default)s)")
    parser.add_argument("--transport", default="inprocess", help="(%(default)s)")
    parsed = parser.parse_args(arguments)

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the network is too small to gain by more
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    env = aec_env("openenv/Connect4-v0", transport=parsed.transport, opponent="self")
    try:
        for seed in range(parsed.games):
            learn(env, model, optimizer, seed)
        won = sum(beats_random(env, model, seed) for seed in range(parsed.evaluate))
    finally:
        env.close()
    print(f"won {won} of {parsed.evaluate} games against a random agent")
    return won / parsed.evaluate


if __name__ == "__main__":
    main()
