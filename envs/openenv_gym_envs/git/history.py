"""Histories: a repository with its commits, written down as the stream that git imports.

One process of git makes a repository of it, and the same stream makes the same hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

Person = tuple[str, str]
"""Name and address."""

ALICE: Person = ("Alice Archer", "alice@example.com")
BOB: Person = ("Bob Baker", "bob@example.com")

BEGIN = 1_735_689_600
"""When histories begin: 2025-01-01 00:00 UTC, in seconds since 1970."""

_HOUR = 3600

Files = Mapping[str, str]


class History:
    """A history in the making. Each commit is known by its mark.

    Attributes:
        tips: The mark of the last commit of each branch.
    """

    def __init__(self) -> None:
        self.tips: dict[str, int] = {}
        self._stream: list[str] = []
        self._files: dict[int, dict[str, str]] = {}

    def commit(
        self,
        message: str,
        changes: Mapping[str, str | None],
        branch: str = "main",
        author: Person = ALICE,
        parents: Sequence[int] | None = None,
    ) -> int:
        """Add a commit to a branch.

        Args:
            message: Its message.
            changes: New contents by path; None deletes.
            branch: The branch.
            author: Who made it.
            parents: Marks; None: the tip of the branch, if it has one.

        Returns:
            Its mark.
        """
        if parents is None:
            parents = [self.tips[branch]] if branch in self.tips else []
        mark = len(self._files) + 1
        files = dict(self._files[parents[0]]) if parents else {}
        at = f"{author[0]} <{author[1]}> {BEGIN + mark * _HOUR} +0000"
        lines = [f"commit refs/heads/{branch}", f"mark :{mark}", f"author {at}"]
        lines += [f"committer {at}", _data(message + "\n")]
        lines += [f"{'merge' if number else 'from'} :{one}" for number, one in enumerate(parents)]
        for path, content in changes.items():
            if content is None:
                del files[path]
                lines.append(f"D {path}")
            else:
                files[path] = content
                lines += [f"M 100644 inline {path}", _data(content)]
        self._stream += [*lines, ""]
        self._files[mark] = files
        self.tips[branch] = mark
        return mark

    def branch(self, name: str, mark: int) -> None:
        """Begin a branch at a commit."""
        self._stream += [f"reset refs/heads/{name}", f"from :{mark}", ""]
        self.tips[name] = mark

    def files(self, mark: int) -> Files:
        """What is in the tree of a commit."""
        return dict(self._files[mark])

    def stream(self) -> str:
        """All of it, for ``git fast-import``."""
        return "\n".join([*self._stream, "done", ""])


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"


def blob(content: str) -> str:
    """What git calls a file of this content."""
    data = content.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
