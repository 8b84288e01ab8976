"""Positions and games for tests of chess."""

from __future__ import annotations

from openenv_gym_envs.chess.environment import ChessEnvironment
from openenv_gym_envs.chess.models import ChessAction

CASTLING = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1"
PROMOTION = "8/P6k/8/8/8/8/7K/8 w - - 0 1"


def start(opponent="self", reset=(), **options):
    env = ChessEnvironment(opponent=opponent, **options)
    env.seed(0)
    env.reset(**dict(reset))
    return env


def play(env, moves):
    for move in moves.split():
        observation = env.step(ChessAction(move=move))
    return observation
