"""RemoteVectorEnv: what lanes have beside their steps, reached from afar; copies and pickles."""

from __future__ import annotations

import contextlib
import copy
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Self

from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from openenv_gym.env.human import HumanView
from openenv_gym.errors import NoSuchAttributeError, NotResetError, OptionError
from openenv_gym.transport import expect
from openenv_gym.vector.frames import LaneFrames
from openenv_gym.vector.seeds import LaneGenerators
from openenv_gym.vector.workers import Worker
from openenv_gym.wire.exports import ANY, value_of
from openenv_gym.wire.messages import Call, Called, Frame, GetState, Render, StateReply


class RemoteVectorEnv(VectorEnv[Any, Any, Any]):
    """A vector environment whose lanes are at the other end of links."""

    _workers: list[Worker] = []  # noqa: RUF012  # for close(), where arguments were refused
    _exports: dict[str, Any]
    _frames: LaneFrames | None = None  # where the render mode wants one of each step
    _generators: LaneGenerators
    _recipe: tuple[tuple[Any, ...], dict[str, Any]]

    # As with SyncVectorEnv: a generator and a seed for each lane, none of the environments' own.
    np_random: Any = property(lambda self: self._generators.generators)
    np_random_seed: Any = property(lambda self: self._generators.seeds)

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        """Keep the arguments, of which pickle makes lanes again."""
        made = super().__new__(cls)
        made._recipe = (arguments, keywords)
        return made

    @abstractmethod
    def action_masks(self) -> NDArray[Any]:
        """Return which actions are legal in each lane."""

    @abstractmethod
    def _check_idle(self) -> None:
        """Check that no lane is under way.

        Raises:
            EpisodeError: One is; or all are closed.
        """

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return what a method returns, or an attribute is, in each lane.

        Args:
            name: ``"state"``, ``"render"``, ``"action_masks"``; what the environments export, with
                dots where that is of an object; or an attribute of this class, which is the same
                for all.
            *args: Of the method.
            **kwargs: Of the method.

        Raises:
            NoSuchAttributeError: There is none.
        """
        if name in ("np_random", "np_random_seed"):
            generators: tuple[Any, ...] = getattr(self, name)
            return generators
        known = hasattr(self, name) and not name.startswith("_")
        if known or name == "state":
            if args or kwargs:
                raise OptionError(f"{name} takes no arguments over a transport.")
            return self._own(name)
        self._check_exported(name)
        self._check_idle()
        return self._reached(name, args, kwargs)

    def is_method(self, name: str) -> bool:
        """Whether the environments export a method of that name."""
        kind = self._exports.get(name)
        return kind == "method" or (isinstance(kind, list) and kind[0] != "is")

    def render(self) -> tuple[Any, ...] | None:
        """Implements gymnasium.vector.VectorEnv.render.

        Returns:
            A picture or text of each lane. With ``"rgb_array_list"`` a list for each, of all since
            the last call or the beginning of its episode; with ``"human"`` None for each.

        Raises:
            EpisodeError: There is no render mode.
        """
        self._check_idle()
        if self._frames is not None:
            return self._frames.take()
        return tuple(frame for worker in self._workers for frame in _frames_of(worker))

    def _take_render_mode(self, render_mode: str | None) -> None:
        """Set the mode, which is one of the lanes', ``"human"``, or one with ``"_list"`` behind."""
        self.render_mode = render_mode
        modes = [*self.metadata.get("render_modes", [])]
        if modes and "human" not in modes:
            modes.insert(0, "human")
        listed = render_mode is not None and render_mode.endswith("_list")
        if listed and render_mode not in modes:
            modes.append(render_mode)
        self.metadata = {**self.metadata, "render_modes": modes}
        view = HumanView(self.metadata.get("render_fps")) if render_mode == "human" else None
        if listed or view is not None:
            self._frames = LaneFrames(self.num_envs, self.metadata["autoreset_mode"], view)

    def _follow(self, workers: list[Worker], lanes: Sequence[int], results: Any) -> None:
        """Add a frame of each lane that was stepped."""
        if self._frames is not None:
            _, _, terminated, truncated, _ = results
            self._frames.follow(lanes, terminated | truncated)
            self._frames.add(self._pictures(workers, lanes))

    def _pictures(self, workers: list[Worker], lanes: Collection[int]) -> Iterator[tuple[int, Any]]:
        """Yield some of the workers' lanes, each with what it shows now."""
        for worker in workers:
            with contextlib.suppress(NotResetError):  # the worker was lost and is a new one
                for lane, frame in zip(worker.lanes, _frames_of(worker), strict=True):
                    if lane in lanes:
                        yield lane, frame

    def _own(self, name: str) -> tuple[Any, ...]:
        if name == "state":
            self._check_idle()
            reported: list[Any] = []
            for worker in self._workers:
                reported += expect(StateReply, worker.ask(GetState())).state["lanes"]
            return tuple(reported)
        if name == "render":
            return self.render() or ()
        if name == "action_masks":
            return tuple(self.action_masks())
        return (getattr(self, name),) * self.num_envs

    def _check_exported(self, name: str) -> None:
        first = name.partition(".")[0]
        names = {export.partition(".")[0] for export in self._exports}
        if first not in names and (ANY not in names or first.startswith("_")):
            listed = ", ".join(sorted(names - {ANY}))
            raise NoSuchAttributeError(
                f"There is no {name!r} to be had of environments over a transport: state, render, "
                f"action_masks{' and ' if listed else ''}{listed} are.",
                attribute=name,
                known=sorted(names - {ANY}),
            )

    def _reached(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Get an attribute in each lane; call it, if it is a method."""
        values: list[Any] = []
        for worker in self._workers:
            replies = _lanes(worker.ask(Call(name)))
            if any(reply.kind == "method" for reply in replies):
                call = Call(name, what="call", arguments=[*args], keywords=kwargs)
                replies = _lanes(worker.ask(call))
            if any(reply.kind == "object" for reply in replies):
                raise NoSuchAttributeError(
                    f"{name!r} is an object: ask for an attribute or a method of it, such as "
                    f"'{name}.attribute'.",
                    attribute=name,
                )
            values += map(value_of, replies)
        return tuple(values)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Like :meth:`call`, without arguments."""
        return self.call(name)

    def set_attr(self, name: str, values: Any, lanes: Sequence[int] | None = None) -> None:
        """Set an attribute in each lane, where the environments let their owner do that.

        Args:
            name: Of the attribute.
            values: A list or tuple with one for each lane, or one for all.
            lanes: Only in these.

        Raises:
            NoSuchAttributeError: They do not.
        """
        if ANY not in self._exports or name.startswith("_"):
            raise NoSuchAttributeError(
                f"{name!r} cannot be set over a transport: give options to make_vec, lane_options= "
                "for some lanes.",
                attribute=name,
            )
        self._check_idle()
        each = list(values) if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise OptionError(
                f"{len(each)} values of {name!r} for {self.num_envs} lanes: give one for each."
            )
        for worker in self._workers:
            for row, lane in enumerate(worker.lanes):
                if lanes is not None and lane not in lanes:
                    continue
                worker.ask(Call(name, what="set", arguments=[each[lane]], lanes=[row]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments: unpickling makes new lanes, which were not reset."""
        arguments, keywords = self._recipe
        return _remake, (type(self), arguments, keywords, self.spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the lanes, episodes included.

        Raises:
            CopyError: They are not in this process, or cannot be copied.
        """
        twin = type(self).__new__(type(self))
        twin.closed = True  # until it has all
        memo[id(self)] = twin
        copied = {name: copy.deepcopy(value, memo) for name, value in vars(self).items()}
        vars(twin).update(copied)
        return twin


def _frames_of(worker: Worker) -> list[Any]:
    frames: list[Any] = expect(Frame, worker.ask(Render())).frame
    return frames


def _lanes(reply: Any) -> list[Called]:
    return [Called(kind, value) for kind, value in expect(Called, reply).value]


def _remake(
    cls: type[RemoteVectorEnv], arguments: Any, keywords: dict[str, Any], spec: Any
) -> RemoteVectorEnv:
    made = cls(*arguments, **keywords)
    made.spec = spec
    return made
