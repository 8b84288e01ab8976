"""A conversation: its messages, the tokens of each, and how long it may get."""

from __future__ import annotations

from collections.abc import Sequence

from openenv_gym_envs.chat.models import ChatMessage
from openenv_gym_envs.chat.template import ChatTemplate
from openenv_gym_envs.chat.tokenizer import ChatTokenizer


class Conversation:
    """The messages of a conversation, and their tokens.

    Args:
        tokenizer: Tokenizer of the texts.
        template: Template that writes the text around a message.
        generation_prompt: Whether the tokens end with the text before an assistant's message.
        limit: Most tokens.

    Attributes:
        messages: All messages.
        tokens: The tokens of each message.
        length: Number of all tokens.
    """

    def __init__(
        self,
        tokenizer: ChatTokenizer,
        template: ChatTemplate,
        generation_prompt: bool,
        limit: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._prompts = generation_prompt
        self._limit = limit
        self.messages: list[ChatMessage] = []
        self.tokens: list[list[int]] = []
        self.length = 0

    @property
    def room(self) -> int:
        """Number of tokens that may still be added."""
        return self._limit - self.length

    def plain(self) -> list[dict[str, str]]:
        """Return the messages as dicts, as templates and functions take them."""
        return [message.model_dump() for message in self.messages]

    def add(self, role: str, content: str, *, agent_next: bool = False) -> bool:
        """Add a message as the template writes it.

        The agent's message before it is closed first, unless the agent closed it.

        Args:
            role: Role of the speaker.
            content: Text of the message.
            agent_next: Whether the agent speaks next.

        Returns:
            Whether there was room; without room nothing is added.
        """
        message = {"role": role, "content": content}
        before = self.plain()
        numbers = self._tokenizer.encode_parts(self._template.parts(message, before))
        if before and before[-1]["role"] == "assistant" != role:
            numbers = [*self._unclosed(before), *numbers]
        if self._prompts and agent_next:
            numbers += self._generation_prompt([*before, message])
        if len(numbers) > self.room or len(content) > self._limit * self._tokenizer.longest:
            return False
        self._append(ChatMessage(role=role, content=content), numbers)
        return True

    def begin(self) -> None:
        """Let the agent begin, where nobody else does."""
        if self._prompts:
            numbers = self._generation_prompt([])
            self.tokens.append(numbers)
            self.length += len(numbers)

    def say(self, numbers: Sequence[int]) -> bool:
        """Add the agent's message, with exactly its tokens.

        Returns:
            Whether there was room for all; else the message is cut off.
        """
        kept = list(numbers[: self.room])
        content = self._tokenizer.decode(kept)
        self._append(ChatMessage(role="assistant", content=content), kept)
        return len(kept) == len(numbers)

    def _append(self, message: ChatMessage, numbers: list[int]) -> None:
        self.messages.append(message)
        self.tokens.append(numbers)
        self.length += len(numbers)

    def _generation_prompt(self, messages: list[dict[str, str]]) -> list[int]:
        return self._tokenizer.encode_template(self._template.generation_prompt(messages))

    def _unclosed(self, messages: list[dict[str, str]]) -> list[int]:
        """Return the template's end of the agent's last message, unless the agent wrote it."""
        *before, _ = messages
        *_, last = self._template.parts({"role": "assistant", "content": "x"}, before)
        if last.content:
            return []
        closing = self._tokenizer.encode_template(last.text)
        said = self.tokens[-1]
        for length in range(len(closing), 0, -1):
            if said[-length:] == closing[:length]:
                return closing[length:]
        return closing

    def text(self) -> str:
        """Return the whole text, with the template's special tokens."""
        return self._tokenizer.decode(self.row(), special=True)

    def row(self) -> list[int]:
        """Return all tokens in one list."""
        return [number for numbers in self.tokens for number in numbers]
