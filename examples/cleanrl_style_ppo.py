"""PPO with action masks learns Connect4, in one file from top to bottom, as CleanRL's scripts are.

    python -m pip install -e ".[cleanrl,bench]" && python examples/cleanrl_style_ppo.py

A minute on two cores. One process plays all games and answers for all of them at once;
``--transport docker`` puts it into a container, and changes nothing of what is learned. Then 200
games are played, and the learning curve is drawn to ``cleanrl_style_ppo.png``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from rich.progress import Progress
from torch import nn
from torch.distributions import Categorical

import openenv_gym  # noqa: F401  # registers openenv/*


@dataclass
class Args:
    """PPO with action masks on Connect4 against an opponent."""

    transport: str = "process"
    """where the games are played: inprocess, process, websocket, http, docker"""
    opponent: str = "random"
    """who plays against the agent: random, minimax"""
    total_timesteps: int = 200_000
    """moves of the agent, over all lanes"""
    num_envs: int = 16
    """lanes: games beside each other"""
    num_steps: int = 128
    """moves of each lane between two updates"""
    num_minibatches: int = 8
    """minibatches of an epoch"""
    update_epochs: int = 4
    """epochs of an update"""
    learning_rate: float = 1e-3
    """of Adam, down to 0 at the end"""
    gamma: float = 0.97
    """discount"""
    gae_lambda: float = 0.95
    """of the generalized advantage estimation"""
    clip_coef: float = 0.2
    """how far a ratio of probabilities counts"""
    ent_coef: float = 0.01
    """weight of the entropy"""
    vf_coef: float = 0.5
    """weight of the value's loss"""
    max_grad_norm: float = 0.5
    """norm that gradients are clipped to"""
    games: int = 200
    """games that are played after the training"""
    seed: int = 0
    """of the games, the network and its choices"""
    plot: Path = Path("cleanrl_style_ppo.png")
    """the learning curve"""


class Agent(nn.Module):
    """A policy and a value over one body; illegal actions have no probability."""

    def __init__(self, envs: gym.vector.VectorEnv) -> None:
        super().__init__()
        cells = int(np.prod(envs.single_observation_space.shape))
        self.body = nn.Sequential(
            nn.Linear(2 * cells, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
        )
        self.actor = nn.Linear(128, envs.single_action_space.n)
        self.critic = nn.Linear(128, 1)
        nn.init.orthogonal_(self.actor.weight, 0.01)  # at first all actions are equally likely

    def forward(self, board: torch.Tensor, mask: torch.Tensor) -> tuple[Categorical, torch.Tensor]:
        """The policy, and the value of each board."""
        board = board.flatten(1)
        hidden = self.body(torch.cat([board == 1, board == -1], dim=1).float())
        logits = self.actor(hidden).masked_fill(~mask, -1e8)
        return Categorical(logits=logits), self.critic(hidden).squeeze(-1)


def advantages_of(
    rewards: torch.Tensor,
    dones: torch.Tensor,
    values: torch.Tensor,
    next_value: torch.Tensor,
    args: Args,
) -> torch.Tensor:
    """Generalized advantage estimation; all are (steps, lanes), but the value after the last."""
    advantages = torch.zeros_like(rewards)
    advantage = torch.zeros_like(next_value)
    for step in reversed(range(args.num_steps)):
        alive = 1 - dones[step]
        delta = rewards[step] + args.gamma * next_value * alive - values[step]
        advantage = delta + args.gamma * args.gae_lambda * alive * advantage
        advantages[step] = advantage
        next_value = values[step]
    return advantages


def learn(
    agent: Agent, optimizer: torch.optim.Optimizer, batch: dict[str, torch.Tensor], args: Args
) -> None:
    """One update by all that was played since the last."""
    for _ in range(args.update_epochs):
        order = torch.randperm(len(batch["boards"]))
        for chosen in order.chunk(args.num_minibatches):
            policy, value = agent(batch["boards"][chosen], batch["masks"][chosen])
            logprob = policy.log_prob(batch["actions"][chosen])
            ratio = (logprob - batch["logprobs"][chosen]).exp()
            clipped = ratio.clamp(1 - args.clip_coef, 1 + args.clip_coef)
            advantage = batch["advantages"][chosen]
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            policy_loss = -torch.min(ratio * advantage, clipped * advantage).mean()
            value_loss = 0.5 * ((value - batch["returns"][chosen]) ** 2).mean()
            entropy = policy.entropy().mean()
            loss = policy_loss + args.vf_coef * value_loss - args.ent_coef * entropy
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), args.max_grad_norm)
            optimizer.step()


