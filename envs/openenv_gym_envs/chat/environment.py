"""The Chat environment: a conversation between the agent and whoever answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

import numpy as np
from gymnasium.spaces import Space
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError
from openenv_gym.models import Action, ClientOption, Observation
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym_envs.chat import hooks
from openenv_gym_envs.chat.conversation import Conversation
from openenv_gym_envs.chat.models import (
    CONTENT_LENGTH,
    ChatAction,
    ChatObservation,
    ChatState,
    ChatTextAction,
    ChatTextObservation,
    tokens_space,
)
from openenv_gym_envs.chat.template import CHATML, ChatTemplate
from openenv_gym_envs.chat.tokenizer import ChatTokenizer, load

_MARKS = ("<|im_start|>", "<|im_end|>")  # the special tokens of ChatML
_ActionT = TypeVar("_ActionT", bound=Action)
_ObservationT = TypeVar("_ObservationT", bound=Observation)

_Texts = Annotated[list[str], Field(min_length=1)]
# What a client of a server may ask for.
_Text = Annotated[str, Field(max_length=32_768)]
_FewTexts = Annotated[
    list[Annotated[str, Field(max_length=4096)]], Field(min_length=1, max_length=100)
]
_Tokens = Annotated[int, Field(ge=16, le=65_536)]
_Count = Annotated[int, Field(ge=1, le=10_000)]


def make(
    mode: Annotated[Literal["tokens", "text"], ClientOption()] = "tokens",
    tokenizer: str | None = None,
    chat_template: str | None = None,
    system_prompt: Annotated[str | None, ClientOption(_Text | None)] = None,
    prompts: Annotated[_Texts | None, ClientOption(_FewTexts | None)] = None,
    reply: str | _Texts | None = None,
    reward_fn: str | None = None,
    generation_prompt: Annotated[bool, ClientOption()] = False,
    max_tokens: Annotated[int, Field(ge=16, le=10**6), ClientOption(_Tokens)] = 8192,
    max_messages: Annotated[int, Field(ge=1, le=10**6), ClientOption(_Count)] = 1000,
) -> _ChatEnvironment[Any, Any]:
    """Make an environment for one conversation at a time.

    Args:
        mode: Form of observations and actions: ``"tokens"`` or ``"text"``.
        tokenizer: Path of a JSON file of the library ``tokenizers``; or the name of a tokenizer in
            the cache of ``transformers``. By default a byte-level BPE of 2,048 tokens.
        chat_template: A template in Jinja, like those of Hugging Face; by default that of the
            tokenizer of ``transformers``, else ChatML.
        system_prompt: Message of the system, which begins each conversation.
        prompts: First messages of the user, of which each reset draws one.
        reply: The other side of the conversation. None: nobody answers. A list of texts: they are
            the answers, in their order, and the agent's message after the last one ends the
            episode. ``"module:function"``: the function takes the messages so far (dicts with
            ``role`` and ``content``) and a numpy generator that the reset has seeded, and returns
            the answer, or None to end the episode.
        reward_fn: ``"module:function"``: the function takes the messages, the agent's new one
            included, and returns its reward. None: the reward is 0.
        generation_prompt: With ``mode="tokens"``: whether the tokens end with the template's text
            before an assistant's message, so that the agent continues there.
        max_tokens: Most tokens of a conversation. The agent's message is cut to them, and an
            answer without room is dropped; both truncate the episode.
        max_messages: Number of messages at which the episode is truncated.

    Raises:
        OptionError: The options contradict each other, or name something that does not exist.
        MissingDependencyError: The tokenizer needs a package that is not installed.
        RegistryError: The function does not exist.
    """
    if generation_prompt and mode == "text":
        raise OptionError("generation_prompt is for mode='tokens': leave it out with 'text'.")
    loaded = load(tokenizer)
    longest = max_tokens * loaded.tokenizer.longest
    if longest > CONTENT_LENGTH:
        raise OptionError(
            f"max_tokens={max_tokens} with up to {loaded.tokenizer.longest} characters each exceed "
            f"the {CONTENT_LENGTH} characters that a message may have: use at most "
            f"max_tokens={CONTENT_LENGTH // loaded.tokenizer.longest}.",
            max_tokens=max_tokens,
        )
    source = chat_template or loaded.chat_template or CHATML
    if source == CHATML and not loaded.tokenizer.special.keys() >= {*_MARKS}:
        raise OptionError(
            f"tokenizer={tokenizer!r} lacks the special tokens {' and '.join(_MARKS)}, which the "
            "default chat template needs: give the template of its model by chat_template=.",
            tokenizer=tokenizer,
        )
    template = ChatTemplate(source, loaded.variables)
    settings = _Settings(
        begin=lambda: Conversation(loaded.tokenizer, template, generation_prompt, max_tokens),
        tokenizer=loaded.tokenizer,
        system_prompt=system_prompt,
        prompts=prompts or [],
        reply=hooks.make_reply(reply),
        reward=None if reward_fn is None else hooks.load(reward_fn),
        max_text=longest,
        max_messages=max_messages,
    )
    environment = (TokenChatEnvironment if mode == "tokens" else TextChatEnvironment)(settings)
    environment.inline = not isinstance(reply, str) and reward_fn is None
    return environment


@dataclass(frozen=True)
class _Settings:
    """The objects that the options stand for."""

    begin: Callable[[], Conversation]
    tokenizer: ChatTokenizer
    system_prompt: str | None
    prompts: list[str]
    reply: hooks.Reply | None
    reward: hooks.RewardFunction | None
    max_text: int
    max_messages: int


class _ChatEnvironment(
    Environment[_ActionT, _ObservationT, ChatState], Generic[_ActionT, _ObservationT]
):
    """Base of the environments for one conversation at a time.

    Args:
        settings: The objects that the options stand for.

    Raises:
        OptionError: A conversation cannot begin with these settings.
    """

    render_modes = ("ansi",)
    render_fps = 1

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self._begin(None, None)
        for prompt in settings.prompts:
            self._begin(prompt, None)

    def metadata(self) -> Mapping[str, Any]:
        """The metadata of every environment, the number of tokens, and the special tokens."""
        tokenizer = self._settings.tokenizer
        return {**super().metadata(), "vocabulary": tokenizer.size, "special": tokenizer.special}

    def _begin(self, prompt: str | None, episode_id: str | None) -> None:
        self._episode_id = episode_id
        self._steps = 0
        self._talk = talk = self._settings.begin()
        said = (("system", self._settings.system_prompt), ("user", prompt))
        first = [(role, content) for role, content in said if content is not None]
        for number, (role, content) in enumerate(first, 1):
            if not talk.add(role, content, agent_next=number == len(first)):
                raise OptionError(
                    f"The first messages do not fit in max_tokens; the {role}'s message "
                    f"{content[:40]!r} is one of them. Allow more tokens.",
                    role=role,
                )
        if not first:
            talk.begin()

    def reset(self, episode_id: str | None = None) -> _ObservationT:
        """Begin a conversation.

        Args:
            episode_id: Name of the episode in :attr:`state`.
        """
        prompts = self._settings.prompts
        prompt = prompts[int(self.np_random.integers(len(prompts)))] if prompts else None
        self._begin(prompt, episode_id)
        return self._observe()

    def _finish_step(self, whole: bool) -> _ObservationT:
        """Answer and reward the agent's new message.

        Args:
            whole: Whether there was room for all of it.
        """
        self._steps += 1
        settings, talk = self._settings, self._talk
        reward = None if settings.reward is None else hooks.reward(settings.reward, talk.plain())
        if not whole:
            return self._observe(reward, truncated="The message did not fit in max_tokens.")
        if settings.reply is not None:
            answer = hooks.answer(settings.reply, talk.plain(), self.np_random)
            if answer is None:
                return self._observe(reward, terminated="The user ended the conversation.")
            if not talk.add("user", answer, agent_next=True):
                return self._observe(reward, truncated="The answer did not fit in max_tokens.")
        if len(talk.messages) >= settings.max_messages:
            return self._observe(reward, truncated="The conversation has max_messages.")
        if talk.room <= 0:
            return self._observe(reward, truncated="The conversation has max_tokens.")
        return self._observe(reward)

    def _observe(
        self, reward: float | None = None, *, terminated: str = "", truncated: str = ""
    ) -> _ObservationT:
        reason = terminated or truncated
        fields = {
            "messages": list(self._talk.messages),
            "reward": reward,
            "done": bool(reason),
            "truncated": bool(truncated),
            "metadata": {"reason": reason} if reason else {},
            **self._content(),
        }
        return cast("_ObservationT", self.observation_type(**fields))

    def _content(self) -> dict[str, Any]:
        """Return the fields of the observation that depend on the mode."""
        raise NotImplementedError

    @property
    def state(self) -> ChatState:
        """The conversation."""
        return ChatState(
            episode_id=self._episode_id,
            step_count=self._steps,
            history_messages=list(self._talk.messages),
            history_tokens=[list(numbers) for numbers in self._talk.tokens],
        )

    def render(self) -> str | None:
        """Return the conversation, with a line for each message."""
        if self.render_mode != "ansi":
            return None
        return "".join(f"{message.role}: {message.content}\n" for message in self._talk.messages)


class TokenChatEnvironment(_ChatEnvironment[ChatAction, ChatObservation]):
    """A conversation in tokens."""

    action_type, observation_type, state_type = ChatAction, ChatObservation, ChatState

    def spaces(self) -> Mapping[str, Space[Any]]:
        """Implements Environment.spaces."""
        return {"tokens": tokens_space(self._settings.tokenizer.size)}

    def step(self, action: ChatAction) -> ChatObservation:
        """Implements Environment.step."""
        return self._finish_step(self._talk.say(action.tokens.tolist()))

    def _content(self) -> dict[str, Any]:
        return {"tokens": np.array(self._talk.row(), np.int64)}


class TextChatEnvironment(_ChatEnvironment[ChatTextAction, ChatTextObservation]):
    """A conversation in text."""

    beyond_openenv = ("text",)
    action_type, observation_type, state_type = ChatTextAction, ChatTextObservation, ChatState

    def spaces(self) -> Mapping[str, Space[Any]]:
        """Implements Environment.spaces."""
        return {"text": Utf8(self._settings.max_text)}

    def step(self, action: ChatTextAction) -> ChatTextObservation:
        """Implements Environment.step."""
        talk = self._talk
        whole = talk.add("assistant", action.message)
        if not whole:  # keep the part that fits, without the template's text around it
            talk.say(self._settings.tokenizer.encode(action.message))
        return self._finish_step(whole)

    def _content(self) -> dict[str, Any]:
        return {"text": self._talk.text(), "tokens": self._talk.row()}
