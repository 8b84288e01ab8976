"""Chat: a conversation in tokens or in text, with any tokenizer and any chat template."""

from openenv_gym_envs.chat.client import ChatEnv, ChatTextEnv
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
