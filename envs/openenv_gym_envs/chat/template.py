"""Chat templates, which turn a conversation into one text, and the parts of that text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from openenv_gym.errors import OptionError

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The default template: ChatML."""

Message = Mapping[str, str]


class Part(NamedTuple):
    """A part of a text that a template made.

    Attributes:
        text: The part.
        content: Whether the part comes from a message, not from the template.
    """

    text: str
    content: bool


class ChatTemplate:
    """A chat template like those of Hugging Face's tokenizers, in a sandbox.

    Args:
        source: The template, in Jinja. It takes ``messages`` and ``add_generation_prompt``.
        variables: Further variables that it takes, such as ``bos_token``.

    Raises:
        OptionError: The source is not a valid template.
    """

    def __init__(self, source: str, variables: Mapping[str, str]) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise
        self._source = source
        self._variables = dict(variables)
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise OptionError(f"chat_template is not a valid template: {error}") from error

    def render(self, messages: Sequence[Message], add_generation_prompt: bool = False) -> str:
        """Return the text of a conversation.

        Args:
            messages: Messages with ``role`` and ``content``.
            add_generation_prompt: Whether the text ends with that before an assistant's message.

        Raises:
            OptionError: The template does not take such a conversation.
        """
        try:
            return self._template.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=add_generation_prompt,
                **self._variables,
            )
        except Exception as error:  # a template may do anything that Jinja can
            roles = [message["role"] for message in messages]
            raise OptionError(
                f"chat_template does not take messages of the roles {roles}: "
                f"{type(error).__name__}: {error}",
                roles=roles,
            ) from error

    def parts(self, message: Message, before: Sequence[Message] = ()) -> list[Part]:
        """Return what a message adds to the text, in parts of the template and of the message.

        Args:
            message: The message.
            before: All messages before it. Where the template writes these in another way when one
                more follows, the result is the text of the message alone.

        Raises:
            OptionError: The template does not take such a conversation.
        """
        content = message["content"]
        earlier = "".join(one["content"] for one in before)
        opening, closing = _marks(self._source + content + earlier)
        # The marks are put inside the white space, which many templates cut off.
        inner = content.strip()
        at = content.find(inner)
        end = at + len(inner)
        marked = {**message, "content": content[:at] + opening + inner + closing + content[end:]}
        text = self.render([*before, marked])
        if before:
            known = self.render(before)
            text = text[len(known) :] if text.startswith(known) else self.render([marked])
        first, *found = text.split(opening)
        parts = [Part(first.replace(closing, ""), False)]
        for piece in found:
            inside, _, outside = piece.partition(closing)
            parts += [Part(inside, True), Part(outside.replace(closing, ""), False)]
        return [part for part in parts if part.text]

    def generation_prompt(self, messages: Sequence[Message]) -> str:
        """Return the template's text before an assistant's message that follows these.

        Raises:
            OptionError: The template does not take such a conversation.
        """
        return self.render(messages, True)[len(self.render(messages)) :]


def _marks(text: str) -> tuple[str, str]:
    """Return two private characters that are not in a text and are not white space."""
    unused = (chr(point) for point in range(0xF0000, 0x10FFFE) if chr(point) not in text)
    return next(unused), next(unused)


def _to_json(value: Any, indent: int | None = None, **options: Any) -> str:
    """Write JSON for a model, not for a web page, as in Hugging Face's templates."""
    return json.dumps(value, ensure_ascii=False, indent=indent, **options)


def _raise(message: str) -> None:
    """Raise an error: templates call this when they refuse a conversation."""
    raise TemplateError(message)
