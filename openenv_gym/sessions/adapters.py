"""Adapters: an environment of either shape, as the session sees it.

An adapter takes and returns values of the Spaces. :class:`ModelAdapter` converts for an
:class:`~openenv_gym.environment.Environment`, which speaks in models; :class:`GymnasiumAdapter`
passes them on to a ``gymnasium.Env``, which speaks in values itself.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import gymnasium
from gymnasium.spaces import Space
from gymnasium.utils import EzPickle

from openenv_gym.environment import Environment
from openenv_gym.errors import CopyError, SnapshotError, SpaceError
from openenv_gym.models import State, is_terminated
from openenv_gym.options import checked
from openenv_gym.sessions.exports import Declared, Exports
from openenv_gym.sessions.model_values import (
    action_maker,
    actions_maker,
    info_getters,
    mask_maker,
    numbers_or_none,
    without_enums,
)
from openenv_gym.sessions.tasks import METHODS, OwnTasks, ask, unsupported
from openenv_gym.sessions.text_picture import draw
from openenv_gym.spaces.derive import ModelSpace, derived
from openenv_gym.spaces.describe import describe
from openenv_gym.spaces.stand_ins import replace_foreign
from openenv_gym.wire.messages import Description, StepOutcome

NOT_OPTIONS = frozenset({"seed", "episode_id"})
"""Parameters of an environment's reset that are not options of it."""


