"""What an environment exports, at the session's end: found, and reached by name."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium
import numpy as np

from openenv_gym.errors import CodecError, NoSuchAttributeError, OptionError
from openenv_gym.wire.codec import pack
from openenv_gym.wire.exports import ANY
from openenv_gym.wire.messages import Call, Called

Declared = Iterable[str] | Mapping[str, str]
"""Names; or names with kinds: ``"constant"``, ``"info.NAME"``, ``"observation"``, or None."""

_MOST_NAMES = 256
_PLAIN = (bool, int, float, str, bytes, np.ndarray, np.generic, list, tuple, dict, set, type(None))


class Exports:
    """What of one environment can be reached.

    Args:
        root: The environment.
        declared: What its author exports; an object with all that is public in it.
        everything: Any public name can be reached, by the owner.
    """

    def __init__(self, root: Any, declared: Declared, *, everything: bool = False) -> None:
        self._root = root
        self._everything = everything
        names = declared if isinstance(declared, Mapping) else dict.fromkeys(declared, "")
        self._declared = {name: self._kind(name, kind or "") for name, kind in names.items()}
        # What is an object by itself is exported with all that is public in it.
        self._objects = {name for name, kind in self._declared.items() if kind == "object"}

    def describe(self, *, owner: bool) -> dict[str, Any]:
        """Return the kinds by name, as a client may know them."""
        if not (owner and self._everything):
            return dict(self._declared)
        return {ANY: "value", **_public(self._root), **self._declared}

    def reach(self, call: Call, *, owner: bool) -> Called:
        """Get or set an attribute, or call a method.

        Raises:
            NoSuchAttributeError: It is missing, or not for this client.
            OptionError: What it returns is not a plain value.
        """
        self._check(call, owner=owner)
        parent, _, name = call.path.rpartition(".")
        holder = self._find(parent) if parent else self._root
        if call.what == "set":
            setattr(holder, name, call.arguments[0])
            return Called("value")
        found = _attribute(holder, name, call.path)
        if call.what == "call":
            return _called(found, call)
        kind = _kind_of(found)
        return _plain(found, call.path) if kind == "value" else Called(kind)

    def _check(self, call: Call, *, owner: bool) -> None:
        path = call.path
        if self._everything and owner and not any(map(_is_hidden, path.split("."))):
            return
        first, *more = path.split(".")
        within = first in self._objects and not any(map(_is_hidden, more))
        above = any(name.startswith(f"{path}.") for name in self._declared)
        listed = path in self._declared or within or above
        if not listed or call.what == "set":
            doing = "set" if call.what == "set" else "reached"
            raise NoSuchAttributeError(
                f"{path!r} cannot be {doing}: the environment exports "
                f"{', '.join(self._declared) or 'nothing'}. Its author exports more by `exports` "
                "in its class or its openenv.yaml.",
                attribute=path,
                known=sorted(self._declared),
            )

    def _find(self, path: str) -> Any:
        found = self._root
        for part in path.split("."):
            found = _attribute(found, part, path)
        return found

    def _kind(self, path: str, kind: str) -> Any:
        """Return the kind of a declared name, in the form that travels."""
        if kind.startswith("info."):
            return ["info", kind.removeprefix("info.")]
        if kind == "observation":
            return ["observation"]
        found = self._find(path)
        of = _kind_of(found)
        if kind == "constant":
            value = found() if of == "method" else found
            plain = _plain(value, path)
            if plain.kind == "value":
                return ["returns" if of == "method" else "is", plain.value]
        return of


def reach_all(exports: Iterable[Exports], call: Call, *, owner: bool) -> Called:
    """Like :meth:`Exports.reach`, in several lanes."""
    replies = [each.reach(call, owner=owner) for each in exports]
    return Called("lanes", [[reply.kind, reply.value] for reply in replies])


def _is_hidden(part: str) -> bool:
    """Whether a part of a name is private, or would go round the session."""
    return part.startswith("_") or part in _OF_SESSION


def _attribute(holder: Any, name: str, path: str) -> Any:
    try:
        if isinstance(holder, gymnasium.Env):  # in its wrappers too
            return holder.get_wrapper_attr(name)
        return getattr(holder, name)
    except AttributeError as error:
        raise NoSuchAttributeError(
            f"The environment has no {path!r}: {error}.", attribute=path
        ) from error


def _kind_of(found: Any) -> str:
    if isinstance(found, _PLAIN):
        return "value"
    return "method" if callable(found) else "object"


def _plain(value: Any, path: str) -> Called:
    """Return a value as it travels; a copy, since the environment goes on with its own.

    Raises:
        OptionError: It does not travel.
    """
    try:
        if isinstance(value, dict) and any(isinstance(key, tuple) for key in value):
            pairs = [[key, item] for key, item in value.items()]
            pack(pairs, path)
            return Called("pairs", copy.deepcopy(pairs))
        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            pack(value, path)
            if isinstance(value, np.ndarray):
                raise CodecError(f"{path} is an array of objects.")
    except CodecError as error:
        raise OptionError(f"{path} is not a plain value: {error}", attribute=path) from error
    return Called("value", copy.deepcopy(value))


def _called(method: Any, call: Call) -> Called:
    if not callable(method):
        raise NoSuchAttributeError(f"{call.path!r} is not a method.", attribute=call.path)
    arrays = {
        place: (array, array.copy())
        for place, array in enumerate(call.arguments)
        if isinstance(array, np.ndarray)
    }
    reply = _plain(method(*call.arguments, **call.keywords), call.path)
    filled = {
        place: array
        for place, (array, before) in arrays.items()
        if not np.array_equal(array, before, equal_nan=array.dtype.kind in "fc")
    }
    reply.filled = filled or None
    return reply


def _public(environment: Any) -> dict[str, str]:
    """Return the public names of an environment, beside those that every environment has."""
    root = environment.unwrapped if isinstance(environment, gymnasium.Env) else environment
    own = vars(root)
    names = [name for name in {**own, **dict.fromkeys(dir(type(root)))} if name.isidentifier()]
    found: dict[str, str] = {}
    for name in names:
        if name.startswith("_") or hasattr(gymnasium.Env, name) or name in _OF_EVERY_ENV:
            continue
        if name in own:
            found[name] = _kind_of(own[name])
        else:  # a property is not computed for this
            static = inspect.getattr_static(type(root), name)
            is_method = inspect.isroutine(static) or isinstance(static, classmethod | staticmethod)
            found[name] = "method" if is_method else "value"
        if len(found) == _MOST_NAMES:
            break
    return found


_OF_EVERY_ENV = frozenset({"action_space", "observation_space", "spec"})
_OF_SESSION = frozenset({"step", "reset", "render", "close", "env", "unwrapped"})
