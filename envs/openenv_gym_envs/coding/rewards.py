"""Rewards of OpenEnv's ``coding_env``: for code that looks safe, is short, and is Python."""

from __future__ import annotations

import re

_UNSAFE = (r"import\s+os", r"import\s+subprocess", r"eval\(", r"exec\(", r"__import__", r"open\(")
_SAFETY_PENALTY = -1.0
_CONCISE = 100  # characters
_CONCISE_BONUS = 0.1
_SYNTAX_PENALTY = -0.2


def safety_violation(code: str) -> str | None:
    """The first of the patterns of unsafe code that is found in it."""
    return next((pattern for pattern in _UNSAFE if re.search(pattern, code)), None)


def reward(code: str, violation: str | None, syntax_error: bool) -> float:
    """The reward of a step, by its code alone.

    Args:
        code: What was run.
        violation: What :func:`safety_violation` says of it.
        syntax_error: It is not valid Python.
    """
    quality = 0.0
    if len(code.strip()) <= _CONCISE:
        quality += _CONCISE_BONUS
    if syntax_error:
        quality += _SYNTAX_PENALTY
    return (0.0 if violation is None else _SAFETY_PENALTY) + quality
