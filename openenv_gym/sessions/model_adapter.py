"""ModelAdapter: an environment that speaks in models, which are converted to values of Spaces."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from gymnasium.spaces import Space

from openenv_gym.environment import Environment
from openenv_gym.errors import SpaceError
from openenv_gym.models import State, is_terminated
from openenv_gym.options import checked
from openenv_gym.sessions.adapter import Adapter
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
from openenv_gym.wire.messages import StepOutcome

NOT_OPTIONS = frozenset({"seed", "episode_id"})
"""Parameters of an environment's reset that are not options of it."""


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
        environment: The environment; its render mode is set.
        name: Its name, for errors.
        render_mode: What the user chose: ``"rgb_array"`` may be a text that is drawn. By default
            the environment's own.
        exports: What can be reached beside the episode; by default what the class says.

    Attributes:
        environment: The environment.
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
