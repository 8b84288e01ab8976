"""Chat: a conversation in tokens or in text, with any tokenizer and any chat template."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.chat.models import (
    ChatAction,
    ChatMessage,
    ChatObservation,
    ChatState,
    ChatTextAction,
    ChatTextObservation,
)

__all__ = [
    "ChatAction",
    "ChatEnv",
    "ChatMessage",
    "ChatObservation",
    "ChatState",
    "ChatTextAction",
    "ChatTextEnv",
    "ChatTextObservation",
]


class ChatEnv(EnvClient[ChatAction, ChatObservation, ChatState], environment="chat"):
    """The typed client of a chat in tokens."""


class ChatTextEnv(EnvClient[ChatTextAction, ChatTextObservation, ChatState]):
    """The typed client of a chat in text, for ``mode="text"``."""

    environment = "chat"