class Adapter(ABC):
    """An environment that takes and gives values of its Spaces.

    Attributes:
        action_space: Space of its actions.
        observation_space: Space of its observations.
        metadata: For ``env.metadata``.
        render_mode: The mode that it renders in, if any.
        has_mask: Its infos carry ``action_mask``.
        inline: Its steps are short and never block.
        steps_after_end: A step after the end of the episode is its own affair.
        max_episode_steps: After so many steps it truncates an episode itself; None: never.
        steps_before_reset: A step before the first reset is its own affair.
        sources: Where the bounds of each leaf of its Spaces came from, where a guess is among them.
        widened: Called when one of its Spaces became wider.
    """

    action_space: Space[Any]
    observation_space: Space[Any]
    metadata: dict[str, Any]
    render_mode: str | None
    has_mask: bool = False
    inline: bool = False
    steps_after_end: bool = False
    max_episode_steps: int | None = None
    steps_before_reset: bool = False
    sources: Mapping[str, str] = MappingProxyType({})
    widened: Callable[[], None] = staticmethod(lambda: None)

    def action_parser(self) -> Callable[[Any], Any] | None:
        """Return what makes of an action that was sent what :meth:`step` takes.

        It raises ActionError for what is not an action. None: actions are sent as values of the
        action space, which need no more than a check.
        """
        return None

    def stepper(self) -> Callable[[Any], StepOutcome]:
        """Return :meth:`step`, or a shorter way to the same."""
        return self.step

    def prepared_stepper(self) -> Callable[[Any], StepOutcome]:
        """Return :meth:`carry_out`, or a shorter way to the same."""
        return self.carry_out

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Spaces of its models' fields, by ``"action.name"``; None: in none. Empty: no models."""
        return {}

    def exports(self) -> Exports:
        """Return what can be reached beside the episode; by default nothing."""
        return Exports(None, ())

    def snapshot(self) -> Any:
        """Return the episode as a plain value.

        Raises:
            SnapshotError: It cannot be saved.
        """
        raise SnapshotError("This environment cannot be saved: it has no snapshot().")

    def restore(self, saved: Any) -> None:
        """Go on with what :meth:`snapshot` returned."""
        raise SnapshotError("This environment cannot be saved: it has no restore().")

    def description(self, name: str) -> Description:
        """What a client has to know of it, under its name."""
        return Description(
            name,
            describe(self.action_space),
            describe(self.observation_space),
            self.metadata,
            self.has_mask,
            max_episode_steps=self.max_episode_steps,
        )

    @abstractmethod
    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Begin an episode."""

    @abstractmethod
    def step(self, action: Any) -> StepOutcome:
        """Carry out an action, which is in the action space, or what its parser made of it."""

    def prepared(self, actions: list[Any]) -> Sequence[Any]:
        """What :meth:`carry_out` takes for each of several actions, made faster together."""
        return actions

    def carry_out(self, prepared: Any) -> StepOutcome:
        """As :meth:`step`, of an action that was prepared, by any host of lanes alike."""
        return self.step(prepared)

    @abstractmethod
    def render(self) -> Any:
        """The picture."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What there is to know beside the observation."""

    def query(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Return what a :class:`~openenv_gym.wire.messages.Query` asks for.

        Raises:
            OptionError: The environment has nothing of that kind, or no such task.
        """
        raise unsupported(subject)

    @abstractmethod
    def close(self) -> None:
        """Close the environment."""


class GymnasiumAdapter(Adapter):
    """Hosts a ``gymnasium.Env``: its Spaces, values, flags and infos as they are.

    Args:
        environment: What is adapter.
        exports: What its author exports to strangers too.
        spaces: Spaces that take the places of those of another make, by name.

    Raises:
        SpaceError: It has a Space of another make, and none was given in its place.
    """

    steps_after_end = True

    def __init__(
        self,
        environment: gymnasium.Env[Any, Any],
        exports: Declared = (),
        spaces: Mapping[str, Space[Any]] = MappingProxyType({}),
    ) -> None:
        self._environment = environment
        self._exports = Exports(environment, exports, everything=True)
        if environment.spec is not None:
            self.max_episode_steps = environment.spec.max_episode_steps
        self._spaces = spaces
        self.action_space, replaced = replace_foreign(environment.action_space, spaces, "action")
        self.observation_space, more = replace_foreign(
            environment.observation_space, spaces, "observation"
        )
        self._replaced = {**replaced, **more}
        self.render_mode = environment.render_mode
        # Pictures first, since that is what gymnasium's own "human" shows.
        modes = sorted(environment.metadata.get("render_modes", []), key=_not_a_picture)
        self.metadata = {
            "render_modes": modes,
            "render_fps": environment.metadata.get("render_fps"),
        }

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Implements Adapter.field_spaces: those that took the places of others."""
        return self._replaced

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        observation, info = self._environment.reset(seed=seed, options=options or None)
        return observation, 0.0, False, False, info

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        return self._environment.step(action)

    def __deepcopy__(self, memo: dict[int, Any]) -> GymnasiumAdapter:
        if isinstance(self._environment.unwrapped, EzPickle):
            raise CopyError(
                f"{type(self._environment.unwrapped).__name__} cannot be copied: what Python makes "
                "of it is a new environment, without the episode."
            )
        return type(self)(copy.deepcopy(self._environment, memo), spaces=self._spaces)

    def exports(self) -> Exports:
        """Implements Adapter.exports: all that is public is the owner's."""
        return self._exports

    def stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.stepper: the environment's own step, as it is."""
        return self._environment.step

    def prepared_stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.prepared_stepper: likewise."""
        return self._environment.step

    def render(self) -> Any:
        """Implements Adapter.render."""
        return self._environment.render()

    def state(self) -> dict[str, Any]:
        """A ``gymnasium.Env`` has no state beside the observation."""
        return {}

    def close(self) -> None:
        """Implements Adapter.close."""
        self._environment.close()


def _not_a_picture(mode: str) -> tuple[bool, bool]:
    return mode != "rgb_array", mode == "human"


def reset_keywords(
    environment: Environment[Any, Any, Any], seed: int | None, options: dict[str, Any], name: str
) -> dict[str, Any]:
    """Return the keywords of an environment's reset.

    Args:
        environment: The environment.
        seed: Seed of the episode; among the keywords if the reset names it.
        options: Options of the reset; ``episode_id`` likewise.
        name: Name of the environment, for errors.

    Raises:
        OptionError: An option is unknown or wrong.
    """
    kind = type(environment)
    given = {key: value for key, value in options.items() if key not in NOT_OPTIONS}
    keywords = checked(kind.reset, given, f"{name}'s reset", reserved=NOT_OPTIONS)
    beside = {"seed": seed, "episode_id": options.get("episode_id")}
    takes = inspect.signature(kind.reset).parameters
    return keywords | {key: value for key, value in beside.items() if key in takes}


def _check_models(environment: Environment[Any, Any, Any]) -> None:
    """Check that an environment says which models it takes and returns.

    Raises:
        SpaceError: It does not.
    """
    if not hasattr(environment, "action_type"):
        name = type(environment).__name__
        raise SpaceError(
            f"{name} does not name its models: write class "
            f"{name}(Environment[MyAction, MyObservation, MyState])."
        )


class ModelAdapter(Adapter):
    """Hosts an :class:`Environment`: converts between its models and values of the Spaces.

    Args:
        environment: What is adapter; its render mode is set.
        name: Its name, for errors.
        render_mode: What the user chose: ``"rgb_array"`` may be a text that is drawn. By default
            the environment's own.
        exports: What can be reached beside the episode; by default what the class says.

    Attributes:
        environment: What is adapter.
        actions: Space of its action model.
        observations: Space of its observation model.

    Raises:
        SpaceError: A model makes no Space.
    """

    def __init__(
        self,
        environment: Environment[Any, Any, Any],
        name: str,
        render_mode: str | None = None,
        exports: Declared = (),
    ) -> None:
        self.environment = environment
        self._exports = Exports(environment, exports or environment.exports)
        self._step = environment.step
        self._name = name
        _check_models(environment)
        self._take_spaces(*self._derive())
        self.metadata = dict(environment.metadata())
        self.metadata["render_modes"] = with_pictures(self.metadata.get("render_modes", []))
        self.render_mode = render_mode or environment.render_mode
        self.inline = environment.inline
        self.steps_after_end = environment.steps_after_end

    def _derive(self) -> tuple[ModelSpace, ModelSpace]:
        """Return the Spaces of the models of actions and observations."""
        environment = self.environment
        overrides = environment.spaces()
        return derived(environment.action_type, environment.observation_type, overrides)

    def _take_spaces(self, actions: ModelSpace, observations: ModelSpace) -> None:
        self.actions, self.observations = actions, observations
        self._mask = mask_maker(actions, observations)
        self._perhaps = numbers_or_none(observations)
        self._info = info_getters(observations, self._perhaps)
        self._has_more = bool(self._info or self._perhaps or self._mask)
        self._to_space = observations.to_space
        self._only: str | None = None
        if observations.only is not None:
            self._only, part = observations.only
            self._convert = part.converter.to_space
        self._action = action_maker(actions)
        self._actions: Callable[[list[Any]], Sequence[Any]] | None = None
        self.action_space, self.observation_space = actions.space, observations.space
        self.has_mask = self._mask is not None

    def exports(self) -> Exports:
        """Implements Adapter.exports."""
        return self._exports

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Implements Adapter.field_spaces."""
        found: dict[str, Space[Any] | None] = {}
        for side, models in (("action", self.actions), ("observation", self.observations)):
            for name in models.model.model_fields:
                part = models.fields.get(name)
                found[f"{side}.{name}"] = None if part is None else part.space
        return found

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        return self._outcome(self.begin(seed, options))

    def begin(self, seed: int | None, options: dict[str, Any]) -> Any:
        """Begin an episode; gives the observation as the environment gives it.

        Raises:
            OptionError: An option is unknown or wrong.
        """
        environment = self.environment
        keywords = reset_keywords(environment, seed, options, self._name)
        if seed is not None:
            environment.seed(seed)
        return environment.reset(**keywords)

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        return self._outcome(self._step(self._action(action)))

    def prepared(self, actions: list[Any]) -> Sequence[Any]:
        """Implements Adapter.prepared."""
        if self._actions is None:
            self._actions = actions_maker(self.actions)
        return self._actions(actions)

    def carry_out(self, prepared: Any) -> StepOutcome:
        """Implements Adapter.carry_out."""
        return self._outcome(self._step(prepared))

    def _outcome(self, observation: Any) -> StepOutcome:
        try:
            truncated = observation.truncated
        except AttributeError as error:
            raise self._not_an_observation(observation) from error
        terminated = observation.terminated
        if terminated is None:  # mostly nothing ends: no call for that
            done = observation.done
            terminated = done and is_terminated(done=done, terminated=None, truncated=truncated)
        info = observation.metadata
        if self._has_more:
            self._add(observation, info)
        reward = observation.reward
        if reward is None:
            reward = 0.0
        if self._only is None:
            value = self._to_space(observation)
        else:  # inlined: saves one call per step
            value = self._convert(getattr(observation, self._only))
        return value, reward, terminated, truncated, info

    def _not_an_observation(self, returned: Any) -> TypeError:
        """Return the error for what reset() or step() returned in place of an observation."""
        kind = type(returned).__name__
        hint = "is a return missing?" if returned is None else "return the observation alone."
        if isinstance(returned, tuple):
            hint = (
                "return the observation alone, with reward, terminated and truncated among its "
                "fields."
            )
        wanted = self.observations.model.__name__
        return TypeError(
            f"{self._name} returned {'None' if returned is None else f'a {kind}'} where a {wanted} "
            f"is due: {hint}"
        )

    def _add(self, observation: Any, info: dict[str, Any]) -> None:
        """Add to the info what is in the observation beside values of the Space."""
        for name, get in self._info:
            info[name] = get(getattr(observation, name))
        for name in self._perhaps:
            number = getattr(observation, name)
            if number is not None:
                info[name] = number
        if self._mask is not None:
            info["action_mask"] = self._mask(observation)

    def render(self) -> Any:
        """Implements Adapter.render."""
        frame = self.environment.render()
        if isinstance(frame, str) and self.render_mode == "rgb_array":
            return draw(frame)
        return frame

    def snapshot(self) -> Any:
        """Implements Adapter.snapshot: with the state of its random numbers."""
        environment = self.environment
        return {"generator": environment.np_random.bit_generator.state, "saved": environment.save()}

    def restore(self, saved: Any) -> None:
        """Implements Adapter.restore."""
        self.environment.np_random.bit_generator.state = saved["generator"]
        self.environment.load(saved["saved"])

    def state(self) -> dict[str, Any]:
        """Implements Adapter.state."""
        state: State = self.environment.state
        return cast("dict[str, Any]", without_enums(state.model_dump()))

    def query(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Implements Adapter.query, of tasks."""
        if subject not in METHODS:
            return super().query(subject, arguments)
        return ask(self._task_provider(subject), subject, arguments, self._awaited)

    def _task_provider(self, subject: str) -> Any:
        """Return what has the tasks of the environment."""
        if not self.environment.tasks():
            raise unsupported(subject)
        return OwnTasks(self.environment)

    def _awaited(self, value: Any) -> Any:
        """Return a value, awaited if need be."""
        return value

    def close(self) -> None:
        """Implements Adapter.close."""
        self.environment.close()


def with_pictures(modes: Sequence[str]) -> list[str]:
    """Return render modes, with pictures where there are texts, which can be drawn."""
    return [*modes, *(["rgb_array"] if "ansi" in modes and "rgb_array" not in modes else [])]
