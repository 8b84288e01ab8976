"""Functions that parse game strings, try out games with parameters, and load games with a seed."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyspiel
from open_spiel.python import games  # noqa: F401  # registers those that are written in Python

from openenv_gym.errors import OptionError, did_you_mean
from openenv_gym_envs.openspiel import trial

FILE_PARAMETERS = frozenset(
    {"boards_file", "filename", "instances_file", "puzzles_root", "word_list_file"}
)
"""Parameters of games that name files of the machine, which only its owner may set."""

_SEEDS = 2**31
_SEED = "rng_seed"  # parameter of games that draw chance by themselves
_LENGTH_LIMIT = 10_000  # characters: OpenSpiel's parser takes minutes for deep brackets
_TRIAL_LIMIT = 60.0
_SAMPLED = pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
# It draws noise when a game ends in a way in which none ended before, so the noise depends on all
# games that were played.
_UNSEEDED = "add_noise"


class Source:
    """A game that can be loaded.

    Args:
        game: A game string of OpenSpiel: ``"go(board_size=9)"``.
        files: Parameters that name files.

    Attributes:
        name: Name of the game, without parameters.
        parameters: The given parameters, by name; a parameter that is a game is a dict with
            ``name`` and its parameters.
        seedable: Whether all chance can be seeded.
        compiled: Whether neither this game nor a game in it is written in Python.
        plain: Whether the game is compiled and not built from another game.

    Raises:
        OptionError: OpenSpiel does not have the game, or cannot play it with these parameters.
    """

    def __init__(self, game: str, files: Mapping[str, str]) -> None:
        self._text = game
        parsed = _with_files(_parse(game), files, game)
        if len(parsed) > 1:
            _try_out(parsed["name"], json.dumps(parsed), game)
        self.name: str = parsed.pop("name")
        self.parameters = parsed
        names = _names(self.name, parsed)
        self._loaded = self._load(parsed)
        # A game built from another draws as that one does, so the instance is asked.
        self._draws_chance = self._loaded.get_type().chance_mode == _SAMPLED
        self.seedable = _UNSEEDED not in names
        if self._draws_chance:
            self.seedable &= _SEED in _keys(_set({"name": self.name, **parsed}, {_SEED: 0}))
        written = any(name.startswith("python_") for name in names)
        self.compiled = not written and type(self._loaded).__module__.startswith("pyspiel")
        self.plain = self.compiled and len(names) == 1

    def load(self, rng: np.random.Generator) -> pyspiel.Game:
        """Return the game for an episode.

        A game that draws chance by itself is loaded again, with a seed. So is a game in Python,
        since it may remember what players saw.

        Args:
            rng: Source of the seed, where one is needed.
        """
        if self.compiled and not self._draws_chance:
            return self._loaded
        given = {"name": self.name, **self.parameters}
        if self._draws_chance:
            given = _set(given, {_SEED: int(rng.integers(_SEEDS))})
        del given["name"]
        with _unlogged("absl"):  # it logged its messages when it was loaded first
            return self._load(given)

    def unplayable(self, reason: str) -> OptionError:
        """Return the error that says why the game cannot be played."""
        return _unplayable(self.name, self._text, reason)

    def _load(self, parameters: dict[str, Any]) -> pyspiel.Game:
        try:
            return pyspiel.load_game(self.name, parameters)
        except (pyspiel.SpielError, LookupError, ValueError, RuntimeError) as error:
            raise self.unplayable(str(error)) from error


@contextlib.contextmanager
def _unlogged(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _parse(game: str) -> dict[str, Any]:
    """Parse a game string to a dict of its name and parameters, all of which exist."""
    if len(game) > _LENGTH_LIMIT:
        raise OptionError(
            f"Option game has {len(game)} characters; at most {_LENGTH_LIMIT} are allowed.",
            game=game[:200],
        )
    try:
        parsed: dict[str, Any] = pyspiel.game_parameters_from_string(game)
    except pyspiel.SpielError as error:
        raise OptionError(
            f"Option game={game[:200]!r} is not a valid game string: {error} Write it like "
            "'go(board_size=9,komi=7.5)'.",
            game=game,
        ) from error
    known = pyspiel.registered_names()
    for name in _names(parsed.get("name", ""), parsed):
        if name not in known:
            raise OptionError(
                f"OpenSpiel {pyspiel.__version__} does not have the game {name!r}."
                f"{did_you_mean(name, known)} pyspiel.registered_names() lists all.",
                game=game,
            )
    named = sorted(_keys(parsed) & FILE_PARAMETERS)
    if named:
        raise OptionError(
            f"Option game={game[:200]!r}: {', '.join(named)} names a file of the machine that "
            f"plays, and only its owner may do so: give it as game_files={{'{named[0]}': ...}}.",
            game=game,
        )
    if _SEED in _keys(parsed):
        raise OptionError(
            f"Option game={game[:200]!r}: leave {_SEED} out. The seed is given to reset(seed=...).",
            game=game,
        )
    return parsed


def _with_files(parsed: dict[str, Any], files: Mapping[str, str], game: str) -> dict[str, Any]:
    unknown = sorted(files.keys() - FILE_PARAMETERS)
    found = _set(parsed, files)
    if unknown or (files and _keys(found) & files.keys() != files.keys()):
        raise OptionError(
            f"Option game_files={dict(files)!r}: the game {game[:200]!r} does not take "
            f"{', '.join(unknown or files)}. Parameters that name files are "
            f"{', '.join(sorted(FILE_PARAMETERS))}.",
            game=game,
        )
    return found


@functools.lru_cache(maxsize=256)
def _try_out(name: str, parameters: str, game: str) -> None:
    """Play a game once in a process of its own; later calls for the same game do nothing.

    Args:
        name: Name of the game.
        parameters: Name and parameters of the game, as JSON.
        game: Game string for errors.

    Raises:
        OptionError: The game cannot be played.
    """
    command = [sys.executable, str(Path(trial.__file__)), parameters]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OPENBLAS_NUM_THREADS": "1",  # each thread would take address space
    }
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TRIAL_LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        reason = f"100 moves in it take more than {_TRIAL_LIMIT:.0f} s"
        raise _unplayable(name, game, reason) from error
    if done.returncode in (0, trial.UNKNOWN):  # unknown: the user's own code registers the game
        return
    if done.returncode < 0:
        raise _unplayable(name, game, f"signal {-done.returncode} ended its process")
    lines = done.stderr.decode(errors="replace").splitlines() or ["the reason is not known"]
    raise _unplayable(name, game, lines[-1])


def _unplayable(name: str, game: str, reason: str) -> OptionError:
    taken = sorted(_parameters_of(name) - FILE_PARAMETERS - {_SEED})
    files = sorted(_parameters_of(name) & FILE_PARAMETERS)
    return OptionError(
        f"OpenSpiel cannot play game={game[:200]!r}: {reason[:500].rstrip('.')}."
        + (f" Its parameters are {', '.join(taken)}." if taken else "")
        + (f" It reads files, which game_files= names: {', '.join(files)}." if files else ""),
        game=game,
    )


def _nested(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the games among the parameters."""
    return [value for value in parameters.values() if isinstance(value, dict)]


def _names(name: str, parameters: Mapping[str, Any]) -> list[str]:
    """Return the names of a game and of all games in it."""
    inner = (_names(game.get("name", ""), game) for game in _nested(parameters))
    return [name, *(each for names in inner for each in names)]


def _keys(parameters: Mapping[str, Any]) -> set[str]:
    """Return the names of the parameters given to a game and to all games in it."""
    return set(parameters).union(*map(_keys, _nested(parameters)))


@functools.cache
def _parameters_of(name: str) -> frozenset[str]:
    """Return the names of the parameters that a game takes."""
    (found,) = (kind for kind in pyspiel.registered_games() if kind.short_name == name)
    return frozenset(found.parameter_specification)


def _set(parameters: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters, with these values for the game and the games in it that take them."""
    taken = _parameters_of(parameters["name"])
    found = {
        key: _set(value, values) if isinstance(value, dict) else value
        for key, value in parameters.items()
    }
    return {**found, **{key: value for key, value in values.items() if key in taken}}
