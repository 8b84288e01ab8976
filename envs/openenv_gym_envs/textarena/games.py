"""TextArena's games: functions that make them, explain failures and read their state."""

from __future__ import annotations

import copy
import enum
import sys
import threading
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from openenv_gym.errors import (
    MissingDependencyError,
    OpenEnvGymError,
    OptionError,
    did_you_mean,
)
from openenv_gym_envs.textarena import standins
from openenv_gym_envs.textarena.models import CATEGORIES, TEXT_LENGTH, TextArenaMessage
from openenv_gym_envs.textarena.standins import Numbers, playing

_textarena = standins.load("textarena")
_registry = standins.load("textarena.envs.registration").ENV_REGISTRY
_WORD_LIST = 500  # a list with more entries is taken for a word list
_beginning = threading.Lock()  # Sokoban makes its room in variables of its module

# These games raise an error in the middle, or never return.
_BROKEN = {
    "CharacterConclave": "its messages lack their type, so that each step fails",
    "MarketEntryGame": "it looks for the next player without end",
}
# These games begin with fewer players, and then look for one who is missing.
_FEWEST = {"QuantumTicTacToe": 2, "SpiteAndMalice": 2}
# These games ask language models, whose answers do not depend on a seed.
_UNSEEDED = frozenset({"Debate", "GuessWho", "ScenarioPlanning", "TwentyQuestions"})


def is_seeded(env_id: str) -> bool:
    """Return whether a seed decides everything in a game."""
    return env_id.partition("-v")[0] not in _UNSEEDED


def without_models(env_id: str) -> str:
    """Return the id of a game, unless the game asks language models.

    Raises:
        ValueError: It does.
    """
    if not is_seeded(env_id):
        raise ValueError("the game asks language models, at the expense of the server's owner")
    return env_id


def ids() -> list[str]:
    """Return all ids of TextArena with a version and without a variant."""
    return [id for id in _registry if id.endswith("-v0")]


def check(env_id: str, players: int) -> None:
    """Check that a game exists for so many players, as far as possible without making it.

    Raises:
        OptionError: TextArena does not have the game, or it cannot be played.
    """
    if env_id not in _registry:
        known = ids()
        raise OptionError(
            f"TextArena does not have env_id={env_id!r}.{did_you_mean(env_id, _registry)} It has "
            f"{', '.join(known)}, and variants of them.",
            env_id=env_id,
            known=known,
        )
    name = env_id.partition("-v")[0]
    if name in _BROKEN:
        raise OptionError(f"env_id={env_id!r} cannot be played: {_BROKEN[name]}.", env_id=env_id)
    if players < _FEWEST.get(name, 1):
        raise OptionError(
            f"env_id={env_id!r} needs {_FEWEST[name]} players: use num_players={_FEWEST[name]}.",
            env_id=env_id,
        )


class Source:
    """Makes new games of a kind.

    Each game is a new object, since some objects wrongly keep values from one game to the next.
    Making one can take long, so games are copies of the first one, unless that has drawn random
    numbers or holds connections to language models.

    Args:
        env_id: TextArena's id of the game.
        arguments: Arguments of the game's constructor.
        players: Number of players.
    """

    def __init__(self, env_id: str, arguments: Mapping[str, Any], players: int) -> None:
        self._env_id = env_id
        self._arguments = arguments
        self._players = players
        self._first: Any = None

    def begin(self, seed: int) -> tuple[Any, Numbers]:
        """Begin a game.

        Args:
            seed: Seed of all random numbers of the game.

        Returns:
            The game, and the random numbers to play it with.

        Raises:
            OptionError: The game cannot be made here, or with these arguments, or for so many
                players.
            MissingDependencyError: A package that the game needs is not installed.
        """
        numbers = Numbers(seed)
        with _beginning, playing(numbers):
            if self._first is None:
                game = self._make()
                if numbers.untouched and is_seeded(self._env_id):
                    self._first = copy.deepcopy(game, word_lists(game))
            else:
                game = copy.deepcopy(self._first, word_lists(self._first))
            try:
                game.reset(num_players=self._players, seed=seed)
            except FileNotFoundError as error:
                raise _cannot_be_make(self._env_id, self._arguments, error) from error
            except Exception as error:
                raise OptionError(
                    f"env_id={self._env_id!r} cannot begin with num_players={self._players}: "
                    f"{str(error).rstrip('.') or type(error).__name__}.",
                    env_id=self._env_id,
                    num_players=self._players,
                ) from error
        return game, numbers

    def _make(self) -> Any:
        try:
            standins.load(_registry[self._env_id].entry_point.partition(":")[0])
            return _textarena.make(self._env_id, **self._arguments)
        except Exception as error:
            raise _cannot_be_make(self._env_id, self._arguments, error) from error


