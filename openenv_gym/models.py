"""Base models of actions, observations and states, and the markers of their fields.

A model is the single source of truth: its fields give the Spaces. The Space of a field comes
from ``Annotated``, else from its type::

    class ConnectFourAction(Action):
        column: Annotated[int, Discrete(7)]

    class ConnectFourObservation(Observation):
        board: Annotated[Array, Box(-1, 1, (6, 7), np.int8)]
        legal_actions: Annotated[list[int], LegalActions()]   # becomes the action mask

Field names and base fields are those of OpenEnv, so that its typed clients read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

TRUNCATED = "TimeLimit.truncated"
"""Key of an observation's metadata that says, in OpenEnv's protocol, that the episode was cut off.

The protocol itself has no word for it.
"""


def is_terminated(*, done: Any, terminated: bool | None, truncated: bool) -> bool:
    """Return whether an episode ended by the rules of the task: the one rule for all that says so.

    Args:
        done: It is over, whichever way.
        terminated: What the environment says of that itself; None where it says nothing: then what
            was not cut off has terminated.
        truncated: It was cut off.
    """
    return bool(done) and not truncated if terminated is None else terminated


class _ArraySchema:
    """Lets Pydantic take arrays as they are, lists as arrays, and write arrays as lists."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        converted = core_schema.no_info_plain_validator_function(
            np.asarray, json_schema_input_schema=core_schema.list_schema()
        )
        # An array is let through without a call of Python, which each step would pay for.
        return core_schema.union_schema(
            [core_schema.is_instance_schema(np.ndarray), converted],
            mode="left_to_right",
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.tolist(),
                when_used="json",
                return_schema=core_schema.list_schema(),
            ),
        )


Array = Annotated[NDArray[Any], _ArraySchema()]
"""A field that holds a numpy array; its dtype and shape are those of the field's Space."""


@dataclass(frozen=True)
class Info:
    """Marks an observation field that goes to ``info``, not into the observation space.

    A number that is None is not in the info: a lane of gymnasium's own vector environments cannot
    have None where another has a number.

    Attributes:
        hidden: Whoever plays must not see it, such as a move that the game hides. It is in the
            info and in JSON, but no text for a language model and no page shows it.
    """

    hidden: bool = False

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "hidden": True} if self.hidden else handler(schema)


def hidden_fields(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of the fields that whoever plays must not see."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, Info) and mark.hidden for mark in field.metadata)
    )


@dataclass(frozen=True)
class LegalActions:
    """Marks the observation field that lists the legal values of the action.

    The adapter gives them as a mask over the action space: ``info["action_mask"]`` (int8) and
    ``env.unwrapped.action_masks()`` (bool). The action must be a single ``Discrete``.
    """


@dataclass(frozen=True)
class ClientOption:
    """Marks an option of an environment that every client of a server may set.

    All other options are for the owner of the server alone, who gives them by ``openenv-gym serve
    --option``: an option may decide what code runs, what is read, or what protects the server. So
    mark one only where its values do no harm, and bound what it costs::

        def __init__(
            self,
            opponent: Annotated[Literal["random", "self"], ClientOption()] = "random",
            size: Annotated[int, Field(ge=1), ClientOption(Annotated[int, Field(le=9)])] = 3,
        ) -> None: ...

    Attributes:
        within: The type that the value of a client must have as well; None: that of the option
            will do.
    """

    within: Any = None


class Choice:
    """Marks a field that holds one of a finite table of strings: ``Discrete(len(values))``.

    The readable value stays in the model; the agent sees its index in the table.

    Args:
        values: All values that the field can take, in the order of their indices.
    """

    def __init__(self, values: Sequence[str]) -> None:
        self.values = tuple(values)


class _Model(BaseModel):
    """Base of the bases: subclasses may have ``@dataclass``, as OpenEnv's guide writes them."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _own(cls, "__init__", "__repr__", "__eq__")


def _own(kind: type, *methods: str) -> None:
    """Give a class its inherited methods as its own.

    A class with methods of its own keeps them when it becomes a dataclass, and Pydantic needs its.
    """
    for name in methods:
        if name not in vars(kind):
            setattr(kind, name, getattr(kind, name))


class Action(_Model):
    """Base of all actions.

    Attributes:
        metadata: Free-form, from the client; in no Space.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    metadata: dict[str, Any] = Field(default_factory=dict)


class Observation(_Model):
    """Base of all observations.

    Attributes:
        done: The episode is over.
        reward: Reward of the step; None (after a reset, say) counts as 0.
        metadata: Merged into ``info``. It must hold nothing that differs between two runs with
            the same seed.
        truncated: The episode was cut off by a limit that is not part of the task.
        terminated: Only to report a step that was both: by default an episode that is
            done terminated unless it was truncated.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    done: bool = False
    reward: float | int | bool | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    truncated: bool = False
    terminated: bool | None = None


class State(_Model):
    """Base of all states: what ``env.unwrapped.state()`` returns beside the observation.

    Attributes:
        episode_id: Name of the episode, where the caller gave one; else who asks for the state gets
            one that was made for it.
        step_count: Steps since the last reset.
    """

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    episode_id: str | None = None
    step_count: int = 0
