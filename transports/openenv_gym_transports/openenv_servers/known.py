"""An environment of ours on OpenEnv's own server, with the models of its id.

So Spaces, mask and info are the same as over every other transport.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from pydantic import ValidationError

from openenv_gym.environment import Environment
from openenv_gym.errors import SpaceError
from openenv_gym.models import Action, Observation, State
from openenv_gym.sessions.model_adapter import ModelAdapter
from openenv_gym.sessions.payload import Conversation, Payload, keywords, outcome
from openenv_gym.spaces.derive import ModelSpace, derive
from openenv_gym.spaces.json.given import Given
from openenv_gym.spaces.json.values import json_values, refuse
from openenv_gym.wire.messages import StepOutcome
from openenv_gym_transports.openenv_servers.models import Known, check_fields, model_spaces
from openenv_gym_transports.openenv_servers.server import Schemas


def make_known_adapter(
    cls: Known, conversation: Conversation, schemas: Schemas, given: Given, name: str
) -> KnownAdapter:
    """Make the adapter of an environment whose class is known here.

    Raises:
        RegistryError: The server has another environment.
        SpaceError: The models and the caller together do not give all Spaces.
        OptionError: The caller's Spaces do not fit the models.
    """
    check_fields(cls, schemas, name)

    def observe() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return outcome(conversation.reset({})).fields, conversation.state()

    overrides, sources = model_spaces(cls, given, observe)
    attributes = {
        "action_type": cls.action_type,
        "observation_type": cls.observation_type,
        "state_type": cls.state_type,
        "steps_after_end": cls.steps_after_end,
    }
    kind = type(f"Remote{cls.__name__}", (RemoteEnvironment,), attributes)
    return KnownAdapter(kind(cls, conversation, overrides), name, sources)


class KnownAdapter(ModelAdapter):
    """Adapter of an environment on a server, by models that are known here.

    Args:
        environment: Represents the server's environment.
        name: Name of the environment, for errors.
        sources: Where the bounds of each leaf came from.
    """

    def __init__(self, environment: RemoteEnvironment, name: str, sources: dict[str, str]) -> None:
        super().__init__(environment, name)
        self._remote = environment
        self.sources = sources
        only = self.observations.only
        self._place = "observation" if only is None else f"observation.{only[0]}"

    def _outcome(self, observation: Any) -> StepOutcome:
        outcome = super()._outcome(observation)
        _check(self.observation_space, outcome[0], self._place)
        return outcome

    def state(self) -> dict[str, Any]:
        """Implements Adapter.state with the server's reply."""
        return self._remote.conversation.state()


class RemoteEnvironment(Environment[Action, Observation, State]):
    """An environment on a server, with its models.

    Args:
        cls: Class of the environment here.
        conversation: The conversation with the server.
        overrides: Spaces of the server's environment, by field.

    Attributes:
        conversation: The conversation with the server.
        field_spaces: Spaces of the fields of observations.
    """

    def __init__(
        self, cls: Known, conversation: Conversation, overrides: Mapping[str, Space[Any]]
    ) -> None:
        self.conversation = conversation
        self._overrides = overrides
        self._reading = cls.server_reader
        self._reader = cls.server_reader()
        self.players = self._reader.players
        self._sent = list(derive(self.action_type, overrides).fields)
        self.field_spaces = _field_spaces(derive(self.observation_type, overrides))
        self._fields = self.observation_type.model_fields
        self._computed = frozenset(self.observation_type.model_computed_fields)

    def spaces(self) -> Mapping[str, Space[Any]]:
        """Implements Environment.spaces."""
        return self._overrides

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> Observation:
        """Begin an episode; all keywords are sent, whether or not the server uses them."""
        self._reader = self._reading()
        if episode_id is not None:
            options["episode_id"] = episode_id
        return self._parse(self.conversation.reset(keywords(seed, options)), None)

    def step(self, action: Action) -> Observation:
        """Implements Environment.step."""
        fields = action.model_dump(mode="json", include=set(self._sent))
        return self._parse(self.conversation.step(fields), fields)

    def _parse(self, payload: Payload, action: dict[str, Any] | None) -> Observation:
        """Return the observation of a reply."""
        result = outcome(payload)
        read = self._reader.read({**result.fields, "metadata": result.metadata}, action)
        metadata = read.pop("metadata")
        fields: dict[str, Any] = {
            "reward": result.reward,
            "done": result.terminated or result.truncated,
            "truncated": result.truncated,
            "terminated": result.terminated,
        }
        for name, value in read.items():
            if name in self._fields:
                fields[name] = self._fit_arrays(name, value)
            elif name not in self._computed:
                metadata[name] = value  # a field that the model does not have
        try:
            return self.observation_type.model_validate({**fields, "metadata": metadata})
        except ValidationError as error:
            problems = "; ".join(
                f"observation.{'.'.join(map(str, one['loc']))}: {one['msg']}, not "
                f"{str(one['input'])[:80]}"
                for one in error.errors()
            )
            raise SpaceError(
                f"The server's reply is not a valid {self.observation_type.__name__}: {problems}."
            ) from error

    def _fit_arrays(self, name: str, value: Any) -> Any:
        """Return the value of a field, whose arrays are checked before numpy converts them."""
        field, space = self._fields[name], self.field_spaces.get(name)
        if space is None:
            return math.nan if value is None and field.annotation is float else value
        fitted = _arrays(space, value, f"observation.{name}")
        if isinstance(fitted, np.ndarray) and not _takes_arrays(field.annotation):
            return fitted.tolist()
        return fitted

    @property
    def state(self) -> State:
        """Implements Environment.state."""
        return State.model_validate(self.conversation.state())

    def close(self) -> None:
        """Implements Environment.close."""
        self.conversation.close()


def _field_spaces(observations: ModelSpace) -> dict[str, Space[Any]]:
    return {name: part.space for name, part in observations.fields.items()}


def _takes_arrays(annotation: Any) -> bool:
    kinds = typing.get_args(annotation)
    return typing.get_origin(annotation) is np.ndarray or any(map(_takes_arrays, kinds))


_ARRAYS = (spaces.Box, spaces.MultiBinary, spaces.MultiDiscrete)


def _arrays(space: Space[Any], value: Any, place: str) -> Any:
    """Return a field's JSON, with arrays of the right dtype and shape for lists of numbers.

    Raises:
        SpaceError: A value is not in its Space.
    """
    if isinstance(space, _ARRAYS) and not isinstance(value, np.ndarray):
        return json_values(space, place).to_space(value)
    if isinstance(space, spaces.Dict) and isinstance(value, dict):
        # Nested models may have lists, so these are checked but not converted.
        for name, part in space.spaces.items():
            if name in value:
                _arrays(part, value[name], f"{place}.{name}")
    return value


def _check(space: Space[Any], value: Any, place: str) -> None:
    """Raise SpaceError for an index that is outside of its Space; arrays were checked before."""
    if isinstance(space, spaces.Discrete):
        if not space.contains(value):
            refuse(place, value, f"which is not in its Space {space}")
    elif isinstance(space, spaces.Dict):
        for name, part in space.spaces.items():
            _check(part, value[name], f"{place}.{name}")
    elif isinstance(space, spaces.Tuple):
        for i, part in enumerate(space.spaces):
            _check(part, value[i], f"{place}[{i}]")
    elif isinstance(space, spaces.Sequence) and not space.stack:
        for i, item in enumerate(value):
            _check(space.feature_space, item, f"{place}[{i}]")
    elif isinstance(space, spaces.OneOf):
        _check(space.spaces[int(value[0])], value[1], place)
