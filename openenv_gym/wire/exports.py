"""What an environment has beside an episode, reached from afar: attributes and methods.

A :class:`~openenv_gym.wire.messages.Description` names what is exported, each with its kind:

- ``"value"``: an attribute, asked for each time it is read;
- ``"method"``: a method; arguments and what it returns are plain values;
- ``"object"``: an object with attributes and methods of its own;
- ``["is", value]``, ``["returns", value]``: an attribute or a method that never changes;
- ``["info", name]``: a method that returns what the last info has under a name;
- ``["observation"]``: a method that returns the last observation.

The last four need no round trip. The name ``"*"`` says that others may be asked for too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from openenv_gym.errors import NoSuchAttributeError
from openenv_gym.wire.messages import Call, Called

ANY = "*"

Exports = Mapping[str, Any]
Ask = Callable[[Call], Called]
Last = Callable[[], tuple[Any, dict[str, Any]]]
"""Returns the last observation and info."""


class Exported:
    """What one environment exports, at the client's end.

    Args:
        exports: Kinds by name, as the description has them.
        ask: Carries a Call to the environment.
        last: Returns the last observation and info.
        where: What the environment is called, for errors.
    """

    def __init__(self, exports: Exports, ask: Ask, last: Last, where: str) -> None:
        self._exports = exports
        self._ask = ask
        self._last = last
        self._where = where

    @property
    def names(self) -> set[str]:
        """First parts of the exported names."""
        return {name.partition(".")[0] for name in self._exports if name != ANY}

    @property
    def is_open(self) -> bool:
        """Names that are not listed may be asked for too."""
        return ANY in self._exports

    @property
    def uses_last(self) -> bool:
        """Something is answered from the last reply."""
        return any(kind[0] in ("info", "observation") for kind in self._exports.values())

    def kind(self, path: str) -> Any:
        """Return the kind of a name; None where it is not listed."""
        kind = self._exports.get(path)
        if kind is None and any(name.startswith(f"{path}.") for name in self._exports):
            return "object"
        return kind

    def get(self, path: str) -> Any:
        """Return an attribute, or what stands for a method or an object.

        Raises:
            NoSuchAttributeError: It is missing, or not exported.
        """
        kind = self.kind(path)
        within = self._exports.get(path.partition(".")[0]) == "object"
        if kind is None and not (self.is_open or within):
            raise NoSuchAttributeError(
                f"{self._where} exports no {path!r}. It exports "
                f"{', '.join(sorted(self._exports)) or 'nothing'}.",
                attribute=path,
                known=sorted(self._exports),
            )
        if kind is None or kind == "value":
            reply = self._ask(Call(path))
            kind = reply.kind
            if kind == "value":
                return value_of(reply)
        if kind == "object":
            return RemoteObject(self, path)
        if kind == "method":
            return RemoteMethod(self, path)
        if kind[0] == "is":
            return copy.deepcopy(kind[1])
        return LocalMethod(path, self._local(path, kind))

    def set(self, path: str, value: Any) -> None:
        """Set an attribute.

        Raises:
            NoSuchAttributeError: It is not to be set.
        """
        self._ask(Call(path, what="set", arguments=[value]))

    def call(self, path: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call a method; arrays among the arguments are filled as the method fills them."""
        reply = self._ask(Call(path, what="call", arguments=[*arguments], keywords=keywords))
        for place, array in (reply.filled or {}).items():
            if arguments[int(place)] is not array:
                np.copyto(arguments[int(place)], array)
        return value_of(reply)

    def _local(self, path: str, kind: Any) -> Callable[[], Any]:
        """Return what answers from here; before the first reset the environment is asked."""
        if kind[0] == "returns":
            return lambda: copy.deepcopy(kind[1])

        def last() -> Any:
            observation, info = self._last()
            if observation is None:
                return self.call(path, (), {})
            return info[kind[1]] if kind[0] == "info" else observation.copy()

        return last


def value_of(reply: Called) -> Any:
    """Return the value of a reply; keys of a dict may be tuples, which only pairs can carry."""
    return dict(map(tuple, reply.value)) if reply.kind == "pairs" else reply.value


class RemoteMethod:
    """A method of an environment that is somewhere else.

    Args:
        exported: What the environment exports.
        path: Name of the method.
    """

    def __init__(self, exported: Exported, path: str) -> None:
        self._exported = exported
        self.__name__ = path.rpartition(".")[2]
        self._path = path

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it there."""
        return self._exported.call(self._path, arguments, keywords)

    def __repr__(self) -> str:
        return f"<method {self._path} of an environment over a transport>"


class LocalMethod:
    """A method that is answered from what is here already.

    Args:
        path: Name of the method.
        answer: Returns what it returns.
    """

    def __init__(self, path: str, answer: Callable[[], Any]) -> None:
        self.__name__ = path.rpartition(".")[2]
        self._answer = answer

    def __call__(self, out: Any = None) -> Any:
        """Return the answer, or fill an array with it."""
        answer = self._answer()
        if out is None:
            return answer
        np.copyto(out, answer.reshape(out.shape))
        return None


class RemoteObject:
    """An object that an environment somewhere else has.

    Args:
        exported: What the environment exports.
        path: Name of the object.
    """

    def __init__(self, exported: Exported, path: str) -> None:
        self._exported = exported
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # which pickle and copy ask for
            raise AttributeError(name)
        return self._exported.get(f"{self._path}.{name}")

    def __repr__(self) -> str:
        return f"<object {self._path} of an environment over a transport>"
