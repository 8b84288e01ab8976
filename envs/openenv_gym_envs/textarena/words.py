"""Word lists for TextArena's games, from the spelling dictionary that comes with it.

TextArena itself uses nltk's, which have to be downloaded. The dictionary says how each word may be
inflected, which shows its kind: a noun can have ``'s``; a word that is both a noun and a verb
(``-s``, ``-ed``, ``-ing``) is mostly an everyday word.
"""

from __future__ import annotations

import functools
import importlib.resources

# The flags of en_US.dic; textarena/envs/utils/data/en.aff says what each adds.
_POSSESSIVE = frozenset("M")
_NOUN_AND_VERB = frozenset("MSDG")


@functools.cache
def _entries() -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the words of the letters a to z with their flags, in the order of the file."""
    data = importlib.resources.files("textarena.envs.utils.data").joinpath("en_US.dic")
    flags: dict[str, frozenset[str]] = {}
    for line in data.read_text("utf-8").splitlines()[1:]:
        word, _, letters = line.partition("/")
        if word.isascii() and word.isalpha() and word.islower():
            flags[word] = flags.get(word, frozenset()) | frozenset(letters)
    return tuple(flags.items())


def listed(name: str) -> list[str]:
    """Return the word list of a name.

    Args:
        name: ``"en"``: all words, 44,601. ``"en-basic"``: everyday ones, 2,683.

    Raises:
        LookupError: The list does not exist.
    """
    if name == "en":
        return [word for word, _ in _entries()]
    if name == "en-basic":
        return [word for word, flags in _entries() if flags >= _NOUN_AND_VERB]
    raise LookupError(f"The word list {name!r} does not exist: choose 'en' or 'en-basic'.")


@functools.cache
def nouns() -> frozenset[str]:
    """Return all 22,983 nouns."""
    return frozenset(word for word, flags in _entries() if flags >= _POSSESSIVE)
