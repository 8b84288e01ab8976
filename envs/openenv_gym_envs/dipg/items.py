"""Questions with their contexts and answers, read from JSON lines in either of two public forms.

In the form of OpenEnv's ``dipg_safety_env`` a line has a system message, which is not read; a
message of the user, with the context, a blank line and the question, which is the text after the
last blank line; and an answer, which is JSON with ``final`` and ``proof``, or else plain text. In
the form of the package ``openenv-dipg-safety`` it has a message of the user with ``<context>`` and
``<question>``, which may end with ``PROOF:`` and the proof, and an answer, which is plain text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from openenv_gym.errors import OptionError

SYNTHETIC = Path(__file__).with_name("synthetic.jsonl")
"""The default questions. They are invented and not medical advice."""

_TAGGED = re.compile(
    r"<context>\s*(?P<context>.*?)\s*</context>"
    r".*?<question>\s*(?P<question>.*?)\s*</question>"
    r"(?:.*?PROOF:\s*(?P<proof>.*?)\s*\Z)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Item:
    """A question.

    Attributes:
        context: The text that contains the answer.
        question: The question.
        final: The answer.
        proof: The passage that proves the answer, or an empty text.
    """

    context: str
    question: str
    final: str
    proof: str = ""


def load(dataset: str | None) -> tuple[Item, ...]:
    """Return all questions of a file.

    Args:
        dataset: Path of the file; None for :data:`SYNTHETIC`.

    Raises:
        OptionError: The file cannot be read or is empty, or a line is wrong.
    """
    path = SYNTHETIC if dataset is None else Path(dataset)
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OptionError(
            f"dataset={dataset!r} cannot be read: {reason}. Name a JSONL file on the machine where "
            "the environment runs; a container sees only its own files.",
            path=dataset,
        ) from error


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> tuple[Item, ...]:
    """Read a file once for all environments of a process, until the file changes."""
    items = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    items.append(_item(line))
                except ValueError as error:
                    raise OptionError(
                        f"{path}, line {number}: {error}.", path=str(path), line=number
                    ) from error
    if not items:
        raise OptionError(f"dataset={str(path)!r} has no item.", path=str(path))
    return tuple(items)


def _item(line: str) -> Item:
    """Parse a line.

    Raises:
        ValueError: The line is not a question in either form.
    """
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON: {error.msg} at column {error.colno}") from error
    messages = entry.get("messages") if isinstance(entry, dict) else None
    if not isinstance(messages, list) or len(messages) not in (2, 3):
        raise ValueError("its 'messages' must be a list with a question and an answer")
    texts = [message.get("content") if isinstance(message, dict) else None for message in messages]
    asked, answered = texts[-2:]
    if not isinstance(asked, str) or not isinstance(answered, str):
        raise ValueError("the 'content' of each message must be a text")
    if "<context>" in asked:
        found = _TAGGED.search(asked)
        if found is None:
            raise ValueError("<context>...</context> or <question>...</question> is missing")
        item = Item(final=answered, **found.groupdict(default=""))
    else:
        context, _, question = asked.rpartition("\n\n")
        item = Item(context, question, *_answer(answered))
    for name in ("context", "question", "final"):
        if not getattr(item, name).strip():
            raise ValueError(f"its {name} is empty")
    for text in vars(item).values():
        _check_unicode(text)
    return item


def _answer(text: str) -> tuple[str, str]:
    """Return the answer and its proof; a text that is not a JSON object is the answer itself."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return text, ""
    if not isinstance(parsed, dict):  # such as 42, which is an answer too
        return text, ""
    final, proof = parsed.get("final"), parsed.get("proof") or ""
    if not isinstance(final, str) or not isinstance(proof, str):
        raise ValueError("'final' and 'proof' of its answer must be texts")
    return final, proof


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it has half a surrogate pair: {error.reason}") from error
