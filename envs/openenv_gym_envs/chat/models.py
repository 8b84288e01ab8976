"""Models of the Chat environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from gymnasium.spaces import Discrete, Sequence
from pydantic import BaseModel, BeforeValidator, Field

from openenv_gym.models import Action, Array, Choice, Info, Observation, State
from openenv_gym.spaces.utf8 import Utf8

ROLES = ("system", "user", "assistant")
MESSAGE_LENGTH = 65_536
"""The most characters of a text that the agent says at once."""
CONTENT_LENGTH = 2**24
"""The most characters of a message in a conversation."""


def tokens_space(size: int) -> Sequence:
    """The Space of a row of tokens, or of none: an array (n,) int64.

    Args:
        size: How many tokens there are.
    """
    return Sequence(Discrete(size), stack=True)


def _row(tokens: Any) -> Any:
    """Tokens in one row: OpenEnv takes lists in lists too, as of a batch of one."""
    if isinstance(tokens, list | tuple):
        if not any(isinstance(one, list | tuple) for one in tokens):
            return tokens
        return [
            token
            for one in tokens
            for token in (_row(one) if isinstance(one, list | tuple) else [one])
        ]
    if not hasattr(tokens, "tolist"):
        raise ValueError("Input should be a list of tokens")
    return np.ravel(tokens)


class ChatMessage(BaseModel):
    """One message of a conversation.

    Attributes:
        role: Who says it, one of :data:`ROLES`. The agent is the assistant.
        content: What is said, without special tokens.
    """

    role: Annotated[str, Choice(ROLES)]
    content: Annotated[str, Utf8(CONTENT_LENGTH)]


class ChatAction(Action):
    """Says something in tokens.

    Attributes:
        tokens: (n,) int64, at least one; they go into the history as they are. Their Space is that
            of the tokenizer; here it is that of the default one.
    """

    tokens: Annotated[Array, BeforeValidator(_row), Field(min_length=1), tokens_space(2048)]


class ChatObservation(Observation):
    """The conversation so far.

    Attributes:
        messages: All of it, the agent's last message and the answer to it included.
        tokens: (n,) int64, all of it, as the chat template writes it; but what the agent said is as
            the agent said it.
    """

    messages: list[ChatMessage]
    tokens: Annotated[Array, tokens_space(2048)]


class ChatTextAction(Action):
    """Says something in text, where ``mode="text"``.

    Attributes:
        message: The chat template puts around it what belongs there.
    """

    message: Annotated[str, Utf8(MESSAGE_LENGTH)]


class ChatTextObservation(Observation):
    """The conversation so far, in text.

    Attributes:
        text: All of it, as the chat template writes it. Its Space is that of the options.
        messages: All of it, message by message.
        tokens: All of it in tokens.
    """

    text: Annotated[str, Utf8(MESSAGE_LENGTH)]
    messages: Annotated[list[ChatMessage], Info()]
    tokens: Annotated[list[int], Info()]


class ChatState(State):
    """The conversation so far.

    Attributes:
        history_messages: All messages.
        history_tokens: The tokens of each. With ``generation_prompt`` and nothing said yet, what
            the template begins with is one without a message.
    """

    history_messages: list[ChatMessage] = Field(default_factory=list)
    history_tokens: list[list[int]] = Field(default_factory=list)
