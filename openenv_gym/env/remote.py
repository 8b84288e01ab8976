"""RemoteEnv: what an environment over a link has beside the five-tuple.

Attributes and methods that the environment exports, snapshots of its episode, copies and pickles.
"""

from __future__ import annotations

import copy
from typing import Any, Self, cast

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import seeding

from openenv_gym.env.seal import seal, unseal
from openenv_gym.errors import CopyError, NotResetError, SnapshotError
from openenv_gym.transport import Link, expect
from openenv_gym.wire.codec import decode_value, encode_value
from openenv_gym.wire.exports import Exported
from openenv_gym.wire.messages import (
    Call,
    Called,
    Description,
    Restore,
    Restored,
    Snapshot,
    Snapshotted,
)


class ExportedValue:
    """An attribute that some environments export: asked for each time it is read.

    It is on the class, for all of its instances: those that do not export it have no such
    attribute. An instance cannot have it, and a class with ``__getattr__`` makes every step slower.

    Args:
        name: Of the attribute.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, env: RemoteEnv | None, owner: type) -> Any:
        if env is None:
            return self
        if env.exported is None or env.exported.kind(self._name) != "value":
            try:
                return vars(env)[self._name]
            except KeyError:
                raise AttributeError(
                    f"{owner.__name__!r} object has no attribute {self._name!r}"
                ) from None
        return env.exported.get(self._name)

    def __set__(self, env: RemoteEnv, value: Any) -> None:
        if env.exported is None or env.exported.kind(self._name) != "value":
            vars(env)[self._name] = value
        else:
            env.exported.set(self._name, value)


class RemoteEnv(gymnasium.Env[Any, Any]):
    """A ``gymnasium.Env`` whose environment is at the other end of a link.

    Attributes:
        link: The open session.
        exported: What the environment exports; None: nothing.
    """

    link: Link
    exported: Exported | None = None

    _recipe: tuple[tuple[Any, ...], dict[str, Any]]
    _last: tuple[Any, dict[str, Any]] = (None, {})
    _spec: EnvSpec | None = None
    _limit: int | None = None

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        """Keep the arguments, of which pickle makes an environment again."""
        made = super().__new__(cls)
        made._recipe = (arguments, keywords)
        return made

    def _take_exports(self, description: Description) -> None:
        """Give this object the attributes and methods that the environment exports."""
        self._limit = description.max_episode_steps
        if not description.exports:
            return
        self.exported = exported = Exported(
            description.exports, self._reach, lambda: self._last, description.environment
        )
        for name in exported.names:
            known = getattr(type(self), name, None)
            ours = known is not None and not isinstance(known, ExportedValue)
            if ours or name in vars(self) or not name.isidentifier() or name.startswith("__"):
                continue
            if exported.kind(name) != "value":
                vars(self)[name] = exported.get(name)
            elif known is None:
                setattr(RemoteEnv, name, ExportedValue(name))

    def _reach(self, call: Call) -> Called:
        return expect(Called, self.link.exchange(call))

    @property
    def np_random(self) -> np.random.Generator:
        """The environment's own generator, where it exports that; else one of this object.

        Wrappers draw from it, such as the number of no-ops that begin a game.
        """
        if self.exported is not None and self.exported.kind("np_random") == "object":
            own: Any = self.exported.get("np_random")
            return cast("np.random.Generator", own)
        if self._np_random is None:
            self._np_random, self._np_random_seed = seeding.np_random()
        return self._np_random

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        self._np_random, self._np_random_seed = value, -1

    # As gymnasium's wrappers and vector environments reach attributes.

    def get_wrapper_attr(self, name: str) -> Any:
        """Like the base method, but reaches names that the environment did not list too."""
        try:
            return super().get_wrapper_attr(name)
        except AttributeError:
            if self.exported is None or not self.exported.is_open:
                raise
        return self.exported.get(name)

    def has_wrapper_attr(self, name: str) -> bool:
        """Like the base method, but asks the environment too."""
        try:
            self.get_wrapper_attr(name)
        except AttributeError:
            return False
        return True

    def set_wrapper_attr(self, name: str, value: Any, **keywords: Any) -> Any:
        """Like the base method, but sets attributes of the environment that this object lacks."""
        if not hasattr(self, name) and self.exported is not None and self.has_wrapper_attr(name):
            self.exported.set(name, value)
            return True
        return super().set_wrapper_attr(name, value, **keywords)

    @property
    def spec(self) -> EnvSpec | None:
        """What it was made of, with the limit of steps that the environment keeps itself."""
        spec = self._spec
        if spec is None or spec.max_episode_steps is not None or self._limit is None:
            return spec
        spec = copy.copy(spec)
        spec.max_episode_steps = self._limit
        return spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._spec = None if spec is None else _copyable(spec, getattr(self, "transport", None))

    # Copies.

    def snapshot(self) -> bytes:
        """Return the episode, to go on from here later or in another environment of the kind.

        Whatever wrappers have, such as the steps of ``TimeLimit``, is not part of it.

        Raises:
            SnapshotError: The environment cannot be saved.
        """
        data = expect(Snapshotted, self.link.exchange(Snapshot())).data
        generator = None if self._np_random is None else self._np_random.bit_generator.state
        return seal(encode_value({"session": data, "generator": generator, **self._own_state()}))

    def restore(self, data: bytes) -> None:
        """Go on with the episode of a snapshot.

        Args:
            data: What :meth:`snapshot` returned, over whatever transport.

        Raises:
            SnapshotError: It is not a snapshot of such an environment, or not all of it.
        """
        saved = decode_value(unseal(data))
        session, generator = saved["session"], saved["generator"]
        expect(Restored, self.link.exchange(Restore(session)))
        if generator is not None:
            self._np_random, _ = seeding.np_random(0)
            self._np_random.bit_generator.state = generator
        self._restore_own(saved)

    def _own_state(self) -> dict[str, Any]:
        """Return what this end knows of the episode."""
        return {"last": self._last}

    def _restore_own(self, saved: dict[str, Any]) -> None:
        """Go on with what :meth:`_own_state` returned."""
        self._last = saved["last"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments: unpickling makes a new environment, which was not reset."""
        arguments, keywords = self._recipe
        return _remake, (type(self), arguments, keywords, self._spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the environment, episode included.

        Raises:
            CopyError: It is not in this process, or cannot be copied.
        """
        arguments, keywords = self._recipe
        self.link.check_copy()
        try:
            data = self.snapshot()
        except NotResetError:  # there is no episode
            data = None
        except SnapshotError:
            return self._deep_copy(memo)
        twin: Self = _remake(type(self), arguments, keywords, self._spec)
        memo[id(self)] = twin
        try:
            if data is not None:
                twin.restore(data)
            twin.action_space = copy.deepcopy(self.action_space)
            twin.observation_space = copy.deepcopy(self.observation_space)
        except BaseException:
            twin.close()
            raise
        return twin

    def _deep_copy(self, memo: dict[int, Any]) -> Self:
        """Copy the objects of the environment, which Python can mostly do."""
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        exported = set() if self.exported is None else self.exported.names
        try:
            for name, value in vars(self).items():
                if name not in exported and name not in ("exported", "_view"):
                    vars(twin)[name] = copy.deepcopy(value, memo)
        except CopyError:
            raise
        except Exception as error:  # whatever an object says that cannot be copied
            raise CopyError(
                f"The environment cannot be copied: {type(error).__name__}: {error}."
            ) from error
        twin._take_exports(self.link.description)
        return twin


_OF_TRANSPORTS = ("url", "image", "token", "timeout", "transport", "transport_options")


def _copyable(spec: EnvSpec, transport: Any) -> EnvSpec:
    """Return a spec that gymnasium can copy: with the transport in place of its options.

    Some of them, such as an ``ssl.SSLContext``, cannot be copied; a transport shares them.
    """
    try:
        copy.deepcopy(spec.kwargs.get("transport_options"))
    except Exception:
        kept = {name: value for name, value in spec.kwargs.items() if name not in _OF_TRANSPORTS}
        spec = copy.copy(spec)
        spec.kwargs = {**kept, "transport": transport}
    return spec


def _remake(
    cls: type[RemoteEnv], arguments: Any, keywords: dict[str, Any], spec: EnvSpec | None
) -> Any:
    made = cls(*arguments, **keywords)
    made.spec = spec
    return made
