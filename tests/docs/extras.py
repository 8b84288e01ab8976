"""Check the words of a ``pip install``: each extra of ours that they name is in pyproject.toml."""

from __future__ import annotations

import re
import sys
import tomllib

from tests.docs.blocks import ROOT


def main(words: list[str]) -> int:
    """Return 0, or say what is not there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for word in words:
        found = re.fullmatch(r"([a-z-]+)\[([a-z0-9,]+)\]", word)
        if found is None or found[1] != project["name"]:
            sys.exit(f"{word} is not {project['name']}[...]")
        if absent := set(found[2].split(",")) - set(project["optional-dependencies"]):
            sys.exit(f"{word}: there is no extra {', '.join(sorted(absent))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
