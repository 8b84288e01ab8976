"""Word lists for TextArena's games, from the spelling dictionary that comes with it.

Upstream they are nltk's, which have to be downloaded. A dictionary tells of each word how it may
be inflected, and so what it is: a noun can have ``'s``; what is both that and a verb (``-s``,
``-ed``, ``-ing``) is mostly an everyday word.
"""

from __future__ import annotations

import functools
import importlib.resources

# Flags of en_US.dic; textarena/envs/utils/data/en.aff says what each adds.
_POSSESSIVE = frozenset("M")
_NOUN_AND_VERB = frozenset("MSDG")


@functools.cache
def _entries() -> tuple[tuple[str, frozenset[str]], ...]:
    """Words of the letters a to z with their flags, in the order of the file."""
    data = importlib.resources.files("textarena.envs.utils.data").joinpath("en_US.dic")
    flags: dict[str, frozenset[str]] = {}
    for line in data.read_text("utf-8").splitlines()[1:]:
        word, _, told = line.partition("/")
        if word.isascii() and word.isalpha() and word.islower():
            flags[word] = flags.get(word, frozenset()) | frozenset(told)
    return tuple(flags.items())


def listed(name: str) -> list[str]:
    """The word list of a name.

    Args:
        name: ``"en"``: all words, 44,601. ``"en-basic"``: everyday ones, 2,683.

    Raises:
        LookupError: There is no such list.
    """
    if name == "en":
        return [word for word, _ in _entries()]
    if name == "en-basic":
        return [word for word, flags in _entries() if flags >= _NOUN_AND_VERB]
    raise LookupError(f"There is no word list {name!r}, only 'en' and 'en-basic'.")


@functools.cache
def nouns() -> frozenset[str]:
    """All nouns, 22,983."""
    return frozenset(word for word, flags in _entries() if flags >= _POSSESSIVE)
