"""Questions with their contexts and answers, from JSON lines in either of two public forms.

OpenEnv's ``dipg_safety_env`` takes a system message, which is not read; a message of the user: the
context, a blank line, and the question, which is what stands behind the last blank line; and an
answer, which is JSON with ``final`` and ``proof``, or else a plain text. The package
``openenv-dipg-safety`` takes a message of the user with ``<context>`` and ``<question>``, which may
end in ``PROOF:`` and the proof, and an answer, which is a plain text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from openenv_gym.errors import OptionError

SYNTHETIC = Path(__file__).with_name("synthetic.jsonl")
"""The items that come along. They are invented, and no medical advice."""

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
        context: What the answer is to be taken from.
        question: What is asked.
        final: The answer.
        proof: The passage that proves it, or an empty text.
    """

    context: str
    question: str
    final: str
    proof: str = ""


def load(dataset: str | None) -> tuple[Item, ...]:
    """All items of a file.

    Args:
        dataset: Its path; None for :data:`SYNTHETIC`.

    Raises:
        OptionError: It cannot be read, has no item, or a line is wrong.
    """
    path = SYNTHETIC if dataset is None else Path(dataset)
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OptionError(
            f"dataset={dataset!r} cannot be read: {reason}. It is the path of a JSONL file where "
            "the environment runs, so in a container it must be one of the container's.",
            path=dataset,
        ) from error


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> tuple[Item, ...]:
    """Read once for all environments of a process, until the file changes."""
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
    """The item that a line stands for.

    Raises:
        ValueError: It stands for none.
    """
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg} at column {error.colno}") from error
    messages = entry.get("messages") if isinstance(entry, dict) else None
    if not isinstance(messages, list) or len(messages) not in (2, 3):
        raise ValueError("it has no list 'messages' of a question and an answer")
    texts = [message.get("content") if isinstance(message, dict) else None for message in messages]
    asked, answered = texts[-2:]
    if not isinstance(asked, str) or not isinstance(answered, str):
        raise ValueError("a message has no 'content' that is a text")
    if "<context>" in asked:
        found = _TAGGED.search(asked)
        if found is None:
            raise ValueError("it has no <context>...</context> and <question>...</question>")
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
    """The answer and its proof; what is no JSON object is an answer by itself."""
    try:
        told = json.loads(text)
    except ValueError:
        return text, ""
    if not isinstance(told, dict):  # such as 42, which is an answer too
        return text, ""
    final, proof = told.get("final"), told.get("proof") or ""
    if not isinstance(final, str) or not isinstance(proof, str):
        raise ValueError("its answer has no 'final' and 'proof' that are texts")
    return final, proof


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it has half a character: {error.reason}") from error
