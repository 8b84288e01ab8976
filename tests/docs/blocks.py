"""The code blocks of a page of Markdown, and a process that runs them in their order.

Python blocks share one namespace, which has ``gym``, ``np`` and ``openenv_gym``; shell blocks run
by ``bash`` in the same new folder, where ``examples`` and a copy of ``deploy`` can be found. A
block with ``title="FILE"`` is written to that file instead. A comment on the line before a block
changes what is done with it::

    <!-- not run: REASON -->
    <!-- needs: docker, hub -->   only where that is here; fixtures.py has what tests can start
    <!-- checked: pip -->         likewise; a program is replaced by one that checks its words
    <!-- background -->           a server, which runs while the rest of the page does

A block that is a whole file of ``examples``, by ``--8<--``, is run with that file by
``tests/docs/test_examples.py``. In each block the port 8000 is replaced by one that is free.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = {"python", "sh", "text", "yaml", "toml", "json", "dockerfile"}
FENCE = re.compile(r"^( *)```(.*)$")
COMMENT = re.compile(r"^ *<!-- (not run|needs|checked|background)(?:: (.+))? -->$")
SNIPPET = re.compile(r'^--8<-- "(.+)"\n$')
TITLE = re.compile(r'title="([^"]+)"')
START_LIMIT = 120.0
PRELUDE = "import gymnasium as gym\nimport numpy as np\nimport openenv_gym\n"
PYTHONS = {"openenv": ROOT / ".build" / "openenv-venv" / "bin" / "python"}
"""Interpreters of blocks that need packages which are not beside ours."""


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        line: Number of its first line in the page.
        language: First word behind the fence.
        title: Name of the file that it is; empty if it is run.
        mark: What the comment before it says: "not run", "needs", "checked", "background" or "".
        detail: What the comment says behind that.
        text: Its lines.
    """

    line: int
    language: str
    title: str
    mark: str
    detail: str
    text: str

    @property
    def snippet(self) -> str:
        """The file of the repository that the block is; empty if it has text of its own."""
        found = SNIPPET.match(self.text)
        return found[1] if found else ""

    @property
    def needed(self) -> list[str]:
        """What it needs, by its names."""
        return [] if self.mark == "not run" else re.findall(r"\w+", self.detail)

    @property
    def run(self) -> bool:
        """The block is run, or written to a file."""
        if self.mark == "not run" or self.snippet:
            return False
        return self.language in ("python", "sh") or bool(self.title)


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = page.read_text("utf-8").splitlines()
    number, before = 0, ""
    while number < len(lines):
        opened = FENCE.match(lines[number])
        if not opened:
            before = lines[number] if lines[number].strip() else before
            number += 1
            continue
        indent, words = opened.groups()
        end = next(n for n in range(number + 1, len(lines)) if lines[n] == f"{indent}```")
        text = "".join(f"{line.removeprefix(indent)}\n" for line in lines[number + 1 : end])
        title = TITLE.search(words)
        comment = COMMENT.match(before)
        mark, detail = comment.groups(default="") if comment else ("", "")
        language = words.split()[0] if words.split() else ""
        yield Block(number + 2, language, title[1] if title else "", mark, detail, text)
        number, before = end + 1, ""


class Page:
    """Runs the blocks of a page, in this process and its children.

    Args:
        path: The page.
        absent: What is not here of what blocks may need; these are left out.
    """

    def __init__(self, path: Path, absent: set[str]) -> None:
        self._path = path
        self._absent = absent
        self._names: dict[str, Any] = {"__name__": "__page__"}
        self._servers: list[subprocess.Popen[bytes]] = []
        self._fixtures = ExitStack()
        self._replaced: dict[str, dict[str, str]] = {}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]

    def run(self) -> None:
        """Run all blocks; what was started ends with them."""
        exec(PRELUDE, self._names)
        with self._fixtures:
            try:
                self._run_blocks()
            finally:
                for server in self._servers:
                    with suppress(ProcessLookupError):
                        os.killpg(server.pid, signal.SIGTERM)
                    server.wait(30)

    def _run_blocks(self) -> None:
        for block in blocks_of(self._path):
            if not block.run or self._absent & set(block.needed):
                continue
            print(f"{self._path.name}:{block.line}", flush=True)
            text = block.text
            for name in block.needed:
                for old, new in self._provide(name).items():
                    text = text.replace(old, new)
            # Not the second of 8000:8000, which is a container's.
            self._run(block, re.sub(r"\b(?<!8000:)8000\b", str(self._port), text))

    def _provide(self, name: str) -> dict[str, str]:
        """Have what a block needs; return what is replaced in the block."""
        from tests.docs.fixtures import FIXTURES  # imports much

        if name not in self._replaced:
            made = FIXTURES.get(name)
            self._replaced[name] = self._fixtures.enter_context(made()) if made else {}
        return self._replaced[name]

    def _run(self, block: Block, text: str) -> None:
        place = f"{self._path}:{block.line}"
        if block.title:
            file = Path(block.title)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        elif block.language == "python" and (own := PYTHONS.keys() & block.needed):
            # With our sources of this checkout, but none of this interpreter's packages.
            python = PYTHONS[own.pop()]
            subprocess.run([python, "-c", PRELUDE + text], check=True, timeout=270)
        elif block.language == "python":
            exec(compile(text, place, "exec"), self._names)
        elif block.mark == "background":
            self._start(text)
        else:
            subprocess.run(["bash", "-euo", "pipefail", "-c", text], check=True, timeout=270)

    def _start(self, text: str) -> None:
        """Start a server, and wait until it accepts connections."""
        words = shlex.split(text, comments=True)
        if "serve" in words and "--pipe" not in words and "--port" not in words:
            text = f"{text.rstrip()} --port {self._port}\n"
        server = subprocess.Popen(["bash", "-euc", text], start_new_session=True)
        self._servers.append(server)
        deadline = time.monotonic() + START_LIMIT
        while not self._accepts(words):
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server is not ready"
            time.sleep(0.05)

    def _accepts(self, words: list[str]) -> bool:
        if "--pipe" in words:
            return Path(words[words.index("--pipe") + 1], "key").exists()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port), 5).close()
            return True
        return False


def main(words: list[str]) -> int:
    """Run a page in a folder; further words are what is not here."""
    page, folder, *absent = words
    Path(folder, "examples").symlink_to(ROOT / "examples")
    shutil.copytree(ROOT / "deploy", Path(folder, "deploy"))
    os.chdir(folder)
    sys.path.insert(0, folder)
    try:
        Page(Path(page), set(absent)).run()
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    # The test ends a page that takes too long by this signal; servers end with the page.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
