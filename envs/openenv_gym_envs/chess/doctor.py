"""What ``openenv-gym doctor`` checks for Chess: Stockfish, which one of its opponents is."""

from __future__ import annotations


def check() -> str:
    """Return where Stockfish is.

    Raises:
        MissingDependencyError: It was not found.
    """
    from openenv_gym_envs.chess.uci_engine import find

    return find(None)
