"""Adapter of an environment that is known only by its server's schemas."""

from __future__ import annotations

from typing import Any

from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.payload import Conversation, keywords, outcome
from openenv_gym.spaces.json.fields import LEGAL_ACTIONS, Fields
from openenv_gym.spaces.json.given import Given
from openenv_gym.spaces.json.read_environment import EnvironmentSpaces, read_environment
from openenv_gym.wire.messages import StepOutcome
from openenv_gym_transports.openenv_servers.server import Schemas


class SchemaAdapter(Adapter):
    """Adapter that converts between JSON and values of the Spaces.

    Args:
        conversation: The conversation with the environment.
        found: The Spaces of the environment.
    """

    def __init__(self, conversation: Conversation, found: EnvironmentSpaces) -> None:
        self._conversation = conversation
        self._found = found
        mask = {LEGAL_ACTIONS} if found.has_mask else set()
        self._beside = frozenset(found.observations.names | mask)
        self.sources = found.sources
        self.metadata = {"render_modes": []}
        self.render_mode = None
        self.has_mask = found.has_mask
        self._take_spaces()

    def _take_spaces(self) -> None:
        self._widened = self._found.widened
        self.action_space = self._found.actions.space
        self.observation_space = self._found.observations.space

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        return self._outcome(self._conversation.reset(keywords(seed, options)))

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        return self._outcome(self._conversation.step(self._found.actions.from_space(action)))

    def _outcome(self, payload: dict[str, Any]) -> StepOutcome:
        result = outcome(payload)
        info = result.metadata
        info |= {name: v for name, v in result.fields.items() if name not in self._beside}
        if self.has_mask:
            info["action_mask"] = self._found.mask(result.fields)
        reward = 0.0 if result.reward is None else result.reward
        observation = self._found.observe(result.fields)
        if self._found.widened != self._widened:
            self._take_spaces()
            self.widened()
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
        SpaceError: That is not enough to make Spaces, and no default is wanted; the error lists
            all missing fields.
        OptionError: The caller's Spaces do not fit the environment.
    """

    def probe() -> tuple[Fields, Fields]:
        return outcome(conversation.reset({})).fields, conversation.state()

    found = read_environment(schemas.action, schemas.observation, given, probe, url)
    return SchemaAdapter(conversation, found)
