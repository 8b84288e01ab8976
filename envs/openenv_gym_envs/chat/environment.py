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
from openenv_gym.models import Action, Observation, OwnerOnly
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

_MARKS = ("<|im_start|>", "<|im_end|>")  # of ChatML
_ActionT = TypeVar("_ActionT", bound=Action)
_ObservationT = TypeVar("_ObservationT", bound=Observation)

_Texts = Annotated[list[str], Field(min_length=1)]


def make(
    mode: Literal["tokens", "text"] = "tokens",
    tokenizer: Annotated[str | None, OwnerOnly()] = None,
    chat_template: Annotated[str | None, OwnerOnly()] = None,
    system_prompt: str | None = None,
    prompts: _Texts | None = None,
    reply: Annotated[str | _Texts | None, OwnerOnly()] = None,
    reward_fn: Annotated[str | None, OwnerOnly()] = None,
    generation_prompt: bool = False,
    max_tokens: Annotated[int, Field(ge=16, le=10**6)] = 8192,
    max_messages: Annotated[int, Field(ge=1, le=10**6)] = 1000,
) -> _ChatEnvironment[Any, Any]:
    """Makes an environment for one conversation at a time.

    Args:
        mode: What the agent sees and says: ``"tokens"``, or ``"text"``.
        tokenizer: Path of a JSON file of the library ``tokenizers``; or the name of a tokenizer of
            ``transformers`` in its cache. By default a byte-level BPE of 2,048 tokens.
        chat_template: A template in Jinja, as Hugging Face's; by default that of the tokenizer of
            ``transformers``, else ChatML.
        system_prompt: The system's message, which begins each conversation.
        prompts: The user's first messages: one of them is drawn at each reset.
        reply: Who answers the agent. None: nobody. Texts: they are answered in their order, and the
            agent's message after the last ends the episode. ``"module:function"``: it is given the
            messages so far (dicts of ``role`` and ``content``) and a numpy generator that the
            reset has seeded, and gives the answer, or None to end the episode.
        reward_fn: ``"module:function"``: it is given the messages up to what the agent has just
            said, and gives the reward for that. None: 0.
        generation_prompt: With ``mode="tokens"``: the tokens end with what the template puts before
            an assistant's message, for the agent to go on there.
        max_tokens: The most tokens of a conversation. What the agent says is cut to them, an answer
            that has no room is dropped; both truncate the episode.
        max_messages: The most messages; the episode is truncated when there are so many.

    Raises:
        OptionError: They do not fit together, or name what is not there.
        MissingDependencyError: The tokenizer takes a package that is not installed.
        RegistryError: There is no such function.
    """
    if generation_prompt and mode == "text":
        raise OptionError("generation_prompt is for mode='tokens': a text stands by itself.")
    loaded = load(tokenizer)
    longest = max_tokens * loaded.tokenizer.longest
    if longest > CONTENT_LENGTH:
        raise OptionError(
            f"max_tokens={max_tokens} of up to {loaded.tokenizer.longest} characters each are more "
            f"than the {CONTENT_LENGTH} characters that a message may have: take at most "
            f"max_tokens={CONTENT_LENGTH // loaded.tokenizer.longest}.",
            max_tokens=max_tokens,
        )
    source = chat_template or loaded.chat_template or CHATML
    if source == CHATML and not loaded.tokenizer.special.keys() >= {*_MARKS}:
        raise OptionError(
            f"tokenizer={tokenizer!r} has no special tokens {' and '.join(_MARKS)}, which the "
            "default chat template needs: give the chat_template= of its model.",
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
    """What the options come to."""

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
    """One conversation at a time.

    Args:
        settings: What the options come to.

    Raises:
        OptionError: A conversation cannot begin with them.
    """

    render_modes = ("ansi",)
    render_fps = 1

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self._begin(None, None)
        for prompt in settings.prompts:
            self._begin(prompt, None)

    def metadata(self) -> Mapping[str, Any]:
        """Further: how many tokens there are, and the special ones."""
        tokenizer = self._settings.tokenizer
        return {**super().metadata(), "vocabulary": tokenizer.size, "special": tokenizer.special}

    def _begin(self, prompt: str | None, episode_id: str | None) -> None:
        self._episode_id = episode_id
        self._steps = 0
        self._talk = talk = self._settings.begin()
        told = (("system", self._settings.system_prompt), ("user", prompt))
        first = [(role, content) for role, content in told if content is not None]
        for number, (role, content) in enumerate(first, 1):
            if not talk.add(role, content, agent_next=number == len(first)):
                raise OptionError(
                    f"The first messages have no room in max_tokens, the {role}'s "
                    f"{content[:40]!r} among them.",
                    role=role,
                )
        if not first:
            talk.begin()

    def reset(self, episode_id: str | None = None) -> _ObservationT:
        """Begins a conversation.

        Args:
            episode_id: What :attr:`state` is to call the episode.
        """
        prompts = self._settings.prompts
        prompt = prompts[int(self.np_random.integers(len(prompts)))] if prompts else None
        self._begin(prompt, episode_id)
        return self._observe()

    def _answered(self, whole: bool) -> _ObservationT:
        """What comes of what the agent has just said.

        Args:
            whole: There was room for all of it.
        """
        self._steps += 1
        settings, talk = self._settings, self._talk
        reward = None if settings.reward is None else hooks.reward(settings.reward, talk.plain())
        if not whole:
            return self._observe(reward, truncated="What was said had no room in max_tokens.")
        if settings.reply is not None:
            answer = hooks.answer(settings.reply, talk.plain(), self.np_random)
            if answer is None:
                return self._observe(reward, terminated="The user has no more to say.")
            if not talk.add("user", answer, agent_next=True):
                return self._observe(reward, truncated="The answer had no room in max_tokens.")
        if len(talk.messages) >= settings.max_messages:
            return self._observe(reward, truncated="There are max_messages.")
        if talk.room <= 0:
            return self._observe(reward, truncated="There are max_tokens.")
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
            **self._seen(),
        }
        return cast("_ObservationT", self.observation_type(**fields))

    def _seen(self) -> dict[str, Any]:
        """Fields of the observation beside those that every one has."""
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
        """The conversation, a line for each message."""
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
        return self._answered(self._talk.say(action.tokens.tolist()))

    def _seen(self) -> dict[str, Any]:
        return {"tokens": np.array(self._talk.row(), np.int64)}


class TextChatEnvironment(_ChatEnvironment[ChatTextAction, ChatTextObservation]):
    """A conversation in text."""

    action_type, observation_type, state_type = ChatTextAction, ChatTextObservation, ChatState

    def spaces(self) -> Mapping[str, Space[Any]]:
        """Implements Environment.spaces."""
        return {"text": Utf8(self._settings.max_text)}

    def step(self, action: ChatTextAction) -> ChatTextObservation:
        """Implements Environment.step."""
        talk = self._talk
        whole = talk.add("assistant", action.message)
        if not whole:  # as much as there is room for, without what the template puts around it
            talk.say(self._settings.tokenizer.encode(action.message))
        return self._answered(whole)

    def _seen(self) -> dict[str, Any]:
        return {"text": self._talk.text(), "tokens": self._talk.row()}
