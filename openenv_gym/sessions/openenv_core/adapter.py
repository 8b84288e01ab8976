"""Adapter of environments of ``openenv.core``: what they give and take is what ours do."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast

from gymnasium.spaces import Space
from pydantic import BaseModel

from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError, SpaceError
from openenv_gym.models import TRUNCATED, is_terminated
from openenv_gym.registry import Entry
from openenv_gym.sessions.adapters import ModelAdapter
from openenv_gym.sessions.openenv_core.loop import EventLoop
from openenv_gym.sessions.openenv_core.models import Models, models_of, overrides
from openenv_gym.sessions.openenv_core.rubric import RubricScores
from openenv_gym.spaces.derive import derive
from openenv_gym.spaces.describe import parse
from openenv_gym.wire.messages import StepOutcome

_GIVEN = ("seed", "episode_id")

_log = logging.getLogger(__name__)


class OpenEnvCoreAdapter(ModelAdapter):
    """Hosts an environment of ``openenv.core``.

    Args:
        environment: What is adapter.
        entry: What it was found by.

    Raises:
        OptionError: Its models are not declared, or a Space is given for what is not a field.
        SpaceError: Fields have no bounds and no Space is given for them.
    """

    def __init__(self, environment: Any, entry: Entry) -> None:
        models = models_of(type(environment), entry)
        given = _given_spaces(models, entry)
        _check_spaces(models, given, entry)
        adapted = adapted_class(cast("Hashable", type(environment)), models)
        super().__init__(adapted(environment, given), entry.name)
        self._scores = RubricScores(environment)

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
        self._add(observation, info)
        scores = self._scores.take()
        if scores:
            info["rubric"] = scores
        reward = 0.0 if observation.reward is None else observation.reward
        return self._to_space(observation), reward, terminated, truncated, info


class OpenEnvCoreEnvironment(Environment[Any, Any, Any]):
    """An environment of ``openenv.core`` in the shape of ours.

    Args:
        environment: The environment.
        given: Spaces of fields, by name.

    Attributes:
        inner: The environment.
        loop: Where its asynchronous methods run.
    """

    def __init__(self, environment: Any, given: Mapping[str, Space[Any] | None]) -> None:
        self.inner = environment
        self._given = given
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

    def spaces(self) -> Mapping[str, Any]:
        """Implements Environment.spaces."""
        return self._given

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


def _given_spaces(models: Models, entry: Entry) -> dict[str, Space[Any] | None]:
    given = entry.spaces
    known = [*models.action.model_fields, *models.observation.model_fields]
    unknown = sorted(given.keys() - set(known))
    if unknown:
        raise OptionError(
            f"spaces= of {entry.name} names {', '.join(unknown)}, which its models do not have. "
            f"They have {', '.join(dict.fromkeys(known))}.",
            fields=unknown,
            known=known,
        )
    return {name: None if reported is None else parse(reported) for name, reported in given.items()}


def _check_spaces(models: Models, given: Mapping[str, Space[Any] | None], entry: Entry) -> None:
    """Raise one error for all fields of both models that make no Space."""
    lines: list[str] = []
    causes: list[SpaceError] = []
    for model in (models.action, models.observation):
        try:
            derive(model, given)
        except SpaceError as error:
            if "unbounded" not in error.fields:
                raise
            causes.append(error)
            for name in error.fields["unbounded"]:
                reported = f"{model.__name__}.{name}: {_shown(model, name)}"
                lines.append(f'    "{name}": {_advice(model, name)},  # {reported}')
    if lines:
        listed = "\n".join(lines)
        raise SpaceError(
            f"Fields of {entry.name} have no bounds, which make no Space. Give each its own where "
            "you register the environment; None sends one of the observation to info:\n"
            f"register_environment(..., spaces={{\n{listed}\n}})\n"
            "or name models in which they are bounded: action='module:Class', "
            "observation='module:Class'.",
            environment=entry.name,
            unbounded=[name for error in causes for name in error.fields["unbounded"]],
        ) from causes[0]


def _advice(model: type[BaseModel], name: str) -> str:
    """A Space such as would do for a field."""
    scalars = {int: "Discrete(n)", float: "Box(low, high, (1,))", str: "Utf8(max_length)"}
    annotation: Any = model.model_fields[name].annotation
    return scalars.get(annotation, "Box(low, high, shape)")


def _shown(model: type[BaseModel], name: str) -> str:
    return inspect.formatannotation(model.model_fields[name].annotation).replace("typing.", "")
