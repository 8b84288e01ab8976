"""Environment: the base class of all environments, of the same shape as OpenEnv's own."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from gymnasium.spaces import Space
from numpy.typing import NDArray

from openenv_gym.errors import OptionError, SnapshotError
from openenv_gym.models import Action, Observation, State

ActionT = TypeVar("ActionT", bound=Action)
ObservationT = TypeVar("ObservationT", bound=Observation)
StateT = TypeVar("StateT", bound=State)


class ServerReader:
    """Reads what OpenEnv's own server of an environment observes.

    That server may report less than our observation has, such as a position in words but not
    in planes, or more. A subclass adds what is missing, and leaves out the rest. One is made for
    each episode, and sees all of it.

    Attributes:
        players: How many players the caller moves for, as OpenEnv has the environment.
    """

    players: int = 1

    def read(self, fields: dict[str, Any], action: dict[str, Any] | None) -> dict[str, Any]:
        """Makes an observation what ours would be.

        Args:
            fields: Its fields as they came, ``metadata`` among them.
            action: Fields of the action that led to it; None after a reset.
        """
        return fields


class Environment(ABC, Generic[ActionT, ObservationT, StateT]):
    """One environment, one episode at a time.

    A subclass names its models once, as type arguments, and takes its options as typed
    keywords of ``__init__``; they are validated before it is called::

        class ChessEnvironment(Environment[ChessAction, ChessObservation, ChessState]):
            def __init__(self, opponent: Literal["random", "self"] = "random") -> None: ...

    All randomness comes from :attr:`np_random`, which is seeded before :meth:`reset` is called.
    An array in an observation must be a fresh one each time: users keep what they are given.

    Attributes:
        render_modes: What :meth:`render` can give: ``"ansi"`` (str), ``"rgb_array"``
            ((height, width, 3) uint8). ``"human"`` is made from the first by the adapter.
        render_fps: Frames per second of a recording.
        inline: A step is short and never blocks: a network server may run it on its event loop. May
            be set by the constructor, where it depends on the options.
        steps_after_end: A step after the end of the episode is the environment's own affair,
            not an error.
        players: How many players the caller moves for, in turn. May be set by the constructor.
            Where there is more than one, each info has ``current_player_id``, whose turn it is,
            from 0; the reward is the mover's, and its negative the other's. Where the game is not
            such, info has ``rewards``, a list of what each player got by the step. Where players
            see different things, it has ``observations``, what each of them sees. Where they act
            at once, which ``metadata["simultaneous"]`` says, it has ``action_masks``: of shape
            (players, actions), int8, all 0 for a player who has no choice; the caller is asked for
            one player after the other.
        exports: Attributes and methods that clients reach beside the episode, over every transport:
            names, with dots where they are of an object. Their values, arguments and results are
            plain: numbers, texts, arrays, and lists and dicts of them. Or a dict of names and
            kinds: ``"constant"`` never changes, ``"info.NAME"`` returns what the last info has,
            ``"observation"`` the last observation: these need no round trip. May be set by the
            constructor.
        render_mode: What the user chose at ``make``; set before :meth:`spaces` is called.
        server_reader: Reads the observations of OpenEnv's own server of this environment.
        beyond_openenv: Fields of the observation that OpenEnv's model of this environment does not
            have, and its client may refuse: in OpenEnv's protocol they are in the metadata.
    """

    render_modes: ClassVar[tuple[str, ...]] = ()
    render_fps: ClassVar[int] = 4
    inline: bool = False
    steps_after_end: ClassVar[bool] = False
    players: int = 1
    exports: Sequence[str] | Mapping[str, str] = ()
    server_reader: ClassVar[type[ServerReader]] = ServerReader
    beyond_openenv: ClassVar[tuple[str, ...]] = ()

    action_type: ClassVar[type[Action]]
    observation_type: ClassVar[type[Observation]]
    state_type: ClassVar[type[State]]

    render_mode: str | None = None
    _np_random: np.random.Generator | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = typing.get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Environment):
                models = typing.get_args(base)
                if len(models) == 3 and all(isinstance(model, type) for model in models):
                    cls.action_type, cls.observation_type, cls.state_type = models

    @property
    def np_random(self) -> np.random.Generator:
        """The generator of all randomness; from the system's entropy until it is seeded."""
        if self._np_random is None:
            self._np_random = np.random.default_rng()
        return self._np_random

    def seed(self, seed: int) -> None:
        """Seeds :attr:`np_random`; called before :meth:`reset` when a seed was given."""
        self._np_random = np.random.default_rng(seed)

    def spaces(self) -> Mapping[str, Space[Any]]:
        """Spaces that depend on this instance's options, by field name of either model."""
        return {}

    def tasks(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the tasks of each split, such as ``{"train": [...], "test": [...]}``.

        A subclass that has some takes ``split`` and ``index`` in :meth:`reset`, and finds the task
        by :meth:`chosen_task`.
        """
        return {}

    def chosen_task(self, split: str | None, index: int | None) -> Mapping[str, Any] | None:
        """Return the task that a reset names; None where it names none.

        Args:
            split: Name of a part of the tasks: ``"train"``.
            index: Number of the task in it, from 0.

        Raises:
            OptionError: There is no such task.
        """
        if split is None and index is None:
            return None
        tasks = self.tasks()
        count = len(tasks.get(split or "", ()))
        if split is None or index is None or not 0 <= index < count:
            listed = ", ".join(f"{name!r} has {len(own)}" for name, own in tasks.items())
            raise OptionError(
                f"split={split!r} and index={index!r} name no task: give both, as "
                f"options={{'split': 'train', 'index': 0}}. Of the splits {listed}.",
                split=split,
                index=index,
            )
        return tasks[split][index]

    def metadata(self) -> Mapping[str, Any]:
        """What goes into ``env.metadata``: render modes, frames per second, number of players."""
        return {
            "render_modes": list(self.render_modes),
            "render_fps": self.render_fps,
            "players": self.players,
        }

    def openenv_metadata(self, observation: ObservationT) -> Mapping[str, Any]:
        """What OpenEnv's own environment has in the metadata of an observation beside this one.

        Its clients get it of our server. It is not in ``info``: there it would be what the
        observation, the state or ``env.metadata`` contain already, once more in each step.
        """
        return {}

    def config(self) -> Mapping[str, Any] | None:
        """What ``GET /config`` of a server returns for this instance; None: there is no such route.

        For environments of which OpenEnv's own server has that route.
        """
        return None

    @abstractmethod
    def reset(self) -> ObservationT:
        """Begins an episode.

        A subclass adds typed keywords for the reset options it knows. Where it names ``seed`` or
        ``episode_id`` among them, it is given these too.
        """

    @abstractmethod
    def step(self, action: ActionT) -> ObservationT:
        """Carries out one action, which is in the action space."""

    @property
    @abstractmethod
    def state(self) -> StateT:
        """What there is to know beside the observation."""

    def save(self) -> Any:
        """Return the episode as a plain value: numbers, texts, arrays, and lists and dicts of them.

        :attr:`np_random` is saved beside it. An environment that can be saved has :meth:`load` too.

        Raises:
            SnapshotError: It cannot be saved.
        """
        raise SnapshotError(
            f"{type(self).__name__} cannot be saved: it has no save() and load().",
            environment=type(self).__name__,
        )

    def load(self, saved: Any) -> None:
        """Go on with what :meth:`save` returned, in this environment or another of the kind."""
        self.save()

    def render(self) -> NDArray[np.uint8] | str | None:
        """The current picture in :attr:`render_mode`."""
        return None

    def close(self) -> None:
        """Releases what the environment holds; called once."""
