"""The view that a player has of a game: OpenSpiel's tensors, or its text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyspiel
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray
from open_spiel.python.observation import INFO_STATE_OBS_TYPE, make_observation

from openenv_gym.errors import OptionError
from openenv_gym.spaces.utf8 import Utf8

Kind = Literal["observation", "information_state", "text"]
_PERFECT = pyspiel.GameType.Information.PERFECT_INFORMATION


class View(ABC):
    """Base of the views.

    Attributes:
        space: Space of the views.
        shape: Shape of the tensor in OpenSpiel; None for text.
    """

    space: Space[Any]
    shape: list[int] | None = None

    @abstractmethod
    def of(self, state: pyspiel.State, player: int) -> NDArray[np.float32] | str:
        """Return the player's view of a state; an array is a new one."""


class TensorView(View):
    """A tensor, in one row, as an array of float32.

    Args:
        game: The game.
        information: Whether to use the tensor of the information state, with everything that the
            player has seen so far, and not that of the observation, with the present view.
        fast: Whether OpenSpiel writes into an array, in a twentieth of the time that its lists
            take. All games in C++ can do that; games that are built from others or written in
            Python have observers of their own, which do not always agree with the lists.
    """

    def __init__(self, game: pyspiel.Game, information: bool, fast: bool) -> None:
        self._information = information
        try:
            self.shape = list(
                game.information_state_tensor_shape()
                if information
                else game.observation_tensor_shape()
            )
        except pyspiel.SpielError as error:
            raise OptionError(f"OpenSpiel cannot play {game}: {error}", game=str(game)) from error
        size = int(np.prod(self.shape))
        self.space = Box(-np.inf, np.inf, (size,), np.float32)
        self._observer: Any = None
        if fast:
            kind = INFO_STATE_OBS_TYPE if information else None
            self._observer = make_observation(game, kind)

    def of(self, state: pyspiel.State, player: int) -> NDArray[np.float32]:
        """Implements View.of."""
        observer = self._observer
        if observer is not None:
            observer.set_from(state, player)
            tensor: NDArray[np.float32] = observer.tensor.copy()
            return tensor
        values = (
            state.information_state_tensor(player)
            if self._information
            else state.observation_tensor(player)
        )
        return np.asarray(values, np.float32).reshape(-1)


class TextView(View):
    """A text.

    Args:
        text: Function that returns the text for a state and a player.
        longest: Most characters of a text.
    """

    def __init__(self, text: Callable[[pyspiel.State, int], str], longest: int) -> None:
        self._text = text
        self._longest = longest
        self.space = Utf8(longest)

    def of(self, state: pyspiel.State, player: int) -> str:
        """Implements View.of."""
        text = self._text(state, player)
        if len(text) > self._longest:
            raise OptionError(
                f"The text for player {player} has {len(text)} characters, more than the option "
                f"max_text={self._longest}: give a larger one.",
                max_text=self._longest,
            )
        return text


def make_view(game: pyspiel.Game, kind: Kind | None, longest: int, fast: bool) -> View:
    """Return the view of a game.

    Args:
        game: The game.
        kind: Kind of view; None for the first of the three that the game has.
        longest: Most characters of a text.
        fast: Whether to use OpenSpiel's faster interface, for :class:`TensorView`.

    Raises:
        OptionError: The game does not have this kind of view.
    """
    game_type = game.get_type()
    text = _text_of(game_type)
    has = {
        "observation": game_type.provides_observation_tensor,
        "information_state": game_type.provides_information_state_tensor,
        "text": text is not None,
    }
    kinds = [name for name, provided in has.items() if provided]
    chosen = next(iter(kinds), None) if kind is None else kind
    if chosen not in kinds:
        raise OptionError(
            f"Option observation={kind!r}: {game} has only "
            f"{' and '.join(map(repr, kinds)) or 'none'}.",
            game=str(game),
            observation=kind,
        )
    if chosen == "text" and text is not None:
        return TextView(text, longest)
    return TensorView(game, chosen == "information_state", fast)


def make_drawing(game: pyspiel.Game) -> Callable[[pyspiel.State, int], str]:
    """Return the function that writes what a player sees of a state, for a reader.

    Where all players see everything that is the state itself, else the player's own view.
    """
    game_type = game.get_type()
    if game_type.information == _PERFECT:
        return lambda state, player: str(state)
    return _text_of(game_type) or (lambda state, player: "The game has no text for its players.")


def _text_of(game_type: pyspiel.GameType) -> Callable[[pyspiel.State, int], str] | None:
    """Return the function that writes a player's view as text; None if the game has none."""
    if game_type.provides_observation_string:
        return lambda state, player: str(state.observation_string(player))
    if game_type.provides_information_state_string:
        return lambda state, player: str(state.information_state_string(player))
    if game_type.information == _PERFECT:  # all players see everything
        return lambda state, player: str(state)
    return None
