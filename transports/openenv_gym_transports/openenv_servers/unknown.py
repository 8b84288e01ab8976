"""Adapter of an environment that is known only by its server's schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, Space
from numpy.typing import NDArray

from openenv_gym.errors import SpaceError
from openenv_gym.sessions.adapters import Adapter
from openenv_gym.sessions.payload import Conversation, Outcome, keywords, outcome
from openenv_gym.spaces.json.values import refuse
from openenv_gym.spaces.mask import action_mask
from openenv_gym.wire.messages import StepOutcome
from openenv_gym_transports.openenv_servers.fields import (
    LEGAL_ACTIONS,
    FieldReader,
    Fields,
    FieldSpace,
    action_by_data,
    bounds_error,
    companions,
    lists_legal_actions,
)
from openenv_gym_transports.openenv_servers.given import Given
from openenv_gym_transports.openenv_servers.server import Schemas

Mask = Callable[[Outcome], NDArray[np.int8]]


class SchemaAdapter(Adapter):
    """Adapter that converts between JSON and values of the Spaces.

    Args:
        conversation: The conversation with the environment.
        actions: The action space.
        observations: The observation space.
        mask: Function that makes the action mask, if the environment lists legal actions.
        sources: Where the bounds of each leaf came from.
    """

    def __init__(
        self,
        conversation: Conversation,
        actions: FieldSpace,
        observations: FieldSpace,
        mask: Mask | None,
        sources: dict[str, str],
    ) -> None:
        self._conversation = conversation
        self._actions = actions
        self._observations = observations
        self._beside = frozenset(observations.names | ({LEGAL_ACTIONS} if mask else set()))
        self._mask = mask
        self.sources = sources
        self.action_space, self.observation_space = actions.space, observations.space
        self.metadata = {"render_modes": []}
        self.render_mode = None
        self.has_mask = mask is not None

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        return self._outcome(self._conversation.reset(keywords(seed, options)))

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        return self._outcome(self._conversation.step(self._actions.from_space(action)))

    def _outcome(self, payload: dict[str, Any]) -> StepOutcome:
        result = outcome(payload)
        info = result.metadata
        info |= {name: v for name, v in result.fields.items() if name not in self._beside}
        if self._mask is not None:
            info["action_mask"] = self._mask(result)
        reward = 0.0 if result.reward is None else result.reward
        observation = self._observations.to_space(result.fields)
        return observation, reward, result.terminated, result.truncated, info

    def render(self) -> Any:
        """Implements Adapter.render: OpenEnv's own servers cannot render."""

    def state(self) -> dict[str, Any]:
        """Implements Adapter.state."""
        return self._conversation.state()

    def close(self) -> None:
        """Implements Adapter.close."""
        self._conversation.close()


def make_schema_adapter(
    conversation: Conversation, schemas: Schemas, given: Given, url: str
) -> SchemaAdapter:
    """Make the adapter of an environment from its server's schemas and, if necessary, one reset.

    Raises:
        SpaceError: That is not enough to make Spaces; the error lists all missing fields.
        OptionError: The caller's Spaces do not fit the environment.
    """
    sample: Fields | None = None
    found: dict[str, Space[Any]] = {}
    while True:
        actions = FieldReader("action", schemas.action, given, found=found)
        observations = FieldReader("observation", schemas.observation, given, sample=sample)
        action_space = actions.make(frozenset())
        mask = None
        if lists_legal_actions(schemas.observation, sample):
            mask = _mask_maker(action_space.space, LEGAL_ACTIONS)
        beside = companions(observations.names) | ({LEGAL_ACTIONS} if mask else set())
        observation_space = observations.make(frozenset(beside))
        problems = [*actions.problems, *observations.problems]
        if not problems:
            break
        if sample is not None:
            raise bounds_error(url, problems)
        sample = outcome(conversation.reset({})).fields
        found = action_by_data(actions.problems, sample, conversation.state())
    known = {
        f"{reader}.{name}"
        for reader, names in (("action", actions.names), ("observation", observations.names))
        for name in names or ()
    }
    given.check_used(known)
    sources = {**actions.sources, **observations.sources}
    return SchemaAdapter(conversation, action_space, observation_space, mask, sources)


def _mask_maker(space: Space[Any], name: str) -> Mask | None:
    """Return the function that makes a mask; None where the actions are not numbers."""
    if not isinstance(space, Discrete):
        return None
    size, start = int(space.n), int(space.start)
    place = f"observation.{name}"

    def mask(result: Outcome) -> NDArray[np.int8]:
        legal = result.fields.get(name)
        if not isinstance(legal, list):
            raise SpaceError(f"{place} is missing in the server's reply.", field=place)
        for value in legal:
            if type(value) is not int or not start <= value < start + size:
                refuse(place, value, f"which is not in the action space {space}")
        return action_mask((value - start for value in legal), size)

    return mask