def evaluate(agent: Agent, args: Args) -> float:
    """The part of the games that the most likely moves win: one game a lane."""
    envs = gym.make_vec(
        "openenv/Connect4-v0",
        num_envs=args.games,
        transport=args.transport,
        opponent=args.opponent,
        autoreset_mode="NextStep",
    )
    # Other games than those of the training.
    board, infos = envs.reset(seed=args.seed + 1_000_000)
    over, wins = np.zeros(args.games, bool), 0
    while not over.all():
        with torch.no_grad():
            policy, _ = agent(torch.tensor(board), torch.tensor(infos["action_mask"] == 1))
        board, rewards, terminations, _, infos = envs.step(policy.probs.argmax(dim=1).numpy())
        wins += int((rewards[terminations & ~over] == 1).sum())
        over |= terminations
    envs.close()
    return wins / args.games


def draw(curve: list[tuple[int, float]], args: Args) -> None:
    """Draws the learning curve."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*curve, strict=True))
    axes.set(
        title=f"PPO on openenv/Connect4-v0, {args.opponent} opponent",
        xlabel="steps",
        ylabel="mean return of the last 100 games",
        ylim=(-1.05, 1.05),
    )
    axes.grid(alpha=0.3)
    figure.savefig(args.plot, dpi=150)


def main(args: Args) -> float:
    """Trains, draws, plays; returns the part of the games that were won."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)  # the network is too small to gain by more

    # SameStep: a lane whose game ended is at the beginning of the next one already, so that each
    # step is a move.
    envs = gym.make_vec(
        "openenv/Connect4-v0",
        num_envs=args.num_envs,
        transport=args.transport,
        opponent=args.opponent,
        autoreset_mode="SameStep",
    )
    agent = Agent(envs)
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)

    # Storage of what happens between two updates.
    shape = (args.num_steps, args.num_envs)
    boards = torch.zeros(shape + envs.single_observation_space.shape)
    masks = torch.zeros((*shape, envs.single_action_space.n), dtype=torch.bool)
    actions = torch.zeros(shape, dtype=torch.long)
    logprobs, rewards, dones, values = (torch.zeros(shape) for _ in range(4))

    last_returns: deque[float] = deque(maxlen=100)
    curve: list[tuple[int, float]] = []
    batch_size = args.num_steps * args.num_envs
    num_updates = max(1, args.total_timesteps // batch_size)

    next_board, infos = envs.reset(seed=args.seed)
    with Progress() as progress:
        task = progress.add_task("training", total=num_updates)
        for update in range(num_updates):
            for group in optimizer.param_groups:
                group["lr"] = args.learning_rate * (1 - update / num_updates)

            for step in range(args.num_steps):
                boards[step] = torch.tensor(next_board)
                masks[step] = torch.tensor(infos["action_mask"] == 1)
                with torch.no_grad():
                    policy, values[step] = agent(boards[step], masks[step])
                    actions[step] = policy.sample()
                    logprobs[step] = policy.log_prob(actions[step])
                next_board, reward, terminated, truncated, infos = envs.step(actions[step].numpy())
                rewards[step] = torch.tensor(reward)
                dones[step] = torch.tensor(terminated | truncated)
                last_returns.extend(reward[terminated])  # a game has no reward but its last

            with torch.no_grad():
                mask = torch.tensor(infos["action_mask"] == 1)
                _, next_value = agent(torch.tensor(next_board), mask)
            advantages = advantages_of(rewards, dones, values, next_value, args)
            batch = {
                "boards": boards.flatten(0, 1),
                "masks": masks.flatten(0, 1),
                "actions": actions.flatten(),
                "logprobs": logprobs.flatten(),
                "advantages": advantages.flatten(),
                "returns": (advantages + values).flatten(),
            }
            learn(agent, optimizer, batch, args)

            curve.append(((update + 1) * batch_size, float(np.mean(last_returns or [0.0]))))
            reported = f"mean return of the last {len(last_returns)} games {curve[-1][1]:+.2f}"
            progress.update(task, advance=1, description=reported)
    envs.close()

    draw(curve, args)
    part = evaluate(agent, args)
    print(f"won {part:.1%} of {args.games} games against the {args.opponent} opponent")
    print(f"wrote {args.plot}")
    return part


if __name__ == "__main__":
    main(tyro.cli(Args))
