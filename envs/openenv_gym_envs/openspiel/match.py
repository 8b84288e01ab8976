"""One game in progress, from decision to decision, with chance and population handled between."""

from __future__ import annotations

import numpy as np
import pyspiel

from openenv_gym_envs.openspiel.opponents import Population

OVER = int(pyspiel.PlayerId.TERMINAL)
"""The value of ``Match.player`` once the game is over."""

_CHANCE = int(pyspiel.PlayerId.CHANCE)
_SIMULTANEOUS = int(pyspiel.PlayerId.SIMULTANEOUS)


class Match:
    """A game in progress.

    Where all players act at once, they are asked one after the other in the order of their numbers,
    and the game continues when all have chosen: no player sees the others' choices.

    Args:
        game: The game.
        rng: Source of all chance.
        population: The population of a mean-field game; None in other games.

    Attributes:
        state: OpenSpiel's state; while players choose a joint action, the state before it.
        player: The player whose turn it is; OVER once the game is over.
        legal: The actions that are legal for that player, ascending.
        moves: Number of actions that players took.
    """

    def __init__(
        self, game: pyspiel.Game, rng: np.random.Generator, population: Population | None
    ) -> None:
        self.state = game.new_initial_state()
        self.player = OVER
        self.legal: list[int] = []
        self.moves = 0
        self._rng = rng
        self._population = population
        self._seats = range(game.num_players())
        self._joint: list[int] = []  # the choices of the players who act at once
        self._due: list[int] = []  # the players among them who have not chosen yet
        self._settle()

    @property
    def simultaneous(self) -> bool:
        """Whether several players act at once now."""
        return bool(self.state.current_player() == _SIMULTANEOUS)

    def legal_of(self, player: int) -> list[int]:
        """Return the actions that a player may take now, ascending; empty if it does not act."""
        if self.player == OVER or not (self.simultaneous or player == self.player):
            return []
        legal: list[int] = self.state.legal_actions(player)
        return legal

    def act(self, action: int) -> None:
        """Carry out a legal action of the player whose turn it is."""
        self.moves += 1
        state = self.state
        if self._due:
            self._joint[self._due.pop(0)] = action
            if self._due:
                self._ask()
                return
            state.apply_actions(self._joint)
        else:
            state.apply_action(action)
        self._settle()

    def stop(self) -> None:
        """End the match here, whatever the state."""
        self.player = OVER
        self.legal = []

    def _ask(self) -> None:
        self.player = self._due[0]
        self.legal = self.state.legal_actions(self.player)

    def _settle(self) -> None:
        """Draw chance, up to the next decision of a player or the end."""
        state = self.state
        player = state.current_player()
        while player < 0:
            if player == OVER:
                self.stop()
                return
            if player == _CHANCE:
                outcomes = state.chance_outcomes()
                state.apply_action(pyspiel.sample_action(outcomes, self._rng.random())[0])
            elif player == _SIMULTANEOUS:
                self._joint = [0 for _ in self._seats]  # 0 stays where a player has no choice
                self._due = [seat for seat in self._seats if state.legal_actions(seat)]
                if self._due:
                    self._ask()
                    return
                state.apply_actions(self._joint)
            else:
                self._share_out()
            player = state.current_player()
        self.player = player
        self.legal = state.legal_actions()

    def _share_out(self) -> None:
        """Give a mean-field game the distribution of the population."""
        assert self._population is not None
        support = self.state.distribution_support()
        self.state.update_distribution(self._population.distribution(support))
