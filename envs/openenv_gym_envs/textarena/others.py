"""The other players of a game."""

from __future__ import annotations

import copy
import re
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from openenv_gym_envs.textarena import games
from openenv_gym_envs.textarena.models import TextArenaMessage
from openenv_gym_envs.textarena.standins import Numbers, playing

_BRACKETED = re.compile(r"\[[^\[\]\n]{1,60}\]")
_SENDER = re.compile(r"\[(GAME|Player \d+)\]")
_VARIABLE = re.compile(r"(?P<column>[a-j](?=\d))|\d|\b[A-Z]\b")
_TRIES = 30


class Player(ABC):
    """Base of the other players."""

    @abstractmethod
    def say(self, game: Any, told: list[TextArenaMessage], rng: np.random.Generator) -> str:
        """What the player says.

        Args:
            game: The game, in which it is this player's turn.
            told: What the player is told.
            rng: All chance comes from it.
        """


class ScriptedPlayer(Player):
    """Says what it was given, in order, and then again from the start.

    Args:
        script: At least one message.
    """

    def __init__(self, script: list[str]) -> None:
        self._script = script
        self._said = 0

    def say(self, game: Any, told: list[TextArenaMessage], rng: np.random.Generator) -> str:
        """Implements Player.say."""
        self._said += 1
        return self._script[(self._said - 1) % len(self._script)]


class RandomPlayer(Player):
    """Says anything in brackets that it has read and that the game takes for a move.

    TextArena's games do not tell which moves are legal, but most of them name some or give an
    example, and a copy of the game tells whether one is. Where none is found the player says what
    is none, and may lose by that.

    Args:
        tries: The game is one that can be tried out on a copy.
    """

    def __init__(self, tries: bool) -> None:
        self._tries = tries
        self._read: dict[str, None] = {}

    def say(self, game: Any, told: list[TextArenaMessage], rng: np.random.Generator) -> str:
        """Implements Player.say."""
        for said in _BRACKETED.findall("\n".join(message.content for message in told)):
            if not _SENDER.fullmatch(said):
                self._read.pop(said, None)
                self._read[said] = None  # at the end: what was read last is most likely still true
        recent = list(self._read)[-_TRIES:]
        examples = rng.choice([*recent, "[0]", "[0 0]"], _TRIES)
        candidates = [*rng.permutation(recent), *(_varied(str(said), rng) for said in examples)]
        seed = int(rng.integers(2**31))
        for candidate in candidates if self._tries else ():
            if _legal(game, str(candidate), seed):
                return str(candidate)
        return str(candidates[0])


def _varied(example: str, rng: np.random.Generator) -> str:
    """An example of a move with other numbers and columns; a letter by itself stands for one."""

    def other(found: re.Match[str]) -> str:
        return chr(97 + rng.integers(8)) if found["column"] else str(rng.integers(10))

    return _VARIABLE.sub(other, example)


def _legal(game: Any, message: str, seed: int) -> bool:
    """Whether a game takes a message for a move: tried on a copy of it."""
    trial = copy.deepcopy(game, _shared(game))
    player = trial.state.current_player_id
    with playing(Numbers(seed)):
        try:
            trial.step(message)
        except Exception:  # of a game that meets what it did not expect
            return False
    state = trial.state
    information = getattr(state, "game_info", {}).get(player, {})
    return not getattr(state, "error_count", 0) and not information.get("invalid_move")


def _shared(game: Any) -> dict[int, Any]:
    """What a copy of a game has, by the id of what the game has in its place.

    Word lists are the game's own. The conversation so far, which no move depends on and which
    grows, is left out.
    """
    shared = games.word_lists(game)
    inner = game
    while hasattr(inner, "env"):
        for told in vars(inner).get("full_observations", {}).values():
            shared[id(told)] = []
        inner = inner.env
    for told in inner.state.observations.values():
        shared[id(told)] = []
    return shared
