"""Tokenizers: from a file, from transformers' cache, or the default one."""

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
    """A tokenizer, and what comes with it.

    Attributes:
        tokenizer: The tokenizer.
        chat_template: Its chat template, if it tells one.
        variables: What that is given, such as ``bos_token``.
    """

    tokenizer: ChatTokenizer
    chat_template: str | None
    variables: dict[str, str]


def load(name: str | None = None) -> Loaded:
    """A tokenizer by its name.

    Args:
        name: Path of a JSON file of the library ``tokenizers``; or the name of a tokenizer of
            ``transformers``, which must be in its cache: nothing is downloaded. None: the default
            one, a byte-level BPE that loses nothing.

    Raises:
        OptionError: There is none.
        MissingDependencyError: It is none of a file, and there is no ``transformers``.
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
            f"tokenizer={name!r} cannot be read: {error.strerror}. It is a path where the "
            "environment runs; a container has only what its image has.",
            tokenizer=name,
        ) from error
    except Exception as error:  # the library raises no class of its own
        raise OptionError(
            f"tokenizer={name!r} is no JSON file of the library tokenizers: {error}",
            tokenizer=name,
        ) from error


def _from_transformers(name: str) -> Loaded:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingDependencyError(
            f"tokenizer={name!r} is no JSON file, and to look it up among those of transformers "
            "takes that package: pip install transformers.",
            package="transformers",
        ) from error
    try:
        found: Any = AutoTokenizer.from_pretrained(name, local_files_only=True)
    except Exception as error:  # of many classes, by what is missing
        reason = (str(error).splitlines() or [""])[0]
        raise OptionError(
            f"tokenizer={name!r} is no JSON file, and transformers has none of the name in its "
            f"cache; nothing is downloaded here. ({type(error).__name__}: {reason})",
            tokenizer=name,
        ) from error
    if not found.is_fast:
        raise OptionError(
            f"tokenizer={name!r} is none of those that the library tokenizers has.", tokenizer=name
        )
    own = Tokenizer.from_str(found.backend_tokenizer.to_str())
    template = found.chat_template if isinstance(found.chat_template, str) else None
    variables = {key: str(value) for key, value in found.special_tokens_map.items()}
    return Loaded(ChatTokenizer(own), template, variables)


class ChatTokenizer:
    """Text to tokens and back.

    Args:
        tokenizer: Of the library ``tokenizers``; it is this object's own.

    Attributes:
        size: Tokens are 0 to ``size - 1``.
        special: Special tokens, text to number.
        longest: The most characters that a token stands for.
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
        """Tokens of a text that somebody wrote: none of them is a special one."""
        self._tokenizer.encode_special_tokens = True
        try:
            numbers: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        finally:
            self._tokenizer.encode_special_tokens = False
        return numbers

    def encode_template(self, text: str) -> list[int]:
        """Tokens of a text that a template wrote: the special ones in it are that."""
        numbers: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return numbers

    def encode_parts(self, parts: Sequence[Part]) -> list[int]:
        """Tokens of a text in which the special ones of the template are that, and no others.

        They are those of the whole text, as every chat template is used; where somebody wrote what
        would be taken for a special token, each part is taken by itself.
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
        """The text of tokens.

        Bytes that are no UTF-8, as tokens drawn at random are, become U+FFFD.

        Args:
            numbers: The tokens.
            special: With the special ones among them.
        """
        text: str = self._tokenizer.decode(list(numbers), skip_special_tokens=not special)
        return text
