"""A conversation with the libraries tokenizers and jinja2 alone."""

from __future__ import annotations

import importlib.resources
import itertools
from typing import Any

import numpy as np

from openenv_gym_envs.chat.template import CHATML
from openenv_gym_envs.comparison import Comparison, Player

VOCABULARY = "openenv_gym_envs.chat.vocabulary"
MESSAGES = 20
ACTIONS = (np.arange(300, 320), np.arange(400, 430))


class Chat(Player):
    def __init__(self) -> None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from tokenizers import Tokenizer

        file = importlib.resources.files(VOCABULARY).joinpath("tokenizer.json")
        self._tokenizer = Tokenizer.from_str(file.read_text("utf-8"))
        self._template = ImmutableSandboxedEnvironment().from_string(CHATML)
        self._actions = itertools.cycle(ACTIONS)

    def reset(self) -> None:
        self._messages = [{"role": "system", "content": "You are kind."}]
        text = self._template.render(messages=self._messages)
        self._tokens = list(self._tokenizer.encode(text).ids)
        self._observation = (list(self._messages), np.array(self._tokens))

    def choose(self) -> Any:
        return next(self._actions)

    def step(self, action: Any) -> bool:
        numbers = action.tolist()
        content = self._tokenizer.decode(numbers)
        self._messages.append({"role": "assistant", "content": content})
        self._tokens += numbers
        self._observation = (list(self._messages), np.array(self._tokens))
        return len(self._messages) >= MESSAGES


COMPARISONS = (
    Comparison(
        "Chat",
        "openenv/Chat-v0",
        Chat,
        {"system_prompt": "You are kind.", "max_messages": MESSAGES},
        actions=ACTIONS,
    ),
)
