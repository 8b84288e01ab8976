"""Adapter of environments of ``openenv.core``: what they give and take is what ours do."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Hashable
from typing import Any, cast

from msgspec import structs

from openenv_gym.environment import Environment
from openenv_gym.models import TRUNCATED, is_terminated
from openenv_gym.registry import Entry
from openenv_gym.sessions.model_adapter import ModelAdapter
from openenv_gym.sessions.openenv_core.loop import EventLoop
from openenv_gym.sessions.openenv_core.models import Models, models_of, overrides
from openenv_gym.sessions.openenv_core.rubric import RubricScores
from openenv_gym.sessions.openenv_core.spaces import CoreSpaces, check_spaces, dumped
from openenv_gym.spaces.derive import ModelSpace
from openenv_gym.spaces.guesses import split_mode
from openenv_gym.wire.messages import Description, StepOutcome

_GIVEN = ("seed", "episode_id")

_log = logging.getLogger(__name__)


class OpenEnvCoreAdapter(ModelAdapter):
    """Hosts an environment of ``openenv.core``.

    Args:
        environment: The environment.
        entry: What it was found by.

    Raises:
        OptionError: Its models are not declared, or a Space is given for what is not a field.
        SpaceError: Fields have no bounds and no Space is given for them.
    """

    def __init__(self, environment: Any, entry: Entry) -> None:
        self._models = models = models_of(type(environment), entry)
        adapted = adapted_class(cast("Hashable", type(environment)), models)
        self._entry = entry
        super().__init__(adapted(environment), entry.name)
        self._scores = RubricScores(environment)

    def _derive(self) -> tuple[ModelSpace, ModelSpace]:
        """Like the base method, but with defaults for fields that nobody bounds."""
        if split_mode(self._entry.spaces)[1]:
            check_spaces(self._models, self._entry)
        self._core_spaces = CoreSpaces(self._models, self._entry, self.environment)
        self.sources = self._core_spaces.sources
        return self._core_spaces.derive()

    def description(self, name: str) -> Description:
        """Like the base method, with the sources of the Spaces."""
        return structs.replace(super().description(name), sources=dict(self.sources))

    def _task_provider(self, subject: str) -> Any:
        return cast("OpenEnvCoreEnvironment", self.environment).inner

    def _awaited(self, value: Any) -> Any:
        return cast("OpenEnvCoreEnvironment", self.environment).awaited(value)

    def _outcome(self, observation: Any) -> StepOutcome:
        # A copy: what is added to it is not the environment's, which may have kept it.
        try:
            info = dict(observation.metadata)
        except AttributeError as error:
            raise self._not_an_observation(observation) from error
        truncated = bool(getattr(observation, "truncated", info.get(TRUNCATED, False)))
        terminated = is_terminated(done=observation.done, terminated=None, truncated=truncated)
        self._widen(observation)
        value = self._to_space(observation)
        more = getattr(observation, "model_extra", None)
        if more:
            info |= dumped(more)
        self._add(observation, info)
        scores = self._scores.take()
        if scores:
            info["rubric"] = scores
        reward = 0.0 if observation.reward is None else observation.reward
        return value, reward, terminated, truncated, info

    def _widen(self, observation: Any) -> None:
        """Widen the Spaces that are guesses, if a value is outside of them."""
        if self._core_spaces.widen(observation):
            self._take_spaces(*self._core_spaces.derive())
            self.widened()


class OpenEnvCoreEnvironment(Environment[Any, Any, Any]):
    """An environment of ``openenv.core`` in the shape of ours.

    Args:
        environment: The environment.

    Attributes:
        inner: The environment.
        loop: Where its asynchronous methods run.
    """

    def __init__(self, environment: Any) -> None:
        self.inner = environment
        self.loop = EventLoop()
        self._reset = self._method("reset")
        self._step = self._method("step")

    def _method(self, name: str) -> Callable[..., Any]:
        """A method of the environment: the asynchronous one if it has that, as OpenEnv takes it."""
        if not overrides(type(self.inner), f"{name}_async"):
            return cast("Callable[..., Any]", getattr(self.inner, name))
        method, run = getattr(self.inner, f"{name}_async"), self.loop.run
        return lambda *positional, **named: run(method(*positional, **named))

    def awaited(self, value: Any) -> Any:
        """Return a value, or what an awaitable gives."""
        if not inspect.isawaitable(value):
            return value

        async def wait() -> Any:
            return await value

        return self.loop.run(wait())

    def reset(self, **options: Any) -> Any:
        """Begin an episode."""
        return self._reset(**options)

    def step(self, action: Any) -> Any:
        """Implements Environment.step."""
        return self._step(action)

    @property
    def state(self) -> Any:
        """Implements Environment.state."""
        return self.inner.state

    def close(self) -> None:
        """Implements Environment.close."""
        try:
            self.inner.close()
        finally:
            self.loop.close()


@functools.cache
def adapted_class(kind: Any, models: Models) -> type[OpenEnvCoreEnvironment]:
    """Return a subclass with those models, whose reset has the signature of that class's reset."""
    inner = kind.reset_async if overrides(kind, "reset_async") else kind.reset

    @functools.wraps(inner)
    def reset(self: OpenEnvCoreEnvironment, **options: Any) -> Any:
        return self._reset(**options)

    signature = inspect.signature(inner)
    parameters = [*signature.parameters.values()]
    if parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        # It takes them too, though it does not name them.
        missing = [name for name in _GIVEN if name not in signature.parameters]
        named = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None) for n in missing
        ]
        parameters[-1:-1] = named
    elif "seed" not in signature.parameters:
        _log.warning("%s.reset() takes no seed: its episodes cannot be repeated.", kind.__name__)
    vars(reset)["__signature__"] = signature.replace(parameters=parameters)
    attributes = {
        "action_type": models.action,
        "observation_type": models.observation,
        "state_type": models.state,
        "reset": reset,
    }
    return type(f"Adapted{kind.__name__}", (OpenEnvCoreEnvironment,), attributes)
