"""A training script: what it needs, and the lines of its own that no longer run."""

from __future__ import annotations

import linecache
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_SHAPE = r"[\w.\[\]]*observation_space\.shape\b"
_DENSE = re.compile(rf"np\.array\({_SHAPE}\)\.prod\(\)|(?:np|math)\.prod\({_SHAPE}\)")

_ADAPTED = {
    # rainbow_atari.py stores an array of one number in a scalar, which numpy 2.4 refuses.
    "self.buffer_actions[idx] = action": "self.buffer_actions[idx : idx + 1] = action",
    "self.buffer_rewards[idx] = reward": "self.buffer_rewards[idx : idx + 1] = reward",
}
"""Lines of CleanRL's scripts that fail with today's numpy, and lines that do the same."""


class Script:
    """A script, read.

    Args:
        path: Its file.

    Attributes:
        path: Its file.
        source: Its text, with the lines that no longer run replaced.
        adapted: Numbers of these lines, from 1.
        dense: It builds dense networks as wide as the product of the observation's shape, and no
            convolutions.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        self.adapted: list[int] = []
        for number, line in enumerate(lines):
            statement = line.strip()
            if statement in _ADAPTED:
                lines[number] = line.replace(statement, _ADAPTED[statement])
                self.adapted.append(number + 1)
        self.source = "".join(lines)
        self.dense = _DENSE.search(self.source) is not None and "Conv2d" not in self.source

    @property
    def folders(self) -> list[str]:
        """Folders where it looks for modules: its own, as under ``python script``.

        In CleanRL's repository ``cleanrl_utils`` is beside that folder.
        """
        own = self.path.resolve().parent
        beside = own.parent
        return [str(own), *([str(beside)] if (beside / "cleanrl_utils").is_dir() else [])]

    def run(self) -> dict[str, Any]:
        """Run it as the main module; return its global names."""
        name = str(self.path)
        module = ModuleType("__main__")
        vars(module).update(__file__=name, __builtins__=__builtins__)
        if self.adapted:  # tracebacks show what ran
            lines = self.source.splitlines(keepends=True)
            linecache.cache[name] = (len(self.source), None, lines, name)
        code = compile(self.source, name, "exec", dont_inherit=True)
        before, sys.modules["__main__"] = sys.modules["__main__"], module
        try:
            exec(code, vars(module))
        finally:
            sys.modules["__main__"] = before
        return dict(vars(module))
