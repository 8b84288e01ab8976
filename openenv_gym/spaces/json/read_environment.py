"""The Spaces of an environment, from the schemas of its models and, if necessary, one reset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

from openenv_gym.errors import OpenEnvGymError, SpaceError
from openenv_gym.spaces.json.fields import (
    LEGAL_ACTIONS,
    FieldReader,
    Fields,
    FieldSpace,
    action_by_data,
    bounds_error,
    companions,
    game_fields,
    lists_legal_actions,
)
from openenv_gym.spaces.json.given import Given
from openenv_gym.spaces.json.read_schema import Problem
from openenv_gym.spaces.json.values import refuse
from openenv_gym.spaces.mask import action_mask

Probe = Callable[[], tuple[Fields, Fields]]
"""Resets the environment; returns the fields of its observation, and its state."""


@dataclass
class EnvironmentSpaces:
    """The Spaces of an environment, which widen where they are guesses.

    Attributes:
        actions: The action space.
        observations: The observation space.
        has_mask: The observation lists the legal actions.
        sources: Where the bounds of each leaf came from.
        strict: A value outside of its Space is an error.
    """

    actions: FieldSpace
    observations: FieldSpace
    has_mask: bool
    sources: dict[str, str]
    strict: bool

    @property
    def widened(self) -> int:
        """How often a Space became wider."""
        return self.actions.widened + self.observations.widened

    def observe(self, fields: Fields) -> Any:
        """Return the value of the observation space.

        Raises:
            SpaceError: A field is missing, or is not in its Space.
        """
        return self.observations.to_space(fields)

    def mask(self, fields: Fields) -> NDArray[np.int8]:
        """Return the action mask.

        Raises:
            SpaceError: The list of legal actions is missing, or has what is not an action.
        """
        place = f"observation.{LEGAL_ACTIONS}"
        legal = fields.get(LEGAL_ACTIONS)
        if not isinstance(legal, list):
            if not self.strict:  # as at the end of an episode
                legal = []
            else:
                raise SpaceError(f"{place} is missing in the server's reply.", field=place)
        sources = [one for name, one in self.sources.items() if name.startswith("action.")]
        guessed = not self.strict and "probe" in sources
        for value in legal:
            space = self.actions.space
            assert isinstance(space, Discrete), "else there is no mask"
            if type(value) is int and space.contains(value):
                continue
            if not guessed or type(value) is not int or abs(value) > _MOST_ACTIONS:
                refuse(place, value, f"which is not in the action space {space}")
            self.actions.reach(value)
        space = self.actions.space
        assert isinstance(space, Discrete), "else there is no mask"
        return action_mask((value - int(space.start) for value in legal), int(space.n))


_MOST_ACTIONS = 1 << 24


def read_environment(
    action_schema: Mapping[str, Any] | None,
    observation_schema: Mapping[str, Any] | None,
    given: Given,
    probe: Probe,
    url: str,
) -> EnvironmentSpaces:
    """Make the Spaces of an environment.

    Args:
        action_schema: Schema of its actions; None where there is none.
        observation_schema: Likewise of its observations.
        given: Spaces that the caller gives.
        probe: Resets the environment; called only where an observation shows more.
        url: The server, for errors.

    Raises:
        SpaceError: There is not enough to make Spaces, and no default is wanted.
        OptionError: The caller's Spaces do not fit the environment.
    """
    sample: Fields | None = None
    state: Fields = {}
    unbounded: list[Problem] = []
    while True:
        found = {} if sample is None else action_by_data(unbounded, sample, state)
        left = game_fields(action_schema, state)
        actions = FieldReader("action", action_schema, given, found=found, left=left)
        observations = FieldReader("observation", observation_schema, given, sample=sample)
        action_space = actions.make(frozenset())
        has_mask = lists_legal_actions(observation_schema, sample) and isinstance(
            action_space.space, Discrete
        )
        beside = companions(observations.names) | ({LEGAL_ACTIONS} if has_mask else set())
        observation_space = observations.make(frozenset(beside))
        problems = [*actions.problems, *observations.problems]
        unbounded = actions.unbounded
        numeric = any(one.advice["type"] in ("Discrete", "Box") for one in unbounded)
        if sample is not None or not (problems or observations.probes or numeric):
            break
        sample, state = _probed(probe, given)
    if problems:
        defaults = [one for one in (*unbounded, *observations.unbounded) if one not in problems]
        raise bounds_error(url, [*problems, *defaults])
    known = {
        f"{reader.side}.{name}" for reader in (actions, observations) for name in reader.names or ()
    }
    given.check_used(known)
    sources = {**actions.sources, **observations.sources}
    return EnvironmentSpaces(action_space, observation_space, has_mask, sources, given.strict)


def _probed(probe: Probe, given: Given) -> tuple[Fields, Fields]:
    """Return what a reset shows; nothing where it fails and defaults will do."""
    if given.strict:
        return probe()
    try:
        return probe()
    except OpenEnvGymError:  # the caller's own reset raises it again
        return {}, {}
