"""Games by their strings: parsed, tried out where they have parameters, loaded with a seed."""

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
"""Parameters of games that name files of the host, for its owner alone."""

_SEEDS = 2**31
_SEED = "rng_seed"  # what games are called to take that draw chance by themselves
_LENGTH_LIMIT = 10_000  # of a game string: OpenSpiel's parser takes minutes for deep brackets
_TRIAL_LIMIT = 60.0
_SAMPLED = pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
# Its noise is drawn when a game ends in a way that it did not end in before, so it depends on
# all games that were played.
_UNSEEDED = "add_noise"


class Source:
    """A game that is known to load.

    Args:
        game: A game string of OpenSpiel: ``"go(board_size=9)"``.
        files: Its parameters that name files.

    Attributes:
        name: The game's name, without parameters.
        parameters: Those that were given, by name; a game among them is such a dict with ``name``.
        seedable: All chance can be seeded.
        compiled: Neither it nor a game in it is written in Python.
        plain: It is compiled, and no game made of another.

    Raises:
        OptionError: OpenSpiel has no such game, or cannot play it with these parameters.
    """

    def __init__(self, game: str, files: Mapping[str, str]) -> None:
        self._text = game
        parsed = _with_files(_parsed(game), files, game)
        if len(parsed) > 1:
            _try_out(parsed["name"], json.dumps(parsed), game)
        self.name: str = parsed.pop("name")
        self.parameters = parsed
        names = _names(self.name, parsed)
        self._loaded = self._load(parsed)
        # What a game made of another draws depends on that, so it is asked of the instance.
        self._draws_chance = self._loaded.get_type().chance_mode == _SAMPLED
        self.seedable = _UNSEEDED not in names
        if self._draws_chance:
            self.seedable &= _SEED in _keys(_set({"name": self.name, **parsed}, {_SEED: 0}))
        written = any(name.startswith("python_") for name in names)
        self.compiled = not written and type(self._loaded).__module__.startswith("pyspiel")
        self.plain = self.compiled and len(names) == 1

    def load(self, rng: np.random.Generator) -> pyspiel.Game:
        """The game for an episode.

        It is a new one where it draws chance by itself, which it does from a seed that it is loaded
        with; and where it is written in Python, since such a game may keep what players saw.

        Args:
            rng: The seed comes from it, where one is needed.
        """
        if self.compiled and not self._draws_chance:
            return self._loaded
        given = {"name": self.name, **self.parameters}
        if self._draws_chance:
            given = _set(given, {_SEED: int(rng.integers(_SEEDS))})
        del given["name"]
        with _unlogged("absl"):  # what it has to say of itself it said when it was first loaded
            return self._load(given)

    def unplayable(self, reason: str) -> OptionError:
        """The error that says why the game cannot be played."""
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


def _parsed(game: str) -> dict[str, Any]:
    """The game string as a dict of its name and parameters, all of which exist."""
    if len(game) > _LENGTH_LIMIT:
        raise OptionError(
            f"Option game has {len(game)} characters; no game takes more than {_LENGTH_LIMIT}.",
            game=game[:200],
        )
    try:
        parsed: dict[str, Any] = pyspiel.game_parameters_from_string(game)
    except pyspiel.SpielError as error:
        raise OptionError(
            f"Option game={game[:200]!r} is no game string: {error} Write it as "
            "'go(board_size=9,komi=7.5)'.",
            game=game,
        ) from error
    known = pyspiel.registered_names()
    for name in _names(parsed.get("name", ""), parsed):
        if name not in known:
            raise OptionError(
                f"OpenSpiel {pyspiel.__version__} has no game {name!r}.{did_you_mean(name, known)} "
                "pyspiel.registered_names() lists all.",
                game=game,
            )
    named = sorted(_keys(parsed) & FILE_PARAMETERS)
    if named:
        raise OptionError(
            f"Option game={game[:200]!r}: {', '.join(named)} names a file of the host that plays, "
            f"which only its owner may: give it as game_files={{'{named[0]}': ...}}.",
            game=game,
        )
    if _SEED in _keys(parsed):
        raise OptionError(
            f"Option game={game[:200]!r}: leave {_SEED} out. The seed is that of reset(seed=...).",
            game=game,
        )
    return parsed


def _with_files(parsed: dict[str, Any], files: Mapping[str, str], game: str) -> dict[str, Any]:
    unknown = sorted(files.keys() - FILE_PARAMETERS)
    found = _set(parsed, files)
    if unknown or (files and _keys(found) & files.keys() != files.keys()):
        raise OptionError(
            f"Option game_files={dict(files)!r}: the game {game[:200]!r} takes no "
            f"{', '.join(unknown or files)}. Parameters that name files are "
            f"{', '.join(sorted(FILE_PARAMETERS))}.",
            game=game,
        )
    return found


@functools.lru_cache(maxsize=256)
def _try_out(name: str, parameters: str, game: str) -> None:
    """Plays the game in a process of its own; once for each game.

    Args:
        name: The game's name.
        parameters: Its name and parameters, as JSON.
        game: What it is called in errors.

    Raises:
        OptionError: It cannot be played.
    """
    command = [sys.executable, str(Path(trial.__file__)), parameters]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OPENBLAS_NUM_THREADS": "1",  # each would take address space
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
    if done.returncode in (0, trial.UNKNOWN):  # the latter is registered by the user's own code
        return
    if done.returncode < 0:
        raise _unplayable(name, game, f"its process was ended by signal {-done.returncode}")
    lines = done.stderr.decode(errors="replace").splitlines() or ["it does not say why"]
    raise _unplayable(name, game, lines[-1])


def _unplayable(name: str, game: str, reason: str) -> OptionError:
    taken = sorted(_taken(name) - FILE_PARAMETERS - {_SEED})
    files = sorted(_taken(name) & FILE_PARAMETERS)
    return OptionError(
        f"OpenSpiel cannot play game={game[:200]!r}: {reason[:500].rstrip('.')}."
        + (f" Its parameters are {', '.join(taken)}." if taken else "")
        + (f" It reads files, which game_files= names: {', '.join(files)}." if files else ""),
        game=game,
    )


def _nested(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The games among the parameters."""
    return [value for value in parameters.values() if isinstance(value, dict)]


def _names(name: str, parameters: Mapping[str, Any]) -> list[str]:
    """The names of a game and of all games in it."""
    inner = (_names(game.get("name", ""), game) for game in _nested(parameters))
    return [name, *(each for names in inner for each in names)]


def _keys(parameters: Mapping[str, Any]) -> set[str]:
    """The parameters that are given to a game and to all games in it."""
    return set(parameters).union(*map(_keys, _nested(parameters)))


@functools.cache
def _taken(name: str) -> frozenset[str]:
    """The parameters that a game takes."""
    (found,) = (kind for kind in pyspiel.registered_games() if kind.short_name == name)
    return frozenset(found.parameter_specification)


def _set(parameters: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a game, with these values for it and the games in it that take them."""
    taken = _taken(parameters["name"])
    found = {
        key: _set(value, values) if isinstance(value, dict) else value
        for key, value in parameters.items()
    }
    return {**found, **{key: value for key, value in values.items() if key in taken}}
