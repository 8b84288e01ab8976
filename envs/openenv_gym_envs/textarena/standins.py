"""Stand-ins for modules that TextArena's games share with the rest of the process.

The games draw from Python's and numpy's global generators, so that two games in one process, or a
game and its trainer, would influence each other's numbers. They also ask nltk for word lists, which
nltk downloads. So in a game's modules ``random``, ``numpy`` and ``nltk`` are stand-ins: within
:func:`playing` they use the numbers of that game alone and the words of :mod:`.words`; for code
that uses TextArena outside of it they are the real modules.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import numpy as np

from openenv_gym_envs.textarena import words


class Numbers:
    """The random numbers of one game.

    Args:
        seed: Seed of the numbers.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @functools.cached_property
    def python(self) -> random.Random:
        """The generator that replaces the one of the module ``random``."""
        return random.Random(self._seed)

    @functools.cached_property
    def numpy(self) -> np.random.RandomState:
        """The generator that replaces the one of ``numpy.random``."""
        return np.random.RandomState(self._seed)

    @property
    def untouched(self) -> bool:
        """Whether no number was drawn yet."""
        return not {"python", "numpy"} & vars(self).keys()

    def default_rng(self, seed: Any = None) -> np.random.Generator:
        """Replace ``numpy.random.default_rng``, but never use the system's entropy."""
        return np.random.default_rng(self.numpy.randint(2**31) if seed is None else seed)


_numbers: ContextVar[Numbers | None] = ContextVar("textarena_numbers", default=None)


@contextlib.contextmanager
def playing(numbers: Numbers) -> Iterator[None]:
    """Let games on this thread draw these numbers while the block runs."""
    token = _numbers.set(numbers)
    try:
        yield
    finally:
        _numbers.reset(token)


class _StandIn(ModuleType):
    """A module that acts as another one, except while a game is played.

    Args:
        name: Name of the module that it replaces.
        find: Function that returns an attribute for a game by its name.
    """

    def __init__(self, name: str, find: Callable[[Numbers, str], Any]) -> None:
        super().__init__(name)
        self._find = find

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        numbers = _numbers.get()
        if numbers is None:
            return getattr(importlib.import_module(self.__name__), name)
        return self._find(numbers, name)


def _random(numbers: Numbers, name: str) -> Any:
    return getattr(numbers.python if hasattr(numbers.python, name) else random, name)


def _numpy(numbers: Numbers, name: str) -> Any:
    return _NUMPY_RANDOM if name == "random" else getattr(np, name)


def _numpy_random(numbers: Numbers, name: str) -> Any:
    if name == "default_rng":
        return numbers.default_rng
    return getattr(numbers.numpy if hasattr(numbers.numpy, name) else np.random, name)


def _nltk(numbers: Numbers, name: str) -> Any:
    ours = {"corpus": _CORPUS, "words": _WORDS, "pos_tag": _pos_tag, "download": _nothing}
    if name not in ours:
        raise AttributeError(f"nltk.{name} does not exist for TextArena's games here")
    return ours[name]


def _nothing(*arguments: Any, **keywords: Any) -> bool:
    """Replace ``nltk.download``: the words that the games need are here."""
    return True


def _pos_tag(tokens: list[str], *arguments: Any, **keywords: Any) -> list[tuple[str, str]]:
    """Replace ``nltk.pos_tag``, distinguishing only nouns from other words."""
    if _numbers.get() is None:
        tagged: list[tuple[str, str]] = importlib.import_module("nltk").pos_tag(
            tokens, *arguments, **keywords
        )
        return tagged
    nouns = words.nouns()
    return [(token, "NN" if token in nouns else "JJ") for token in tokens]


def _print(*values: Any, **keywords: Any) -> None:
    """Replace ``print``: the output of games is meant for their authors."""
    if _numbers.get() is None:
        print(*values, **keywords)


class _Set(set[Any]):
    """A set with the same order in every process, which sets of texts do not have."""

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(super().__iter__(), key=repr))


class _Words:
    """Replaces ``nltk.corpus.words``."""

    def words(self, fileids: str = "en") -> list[str]:
        """Return the word list of a name."""
        if _numbers.get() is None:
            listed: list[str] = importlib.import_module("nltk.corpus").words.words(fileids)
            return listed
        return words.listed(fileids)


_WORDS = _Words()
_RANDOM = _StandIn("random", _random)
_NUMPY = _StandIn("numpy", _numpy)
_NUMPY_RANDOM = _StandIn("numpy.random", _numpy_random)
_NLTK = _StandIn("nltk", _nltk)
_CORPUS = _StandIn("nltk.corpus", _nltk)

_lock = threading.RLock()
_bound: set[str] = set()


def load(module: str) -> ModuleType:
    """Import a module of TextArena, with the stand-in for nltk.

    Raises:
        Exception: Any error of the import.
    """
    with _lock, playing(Numbers(0)):
        with _in_place({"nltk": _NLTK, "nltk.corpus": _CORPUS}):
            loaded = importlib.import_module(module)
        for name in [name for name in sys.modules if name.startswith("textarena.")]:
            if name not in _bound:
                _bind(sys.modules[name])
                _bound.add(name)
    return loaded


@contextlib.contextmanager
def _in_place(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """Replace modules for imports while the block runs.

    It also avoids the import of nltk itself, which takes longer than all the rest.
    """
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _bind(module: ModuleType) -> None:
    """Put the stand-ins into a module that uses the modules that they replace."""
    stand_ins: dict[int, Any] = {id(random): _RANDOM, id(np): _NUMPY}
    nltk = sys.modules.get("nltk")
    if nltk is not None:  # other code may have imported the game before
        corpus = importlib.import_module("nltk.corpus")
        stand_ins |= {id(nltk): _NLTK, id(corpus): _CORPUS}
        stand_ins |= {id(nltk.pos_tag): _pos_tag, id(corpus.words): _WORDS}
    dictionary = getattr(sys.modules.get(_WORD_LISTS), "EnglishDictionary", None)
    if dictionary is not None and module.__name__ != _WORD_LISTS:
        stand_ins[id(dictionary)] = functools.partial(_dictionary, dictionary)
    vars(module).setdefault("print", _print)
    if module.__name__ != _WORD_LISTS:  # that module only looks words up
        vars(module).setdefault("set", _Set)
    for name, value in list(vars(module).items()):
        if id(value) in stand_ins:
            setattr(module, name, stand_ins[id(value)])


_WORD_LISTS = "textarena.envs.utils.word_lists"


def _dictionary(make: Callable[..., Any], **keywords: Any) -> Any:
    """Return one TextArena dictionary for all games, as it takes long to make and is only read."""
    if _numbers.get() is None:
        return make(**keywords)
    with _lock:
        return _dictionary_of(make, **keywords)


@functools.cache
def _dictionary_of(make: Callable[..., Any], **keywords: Any) -> Any:
    return make(**keywords)
