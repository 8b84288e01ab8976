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
    def say(self, game: Any, messages: list[TextArenaMessage], rng: np.random.Generator) -> str:
        """Return the player's message.

        Args:
            game: The game, in which it is this player's turn.
            messages: The new messages to the player.
            rng: Source of all chance.
        """


class ScriptedPlayer(Player):
    """Says given messages in order, and then again from the start.

    Args:
        script: At least one message.
    """

    def __init__(self, script: list[str]) -> None:
        self._script = script
        self._said = 0

    def say(self, game: Any, messages: list[TextArenaMessage], rng: np.random.Generator) -> str:
        """Implements Player.say."""
        self._said += 1
        return self._script[(self._said - 1) % len(self._script)]


class RandomPlayer(Player):
    """Says any text in brackets that it has read and that is a valid move.

    TextArena's games do not list the legal moves, but most of them name some or give an example,
    and a copy of the game shows whether a move is valid. If the player finds no valid move it says
    an invalid one, and may lose.

    Args:
        tries: Whether moves can be tried out on a copy of the game.
    """

    def __init__(self, tries: bool) -> None:
        self._tries = tries
        self._read: dict[str, None] = {}

    def say(self, game: Any, messages: list[TextArenaMessage], rng: np.random.Generator) -> str:
        """Implements Player.say."""
        for said in _BRACKETED.findall("\n".join(message.content for message in messages)):
            if not _SENDER.fullmatch(said):
                self._read.pop(said, None)
                self._read[said] = None  # at the end: a move that was read last is likely valid
        recent = list(self._read)[-_TRIES:]
        examples = rng.choice([*recent, "[0]", "[0 0]"], _TRIES)
        candidates = [*rng.permutation(recent), *(_vary(str(said), rng) for said in examples)]
        seed = int(rng.integers(2**31))
        for candidate in candidates if self._tries else ():
            if _is_legal(game, str(candidate), seed):
                return str(candidate)
        return str(candidates[0])


def _vary(example: str, rng: np.random.Generator) -> str:
    """Return an example of a move with other numbers and columns (single letters)."""

    def other(found: re.Match[str]) -> str:
        return chr(97 + rng.integers(8)) if found["column"] else str(rng.integers(10))

    return _VARIABLE.sub(other, example)


def _is_legal(game: Any, message: str, seed: int) -> bool:
    """Return whether a message is a valid move, tried on a copy of the game."""
    trial = copy.deepcopy(game, _shared(game))
    player = trial.state.current_player_id
    with playing(Numbers(seed)):
        try:
            trial.step(message)
        except Exception:  # the game does not expect such a message
            return False
    state = trial.state
    information = getattr(state, "game_info", {}).get(player, {})
    return not getattr(state, "error_count", 0) and not information.get("invalid_move")


def _shared(game: Any) -> dict[int, Any]:
    """Return the memo of ``copy.deepcopy`` for a copy of a game, by the ids of the game's objects.

    Copies share the word lists. They get no conversation so far, which grows, and on which no move
    depends.
    """
    shared = games.word_lists(game)
    inner = game
    while hasattr(inner, "env"):
        for conversation in vars(inner).get("full_observations", {}).values():
            shared[id(conversation)] = []
        inner = inner.env
    for conversation in inner.state.observations.values():
        shared[id(conversation)] = []
    return shared
