"""Tokenizers from a file or from the cache of transformers, and the default one."""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from openenv_gym.errors import MissingDependencyError, OptionError
from openenv_gym_envs.chat.template import Part

_SHOWN = 10


class Loaded(NamedTuple):
    """A tokenizer with its chat template.

    Attributes:
        tokenizer: The tokenizer.
        chat_template: Its chat template, if it has one.
        variables: Variables of the template, such as ``bos_token``.
    """

    tokenizer: ChatTokenizer
    chat_template: str | None
    variables: dict[str, str]


def load(name: str | None = None) -> Loaded:
    """Load a tokenizer by its name.

    Args:
        name: Path of a JSON file of the library ``tokenizers``; or the name of a tokenizer of
            ``transformers``, which must be in its cache: nothing is downloaded. None for the
            default one, a byte-level BPE that can encode every text.

    Raises:
        OptionError: The tokenizer does not exist, or cannot be used.
        MissingDependencyError: The name is not a file, and ``transformers`` is not installed.
    """
    if name is None:
        file = importlib.resources.files("openenv_gym_envs.chat.vocabulary").joinpath(
            "tokenizer.json"
        )
        return Loaded(ChatTokenizer(Tokenizer.from_str(file.read_text("utf-8"))), None, {})
    if name.endswith(".json") or os.path.isfile(name):
        return Loaded(ChatTokenizer(_from_file(name)), None, {})
    return _from_transformers(name)


def _from_file(name: str) -> Tokenizer:
    try:
        return Tokenizer.from_str(Path(name).read_text("utf-8"))
    except OSError as error:
        raise OptionError(
            f"tokenizer={name!r} cannot be read: {error.strerror}. Name a file on the machine "
            "where the environment runs; a container sees only its own files.",
            tokenizer=name,
        ) from error
    except Exception as error:  # the library raises no class of its own
        raise OptionError(
            f"tokenizer={name!r} is not a valid file of the library tokenizers: {error}",
            tokenizer=name,
        ) from error


def _from_transformers(name: str) -> Loaded:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingDependencyError(
            f"tokenizer={name!r} is not a JSON file, and looking it up in the cache of "
            "transformers needs that package: pip install transformers.",
            package="transformers",
        ) from error
    try:
        found: Any = AutoTokenizer.from_pretrained(name, local_files_only=True)
    except Exception as error:  # its class depends on what is missing
        reason = (str(error).splitlines() or [""])[0]
        raise OptionError(
            f"tokenizer={name!r} is not a JSON file, and it is not in the cache of transformers; "
            f"nothing is downloaded here. ({type(error).__name__}: {reason})",
            tokenizer=name,
        ) from error
    if not found.is_fast:
        raise OptionError(
            f"tokenizer={name!r} is not based on the library tokenizers: choose a fast tokenizer.",
            tokenizer=name,
        )
    own = Tokenizer.from_str(found.backend_tokenizer.to_str())
    template = found.chat_template if isinstance(found.chat_template, str) else None
    variables = {key: str(value) for key, value in found.special_tokens_map.items()}
    return Loaded(ChatTokenizer(own), template, variables)


class ChatTokenizer:
    """Converts text to tokens and back.

    Args:
        tokenizer: A tokenizer of the library ``tokenizers``, which this object changes.

    Attributes:
        size: Tokens are 0 to ``size - 1``.
        special: Special tokens, text to number.
        longest: Most characters that a token stands for.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        added = tokenizer.get_added_tokens_decoder()
        self.size: int = max(vocabulary.values(), default=0) + 1
        self.special: dict[str, int] = {
            token.content: number for number, token in sorted(added.items()) if token.special
        }
        # Some decoders put a space between tokens.
        self.longest: int = max(map(len, vocabulary), default=1) + 1
        self._numbers = frozenset(self.special.values())

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text that a person wrote, none of them a special token."""
        self._tokenizer.encode_special_tokens = True
        try:
            numbers: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        finally:
            self._tokenizer.encode_special_tokens = False
        return numbers

    def encode_template(self, text: str) -> list[int]:
        """Return the tokens of a template's text, whose special tokens are encoded as such."""
        numbers: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return numbers

    def encode_parts(self, parts: Sequence[Part]) -> list[int]:
        """Return the tokens of a text, in which only the template's special tokens are special.

        The text is encoded as a whole, as chat templates are meant to be used; where a message
        contains the text of a special token, each part is encoded by itself.
        """
        whole = self.encode_template("".join(part.text for part in parts))
        apart = [
            self.encode(part.text) if part.content else self.encode_template(part.text)
            for part in parts
        ]
        own = [number for numbers in apart for number in numbers]
        return whole if self._specials(whole) == self._specials(own) else own

    def _specials(self, numbers: list[int]) -> list[int]:
        return [number for number in numbers if number in self._numbers]

    def decode(self, numbers: Sequence[int], *, special: bool = False) -> str:
        """Return the text of tokens.

        Bytes that are not valid UTF-8, as of tokens drawn at random, become U+FFFD.

        Args:
            numbers: The tokens.
            special: Whether to include the special tokens.
        """
        text: str = self._tokenizer.decode(list(numbers), skip_special_tokens=not special)
        return text
