"""TextArena's games: how one is made, why one cannot be, and what there is to read in one."""

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
_WORD_LIST = 500  # a list with more entries is one of words
_beginning = threading.Lock()  # Sokoban draws its room in variables of its module

# They raise in the middle of a game, or never come back.
_BROKEN = {
    "CharacterConclave": "its messages lack their type, so that each step fails",
    "MarketEntryGame": "it looks for the next player without end",
}
# They begin with fewer, and then look for a player who is not there.
_FEWEST = {"QuantumTicTacToe": 2, "SpiteAndMalice": 2}
# They ask language models, whose answers no seed decides.
_UNSEEDED = frozenset({"Debate", "GuessWho", "ScenarioPlanning", "TwentyQuestions"})


def is_seeded(env_id: str) -> bool:
    """Whether a seed decides all that happens in a game."""
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
    """All ids of TextArena that have a version and no variant."""
    return [id for id in _registry if id.endswith("-v0")]


def check(env_id: str, players: int) -> None:
    """Checks that a game is there for so many, as far as can be told without making it.

    Raises:
        OptionError: TextArena has none of the name, or one that cannot be played.
    """
    if env_id not in _registry:
        known = ids()
        raise OptionError(
            f"TextArena has no env_id={env_id!r}.{did_you_mean(env_id, _registry)} It has "
            f"{', '.join(known)}, and variants of them.",
            env_id=env_id,
            known=known,
        )
    name = env_id.partition("-v")[0]
    if name in _BROKEN:
        raise OptionError(f"env_id={env_id!r} cannot be played: {_BROKEN[name]}.", env_id=env_id)
    if players < _FEWEST.get(name, 1):
        raise OptionError(
            f"env_id={env_id!r} takes {_FEWEST[name]} players: num_players={_FEWEST[name]}.",
            env_id=env_id,
        )


class Source:
    """Gives new games of a kind.

    Each is another object, since some keep from one game to the next what they should not. Making
    one can take long, so they are copies of the first one, unless that drew random numbers or holds
    connections to language models.

    Args:
        env_id: TextArena's id.
        arguments: Of the game's constructor.
        players: How many play.
    """

    def __init__(self, env_id: str, arguments: Mapping[str, Any], players: int) -> None:
        self._env_id = env_id
        self._arguments = arguments
        self._players = players
        self._first: Any = None

    def begin(self, seed: int) -> tuple[Any, Numbers]:
        """Begins a game.

        Args:
            seed: Of all its random numbers.

        Returns:
            The game, and the numbers that it is to be played with.

        Raises:
            OptionError: It cannot be made here, or not with these arguments or so many players.
            MissingDependencyError: A package that it needs is not installed.
        """
        numbers = Numbers(seed)
        with _beginning, playing(numbers):
            if self._first is None:
                game = self._made()
                if numbers.untouched and is_seeded(self._env_id):
                    self._first = copy.deepcopy(game, word_lists(game))
            else:
                game = copy.deepcopy(self._first, word_lists(self._first))
            try:
                game.reset(num_players=self._players, seed=seed)
            except FileNotFoundError as error:
                raise _cannot_be_made(self._env_id, self._arguments, error) from error
            except Exception as error:
                raise OptionError(
                    f"env_id={self._env_id!r} cannot begin with num_players={self._players}: "
                    f"{str(error).rstrip('.') or type(error).__name__}.",
                    env_id=self._env_id,
                    num_players=self._players,
                ) from error
        return game, numbers

    def _made(self) -> Any:
        try:
            standins.load(_registry[self._env_id].entry_point.partition(":")[0])
            return _textarena.make(self._env_id, **self._arguments)
        except Exception as error:
            raise _cannot_be_made(self._env_id, self._arguments, error) from error


def word_lists(game: Any) -> dict[int, Any]:
    """By their ids, what copies of a game share with it, for ``copy.deepcopy``.

    Dictionaries and long lists of words, which are only read.
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


def _cannot_be_made(env_id: str, arguments: Mapping[str, Any], error: Exception) -> OpenEnvGymError:
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
            f"{what} it asks language models at openrouter.ai, which takes a network and a key in "
            "the variable OPENROUTER_API_KEY. There is no key.",
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
    """The rules as told to each player, of a game that has just begun."""
    return {
        player: "\n".join(text for _, text, kind in told if kind.name == "PROMPT").strip()[
            :TEXT_LENGTH
        ]
        for player, told in state.observations.items()
    }


def outcome(state: Any, player: int) -> tuple[float, str]:
    """What a player has won so far, and why the game is over, where it is."""
    reward = (state.rewards or {}).get(player, 0.0)
    reason = state.game_info.get(player, {}).get("reason") or ""
    if isinstance(reward, str):
        # Countdown and Cryptarithm give each in the place of the other for an invalid move.
        invalid, _, number = reason.rpartition(" ")
        reward, reason = number, f"{invalid} {reward}"
    return float(reward), str(reason)


def messages(told: Any) -> list[TextArenaMessage]:
    """What a player is told, as OpenEnv has it: text of the same sender and kind in one message.

    Args:
        told: What TextArena's ``get_observation`` gives: a text, or tuples.
    """
    if isinstance(told, str):
        told = [(-1, told, "MESSAGE")] if told else []
    found: list[TextArenaMessage] = []
    for sender, text, kind in told or []:
        category = getattr(kind, "name", str(kind))
        category = category if category in CATEGORIES else "MESSAGE"
        last = found[-1] if found else None
        if last is not None and (last.sender_id, last.category) == (sender, category):
            last.content += str(text)
        else:
            found.append(TextArenaMessage(sender_id=sender, content=str(text), category=category))
    return found


def shorten(told: list[TextArenaMessage]) -> int:
    """Cuts messages that are too long to their ends, in place; says how much was cut off."""
    cut = 0
    for message in told:
        over = max(len(message.content) - TEXT_LENGTH, 0)
        message.content = message.content[over:]
        cut += over
    return cut


def plain(value: Any) -> Any:
    """What a game keeps, as values that travel and are the same wherever they come from."""
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