def word_lists(game: Any) -> dict[int, Any]:
    """Return the word lists of a game by their ids, as the memo of ``copy.deepcopy``.

    Copies of a game share these dictionaries and long lists, which are only read.
    """
    inner = game
    while hasattr(inner, "env"):
        inner = inner.env
    shared = {}
    for value in vars(inner).values():
        sized = isinstance(value, list | set | dict) and len(value) > _WORD_LIST
        if sized or type(value).__name__ == "EnglishDictionary":
            shared[id(value)] = value
    return shared


def _cannot_be_make(env_id: str, arguments: Mapping[str, Any], error: Exception) -> OpenEnvGymError:
    what = f"env_id={env_id!r} cannot be played here:"
    if isinstance(error, SyntaxError):
        version = ".".join(map(str, sys.version_info[:2]))
        return OptionError(
            f"{what} its code needs Python 3.12, and this is Python {version}.", env_id=env_id
        )
    if isinstance(error, ImportError):
        return MissingDependencyError(
            f"{what} it needs the package {error.name or error}, which is not installed.",
            package=error.name,
        )
    if "API key" in str(error):
        return OptionError(
            f"{what} it asks language models at openrouter.ai, which needs a network and a key. "
            "Set the variable OPENROUTER_API_KEY, which is missing.",
            env_id=env_id,
        )
    if isinstance(error, FileNotFoundError):
        return OptionError(
            f"{what} it reads files that the package textarena lacks: {error}.", env_id=env_id
        )
    if arguments:
        return OptionError(
            f"env_id={env_id!r} does not take env_kwargs={dict(arguments)!r}: {error}.",
            env_id=env_id,
        )
    return OptionError(f"{what} {type(error).__name__}: {error}.", env_id=env_id)


def prompts(state: Any) -> dict[int, str]:
    """Return the rules for each player, of a game that has just begun."""
    return {
        player: "\n".join(text for _, text, kind in observed if kind.name == "PROMPT").strip()[
            :TEXT_LENGTH
        ]
        for player, observed in state.observations.items()
    }


def outcome(state: Any, player: int) -> tuple[float, str]:
    """Return a player's reward so far, and the reason of the game's end if it is over."""
    reward = (state.rewards or {}).get(player, 0.0)
    reason = state.game_info.get(player, {}).get("reason") or ""
    if isinstance(reward, str):
        # For an invalid move Countdown and Cryptarithm swap reward and reason.
        invalid, _, number = reason.rpartition(" ")
        reward, reason = number, f"{invalid} {reward}"
    return float(reward), str(reason)


def messages(observed: Any) -> list[TextArenaMessage]:
    """Return a player's messages as in OpenEnv: texts of one sender and kind make one message.

    Args:
        observed: Result of TextArena's ``get_observation``: a text, or tuples.
    """
    if isinstance(observed, str):
        observed = [(-1, observed, "MESSAGE")] if observed else []
    found: list[TextArenaMessage] = []
    for sender, text, kind in observed or []:
        category = getattr(kind, "name", str(kind))
        category = category if category in CATEGORIES else "MESSAGE"
        last = found[-1] if found else None
        if last is not None and (last.sender_id, last.category) == (sender, category):
            last.content += str(text)
        else:
            found.append(TextArenaMessage(sender_id=sender, content=str(text), category=category))
    return found


def shorten(observed: list[TextArenaMessage]) -> int:
    """Cut messages that are too long to their ends, in place; return the characters cut off."""
    cut = 0
    for message in observed:
        over = max(len(message.content) - TEXT_LENGTH, 0)
        message.content = message.content[over:]
        cut += over
    return cut


def plain(value: Any) -> Any:
    """Convert a game's values to plain ones, which are the same over every transport."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, Set):
        return sorted((plain(inner) for inner in value), key=repr)
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(inner) for inner in value]
    return type(value).__name__
