"""The opponents of the agent, and the population of a mean-field game."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import numpy as np
import pyspiel

from openenv_gym.errors import OptionError

Policy = Literal["random", "first", "last", "middle", "mcts", "self"]

_SEEDS = 2**31
_EXPLORATION = 2.0  # as in OpenSpiel's own examples
_MEMORY = 256  # megabytes for a search tree


class Opponent(ABC):
    """Base of all opponents. An opponent plays all seats but the agent's."""

    def begin(self, game: pyspiel.Game, rng: np.random.Generator) -> None:  # noqa: B027  # most have nothing to begin
        """Prepare for an episode; all chance comes from ``rng``."""

    @abstractmethod
    def choose(self, state: pyspiel.State, legal: list[int], rng: np.random.Generator) -> int:
        """Return a legal action of the player whose turn it is."""


class RandomOpponent(Opponent):
    """Takes any legal action, all equally likely."""

    def choose(self, state: pyspiel.State, legal: list[int], rng: np.random.Generator) -> int:
        """Implements Opponent.choose."""
        return legal[int(rng.random() * len(legal))]


class FixedOpponent(Opponent):
    """Takes the legal action at a fixed place of their list.

    Args:
        place: Function that returns the place for a number of legal actions.
    """

    def __init__(self, place: Callable[[int], int]) -> None:
        self._place = place

    def choose(self, state: pyspiel.State, legal: list[int], rng: np.random.Generator) -> int:
        """Implements Opponent.choose."""
        return legal[self._place(len(legal))]


class MctsOpponent(Opponent):
    """OpenSpiel's Monte Carlo tree search, with one random playout for each new position.

    Args:
        simulations: Number of times that it plays on from the position for each move.
    """

    def __init__(self, simulations: int) -> None:
        self._simulations = simulations

    def begin(self, game: pyspiel.Game, rng: np.random.Generator) -> None:
        """Implements Opponent.begin."""
        playouts, search = (int(seed) for seed in rng.integers(_SEEDS, size=2))
        self._bot = pyspiel.MCTSBot(
            game,
            pyspiel.RandomRolloutEvaluator(n_rollouts=1, seed=playouts),
            uct_c=_EXPLORATION,
            max_simulations=self._simulations,
            max_memory_mb=_MEMORY,
            solve=True,
            seed=search,
            verbose=False,
        )

    def choose(self, state: pyspiel.State, legal: list[int], rng: np.random.Generator) -> int:
        """Implements Opponent.choose."""
        return int(self._bot.step(state))


def make_opponent(
    policy: Policy, game: pyspiel.Game, simulations: int, compiled: bool
) -> Opponent | None:
    """Return the opponent for a policy; None where the agent plays all seats.

    Args:
        policy: The policy.
        game: The game.
        simulations: Number of simulations, for :class:`MctsOpponent`.
        compiled: Whether no part of the game is written in Python.

    Raises:
        OptionError: The opponent cannot play this game.
    """
    if policy == "self" or game.num_players() == 1:
        return None
    if policy == "mcts":
        _check_searchable(game, compiled)
        return MctsOpponent(simulations)
    if policy == "random":
        return RandomOpponent()
    return FixedOpponent({"first": _first, "last": _last, "middle": _middle}[policy])


def _first(count: int) -> int:
    return 0


def _last(count: int) -> int:
    return count - 1


def _middle(count: int) -> int:
    return count // 2


def _check_searchable(game: pyspiel.Game, compiled: bool) -> None:
    kind = game.get_type()
    wants = {
        "moves in turn": kind.dynamics == pyspiel.GameType.Dynamics.SEQUENTIAL,
        "no hidden information": kind.information
        == pyspiel.GameType.Information.PERFECT_INFORMATION,
        "rewards at the end only": kind.reward_model == pyspiel.GameType.RewardModel.TERMINAL,
        "chance that the game does not draw by itself": kind.chance_mode
        != pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC,
        "no part that is written in Python": compiled,
    }
    missing = [want for want, met in wants.items() if not met]
    if missing:
        raise OptionError(
            f"Option opponent='mcts' cannot play {game}: OpenSpiel's search needs games with "
            f"{', '.join(missing)}. Choose 'random', 'first', 'last', 'middle' or 'self'.",
            game=str(game),
            missing=missing,
        )


class Population:
    """The population of a mean-field game, which plays at random.

    Its distribution over the states follows from the game and the policy; OpenSpiel computes it for
    all states at once.

    Args:
        game: A mean-field game of one population.
    """

    def __init__(self, game: pyspiel.Game) -> None:
        # Imported here, since few games need it.
        from open_spiel.python.mfg.algorithms.distribution import DistributionPolicy
        from open_spiel.python.policy import UniformRandomPolicy

        self._share = DistributionPolicy(game, UniformRandomPolicy(game))

    def distribution(self, support: list[str]) -> list[float]:
        """Return the share of the population in each of the states, given by OpenSpiel's names."""
        return [float(self._share.value_str(state, 0.0)) for state in support]


def make_population(policy: Policy, game: pyspiel.Game) -> Population | None:
    """Return the population of a mean-field game; None for other games.

    Raises:
        OptionError: The policy is not ``"random"``.
    """
    if game.get_type().dynamics != pyspiel.GameType.Dynamics.MEAN_FIELD:
        return None
    if policy != "random" or game.num_players() != 1:
        raise OptionError(
            f"Option opponent={policy!r}: in the mean-field game {game} the agent lives among one "
            "population, which plays at random: opponent='random'.",
            game=str(game),
        )
    return Population(game)
