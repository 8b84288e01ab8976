"""Two engines play a match of chess; the last board is drawn to ``chess_match.png``.

    python -m pip install -e ".[chess]" && python examples/chess_match.py

Stockfish, which looks at a thousand positions a move, plays the environment's ``greedy`` opponent,
with white and black in turn. It needs the program: ``apt-get install stockfish``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import chess
import chess.engine
import gymnasium as gym
import numpy as np
from PIL import Image

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym_envs.chess.moves import UCI_MOVES


def play(env: gym.Env, engine: chess.engine.SimpleEngine, nodes: int, seed: int) -> float:
    """Play a game; return its reward for the engine: 1, 0 or -1."""
    _, info = env.reset(seed=seed)
    reward, over = 0.0, False
    while not over:
        board = chess.Board(info["fen"])
        move = engine.play(board, chess.engine.Limit(nodes=nodes)).move
        _, reward, terminated, truncated, info = env.step(UCI_MOVES.index(str(move)))
        over = terminated or truncated
    print(
        f"game {seed + 1}: {info['result']} after {chess.Board(info['fen']).fullmove_number} moves"
    )
    return float(reward)


def main(arguments: list[str] | None = None) -> float:
    """Play the match; return the engine's points."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--games", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--nodes", type=int, default=1000, help="positions a move (%(default)s)")
    parser.add_argument("--opponent", default="greedy", help="random or greedy (%(default)s)")
    parser.add_argument("--transport", default="inprocess", help="(%(default)s)")
    parser.add_argument("--picture", type=Path, default=Path("chess_match.png"), metavar="FILE")
    parsed = parser.parse_args(arguments)

    program = shutil.which("stockfish") or "/usr/games/stockfish"
    points = 0.0
    with chess.engine.SimpleEngine.popen_uci(program) as engine:
        for game in range(parsed.games):
            with gym.make(
                "openenv/Chess-v0",
                opponent=parsed.opponent,
                agent_color="black" if game % 2 else "white",
                transport=parsed.transport,
                render_mode="rgb_array",
            ) as env:
                points += (play(env, engine, parsed.nodes, game) + 1) / 2
                Image.fromarray(np.asarray(env.render())).save(parsed.picture)
    print(f"{points:g} of {parsed.games} points for Stockfish; wrote {parsed.picture}")
    return points


if __name__ == "__main__":
    main()
