"""Pages in a real browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page


def serious_findings(page: Page) -> list[Any]:
    axe = os.environ.get("OPENENV_GYM_AXE")
    if axe is None:
        found = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
        axe = str(next(Path(found.__path__[0]).rglob("axe.min.js")))
    page.evaluate(Path(axe).read_text("utf-8"))
    report = page.evaluate("axe.run()")
    assert len(report["passes"]) > 10  # it has looked
    return [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in report["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def overflow(page: Page) -> int:
    """Pixels by which a page is wider than its window."""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    found = page.evaluate(wide)
    assert isinstance(found, int)
    return found
