"""What a reset or a step gave, as OpenEnv's protocol writes it in JSON."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from openenv_gym.errors import ProtocolError
from openenv_gym.models import TRUNCATED, is_terminated

Payload = dict[str, Any]
"""The data of a reply: of an observation, or the state."""


class Conversation(Protocol):
    """One environment on a server, however it is reached."""

    def reset(self, data: Payload) -> Payload:
        """Begin an episode."""
        raise NotImplementedError

    def step(self, action: Payload) -> Payload:
        """Carry out one action, once."""
        raise NotImplementedError

    def rpc(self, method: str, params: Payload) -> Payload:
        """Return the result of a method of MCP, such as ``"tools/list"``."""
        raise NotImplementedError

    def state(self) -> Payload:
        """The environment's state."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""


class Outcome(NamedTuple):
    """What a reset or a step gave.

    Attributes:
        fields: Those of the observation, without those below.
        metadata: Of the observation.
        reward: None where the environment gave none.
        terminated: The episode ended by the rules of the task.
        truncated: The episode was cut off.
    """

    fields: dict[str, Any]
    metadata: dict[str, Any]
    reward: float | int | bool | None
    terminated: bool
    truncated: bool


def outcome(payload: Payload) -> Outcome:
    """What a reply contains.

    Raises:
        ProtocolError: It is of no form that OpenEnv's servers give it.
    """
    observation = payload.get("observation")
    reward, done = payload.get("reward"), payload.get("done", False)
    number = reward is None or isinstance(reward, bool | int | float)
    if not isinstance(observation, dict) or not number or not isinstance(done, bool):
        raise ProtocolError(
            f"The server does not speak OpenEnv's protocol: it observed {str(payload)[:200]}."
        )
    fields = dict(observation)
    metadata = payload.get("metadata") or fields.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    truncated = metadata.pop(TRUNCATED, False) is True or fields.get("truncated") is True
    said = fields.get("terminated")
    terminated = is_terminated(
        done=done, terminated=said if isinstance(said, bool) else None, truncated=truncated
    )
    for name in ("metadata", "reward", "done", "truncated", "terminated"):
        fields.pop(name, None)
    return Outcome(fields, metadata, reward, terminated, truncated)


def keywords(seed: int | None, options: dict[str, Any]) -> Payload:
    """The data of a reset."""
    return dict(options) if seed is None else {**options, "seed": int(seed)}
