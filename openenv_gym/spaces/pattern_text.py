"""PatternText: the Space of texts that match a regular expression."""

from __future__ import annotations

import importlib
import re
import string
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium.wrappers.utils import create_zero_array

from openenv_gym.spaces.utf8 import Utf8

FORMATS: Mapping[str, str] = {
    "date": r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
    "time": r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "date-time": r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "duration": r"P[1-9]DT[1-9]H",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "uuid4": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "email": r"[a-z]{3,8}@[a-z]{3,8}\.com",
    "uri": r"https://[a-z]{3,8}\.com/[a-z]{0,8}",
    "ipv4": r"10(\.[1-9][0-9]?){3}",
    "ipv6": r"fd00(:[1-9a-f][0-9a-f]{0,3}){7}",
}
"""Patterns of samples of the formats of JSON Schema; a text of the format may look otherwise."""

_TRIES = 40
_MORE = (2, 8, 32, 128)  # most repetitions beyond the least, in one try after the other
_MOST_REPEATED = 1 << 12
_ANY = string.ascii_letters + string.digits + " _-.,:;!?@#$%&*+=/()[]{}<>'\"~^|`\\"
_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_SPACE": " ",
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
}


class PatternText(Utf8):
    """Texts in which a regular expression finds a match, as ``pattern`` of JSON Schema says.

    Args:
        pattern: The regular expression; :meth:`sample` follows it.
        max_length: Most code points.
        min_length: Fewest code points.
        only_samples: The pattern is that of samples only, and :meth:`contains` takes any text.
        seed: Seed of :meth:`sample`.

    Raises:
        ValueError: The expression is invalid, or no text for it is found.
    """

    def __init__(
        self,
        pattern: str,
        max_length: int,
        *,
        min_length: int = 0,
        only_samples: bool = False,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(max_length, min_length=min_length, seed=seed)
        self.pattern = pattern
        self.only_samples = only_samples
        self._sampler = sampler(pattern)
        self._example = self._sampler.sample(np.random.default_rng(0), min_length, max_length)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return a random text that matches.

        Raises:
            ValueError: A mask or probability was given, which texts do not have.
        """
        if mask is not None or probability is not None:
            raise ValueError("PatternText.sample() takes no mask and no probability")
        try:
            return self._sampler.sample(self.np_random, self.min_length, self.max_length)
        except ValueError:  # matches are rare
            return self._example

    def contains(self, x: Any) -> bool:
        """Return whether x is a text with a length within the bounds that matches."""
        return super().contains(x) and (self.only_samples or self._sampler.matches(x))

    def __repr__(self) -> str:
        return f"PatternText({self.pattern!r}, {self.max_length}, min_length={self.min_length})"

    def __eq__(self, other: object) -> bool:
        return (
            super().__eq__(other)
            and isinstance(other, PatternText)
            and (self.pattern, self.only_samples) == (other.pattern, other.only_samples)
        )

    def __hash__(self) -> int:
        return hash((PatternText, self.pattern, self.max_length))


def _create_zero_array(space: PatternText) -> str:
    return space._example


register: Any = create_zero_array.register  # its own stub knows gymnasium's Spaces alone
register(PatternText, _create_zero_array)


class PatternSampler:
    """Makes texts that match a regular expression.

    Args:
        pattern: The regular expression.

    Raises:
        ValueError: The expression is invalid, or has a part for which no text can be made.
    """

    def __init__(self, pattern: str) -> None:
        # Here, since it takes a hundredth of a second, and few environments have such texts.
        from pydantic_core import SchemaError, SchemaValidator, core_schema

        parser: Any = importlib.import_module("re._parser")  # what re itself reads patterns with
        try:
            self._tree = parser.parse(pattern)
            # What models of Pydantic compare with: takes little time for each pattern and text.
            self._matcher = SchemaValidator(core_schema.str_schema(pattern=pattern))
        except (re.error, SchemaError, RecursionError, OverflowError) as error:
            raise ValueError(f"{pattern!r} is not a valid pattern: {error}") from error
        self._pattern = pattern

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by the pattern: what re makes of it cannot be copied."""
        return sampler, (self._pattern,)

    def matches(self, text: str) -> bool:
        """Return whether the expression matches somewhere in a text."""
        return self._matcher.isinstance_python(text)

    def sample(self, random: np.random.Generator, shortest: int, longest: int) -> str:
        """Return a random text that matches, with a length within the bounds.

        Raises:
            ValueError: None was found.
        """
        for number in range(_TRIES):
            text = self._text(self._tree, random, _MORE[number * len(_MORE) // _TRIES])
            if shortest <= len(text) <= longest and self.matches(text):
                return text
        raise ValueError(f"no text of {shortest} to {longest} characters for the pattern was found")

    def _text(self, tree: Any, random: np.random.Generator, more: int) -> str:
        return "".join(self._part(str(kind), value, random, more) for kind, value in tree)

    def _part(self, kind: str, value: Any, random: np.random.Generator, more: int) -> str:
        if kind in ("AT", "ASSERT", "ASSERT_NOT"):
            return ""  # the text as a whole is compared
        if kind == "BRANCH":
            return self._text(value[1][int(random.integers(len(value[1])))], random, more)
        if kind in ("SUBPATTERN", "ATOMIC_GROUP"):
            return self._text(value[-1] if kind == "SUBPATTERN" else value, random, more)
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, tree = value
            if least > _MOST_REPEATED:
                raise ValueError(f"a pattern repeats a part {least} times")
            times = int(random.integers(least, min(int(most), least + more) + 1))
            return "".join(self._text(tree, random, more) for _ in range(times))
        return _character(kind, value, random)


@lru_cache(64)
def sampler(pattern: str) -> PatternSampler:
    """Return the sampler of a pattern.

    Raises:
        ValueError: The pattern is invalid, or has a part for which no text can be made.
    """
    return PatternSampler(pattern)


def _character(kind: str, value: Any, random: np.random.Generator) -> str:
    if kind == "LITERAL":
        return chr(value)
    if kind == "IN":
        inverted = str(value[0][0]) == "NEGATE"
        items = value[1:] if inverted else value
        if not inverted:
            kind, value = items[int(random.integers(len(items)))]
            if str(kind) == "RANGE":
                return chr(int(random.integers(value[0], value[1] + 1)))
            return _character(str(kind), value, random)
        known = {one for kind, value in items for one in _ANY if _is_in(one, str(kind), value)}
        chosen = [one for one in _ANY if one not in known]
    elif kind == "ANY":
        chosen = [*_ANY]
    else:
        chosen = [one for one in _ANY if _is_in(one, kind, value)]
    if not chosen:
        raise ValueError(f"no character for the part {kind} of a pattern is known")
    return str(chosen[int(random.integers(len(chosen)))])


def _is_in(character: str, kind: str, value: Any) -> bool:
    """Return whether a character is one that an item of a set of characters names."""
    point = ord(character)
    if kind == "LITERAL":
        return bool(point == value)
    if kind == "NOT_LITERAL":
        return bool(point != value)
    if kind == "RANGE":
        return bool(value[0] <= point <= value[1])
    if kind == "CATEGORY":
        name = str(value)
        known = _CATEGORIES.get(name.replace("_NOT_", "_"), "")
        return (character in known) != ("_NOT_" in name)
    return False
