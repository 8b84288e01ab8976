"""A conversation: its messages, the tokens of each, and how long it may get."""

from __future__ import annotations

from collections.abc import Sequence

from openenv_gym_envs.chat.models import ChatMessage
from openenv_gym_envs.chat.template import ChatTemplate
from openenv_gym_envs.chat.tokenizer import ChatTokenizer


class Conversation:
    """What was said, in messages and in tokens.

    Args:
        tokenizer: Makes the tokens.
        template: Says what stands around a message.
        generation_prompt: The tokens end with what stands before an assistant's message.
        limit: The most tokens.

    Attributes:
        messages: All messages.
        tokens: The tokens of each.
        length: How many tokens there are.
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
        """How many tokens there may still be."""
        return self._limit - self.length

    def plain(self) -> list[dict[str, str]]:
        """The messages, as templates and functions take them."""
        return [message.model_dump() for message in self.messages]

    def add(self, role: str, content: str, *, agent_next: bool = False) -> bool:
        """Adds a message as the template writes it.

        What the agent said before is closed first, as far as the agent has not done so.

        Args:
            role: Who says it.
            content: What is said.
            agent_next: It is the agent's turn then.

        Returns:
            Whether there was room; else nothing is added.
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
        """Lets the agent begin, where nobody else does."""
        if self._prompts:
            numbers = self._generation_prompt([])
            self.tokens.append(numbers)
            self.length += len(numbers)

    def say(self, numbers: Sequence[int]) -> bool:
        """Adds what the agent says, as it says it.

        Returns:
            Whether there was room; else it is cut off at the end.
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
        """What the template puts behind the last message and the agent, who said it, did not."""
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
        """All of it, with the template's special tokens."""
        return self._tokenizer.decode(self.row(), special=True)

    def row(self) -> list[int]:
        """All tokens in one row."""
        return [number for numbers in self.tokens for number in numbers]
