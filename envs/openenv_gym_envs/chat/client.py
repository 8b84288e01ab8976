"""The typed clients of Chat."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.chat.models import (
    ChatAction,
    ChatObservation,
    ChatState,
    ChatTextAction,
    ChatTextObservation,
)


class ChatEnv(EnvClient[ChatAction, ChatObservation, ChatState], environment="chat"):
    """The typed client of a chat in tokens."""


class ChatTextEnv(EnvClient[ChatTextAction, ChatTextObservation, ChatState]):
    """The typed client of a chat in text, for ``mode="text"``."""

    environment = "chat"
