"""What clients of OpenEnv's protocol send."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from openenv_gym.wire.messages import Reset


class ResetData(BaseModel):
    """How an episode is to begin.

    Attributes:
        seed: Of its randomness.
        episode_id: What the state is to call it.
    """

    model_config = ConfigDict(extra="allow")  # options of the environment's reset

    seed: Annotated[int, Field(ge=0)] | None = None
    episode_id: Annotated[str, Field(max_length=255)] | None = None

    def request(self) -> Reset:
        """The request for the session."""
        options = dict(self.model_extra or {})
        if self.episode_id is not None:
            options["episode_id"] = self.episode_id
        return Reset(self.seed, options)


class StepData(BaseModel):
    """A step over HTTP.

    Attributes:
        action: Fields of the action.
        timeout_s: Taken, and without a meaning: it is for environments that ask for it.
        request_id: Likewise.
    """

    model_config = ConfigDict(extra="forbid")

    action: dict[str, Any]
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    request_id: Annotated[str, Field(max_length=255)] | None = None


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ResetMessage(_Message):
    """A frame that asks for a reset."""

    type: Literal["reset"]
    data: ResetData = ResetData()


class StepMessage(_Message):
    """A frame that asks for a step; its data are the fields of the action."""

    type: Literal["step"]
    data: dict[str, Any]


class StateMessage(_Message):
    """A frame that asks for the state."""

    type: Literal["state"]


class CloseMessage(_Message):
    """A frame that ends the session."""

    type: Literal["close"]


class McpMessage(_Message):
    """A frame that carries a JSON-RPC request."""

    type: Literal["mcp"]
    data: dict[str, Any]


class SplitRequest(_Message):
    """A question about the tasks of a split.

    Attributes:
        split: Name of the split.
    """

    split: str


class TaskRequest(SplitRequest):
    """A question about one task.

    Attributes:
        index: Index of the task within the split.
    """

    index: int


class TaskRangeRequest(SplitRequest):
    """A question about a slice of tasks.

    Attributes:
        start: Index of the first.
        stop: Index behind the last.
    """

    start: int | None = None
    stop: int | None = None


class RpcRequest(BaseModel):
    """A request of JSON-RPC 2.0.

    Attributes:
        jsonrpc: The version.
        method: What to do.
        params: With what.
        id: Comes back in the reply.
    """

    model_config = ConfigDict(extra="forbid")

    jsonrpc: Literal["2.0"]
    method: str
    params: dict[str, Any] = Field(default_factory=dict)
    id: str | int | None = None
