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
"""Most characters of one message of the agent, in text."""
CONTENT_LENGTH = 2**24
"""Most characters of any message in a conversation."""


def tokens_space(size: int) -> Sequence:
    """Return the Space of a row of tokens, which may be empty: an array (n,) int64.

    Args:
        size: Number of tokens in the vocabulary.
    """
    return Sequence(Discrete(size), stack=True)


def _row(tokens: Any) -> Any:
    """Return tokens in one row: OpenEnv takes nested lists too, as of a batch of one."""
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
        role: Role of the speaker, one of :data:`ROLES`. The agent is the assistant.
        content: Text of the message, without special tokens.
    """

    role: Annotated[str, Choice(ROLES)]
    content: Annotated[str, Utf8(CONTENT_LENGTH)]


class ChatAction(Action):
    """A message in tokens.

    Attributes:
        tokens: (n,) int64, at least one; they become part of the history unchanged. Their Space
            depends on the tokenizer; here it is that of the default one.
    """

    tokens: Annotated[Array, BeforeValidator(_row), Field(min_length=1), tokens_space(2048)]


class ChatObservation(Observation):
    """The conversation so far.

    Attributes:
        messages: All messages, the agent's last one and the answer to it included.
        tokens: (n,) int64, all tokens, as the chat template writes them; but the agent's messages
            are exactly the tokens of its actions.
    """

    messages: list[ChatMessage]
    tokens: Annotated[Array, tokens_space(2048)]


class ChatTextAction(Action):
    """A message in text, for ``mode="text"``.

    Attributes:
        message: The message; the chat template adds the text around it.
    """

    message: Annotated[str, Utf8(MESSAGE_LENGTH)]


class ChatTextObservation(Observation):
    """The conversation so far, in text.

    Attributes:
        text: The whole text, as the chat template writes it. Its Space depends on the options.
        messages: All messages.
        tokens: All tokens.
    """

    text: Annotated[str, Utf8(MESSAGE_LENGTH)]
    messages: Annotated[list[ChatMessage], Info()]
    tokens: Annotated[list[int], Info()]


class ChatState(State):
    """The conversation so far.

    Attributes:
        history_messages: All messages.
        history_tokens: The tokens of each message. With ``generation_prompt`` the tokens of the
            template's text before the first message have an item of their own.
    """

    history_messages: list[ChatMessage] = Field(default_factory=list)
    history_tokens: list[list[int]] = Field(default_factory=list)
