"""What is taken of a page: texts and a picture, by BrowserGym's own functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import playwright.sync_api
from browsergym.core.observation import (
    MarkingError,
    _post_extract,
    _pre_extract,
    extract_dom_extra_properties,
    extract_dom_snapshot,
    extract_merged_axtree,
    extract_screenshot,
)
from browsergym.utils.obs import (
    IGNORED_AXTREE_ROLES,
    flatten_axtree_to_str,
    flatten_dom_to_str,
    prune_html,
)
from numpy.typing import NDArray
from playwright.sync_api import Page

_TRIES = 5
_PAUSE = 200  # ms
# How text is broken into lines, which says nothing but which fonts are installed. The Chromium that
# BrowserGym was made with does not tell it.
_IGNORED_ROLES = (*IGNORED_AXTREE_ROLES, "InlineTextBox")


@dataclass(frozen=True)
class Wanted:
    """What to take of a page.

    Attributes:
        axtree: Its accessibility tree.
        html: Its HTML.
        elements: Place and visibility of its elements.
        screen: Shape of its picture, (height, width, 3); None: no picture.
        scale: Pixels of the picture for a CSS pixel.
    """

    axtree: bool
    html: bool
    elements: bool
    screen: tuple[int, int, int] | None
    scale: float


@dataclass
class Seen:
    """What was taken of a page.

    Attributes:
        axtree: The accessibility tree as text.
        html: The pruned HTML.
        screenshot: (height, width, 3) uint8; (0, 0, 3) if none was wanted.
        elements: By bid: ``bbox``, ``visibility``, ``clickable``, ``set_of_marks``.
        focused: The bid of the focused element, where the tree was taken.
    """

    axtree: str = ""
    html: str = ""
    screenshot: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    elements: dict[str, Any] = field(default_factory=dict)
    focused: str = ""


def observe(page: Page, wanted: Wanted) -> Seen:
    """Takes what is wanted of a page.

    Raises:
        playwright.sync_api.Error: The page is gone, or changes all the time.
    """
    seen = _steady_texts(page, wanted)
    if wanted.screen is not None:
        seen.screenshot = picture(page, wanted.screen)
    return seen


def picture(page: Page, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A picture of the page, of that shape: (height, width, 3) uint8."""
    return _fitted(extract_screenshot(page), shape)


def _steady_texts(page: Page, wanted: Wanted) -> Seen:
    for _ in range(_TRIES - 1):
        try:
            return _texts(page, wanted, lenient=False)
        except (playwright.sync_api.Error, MarkingError):
            if page.is_closed():
                raise
        # A frame came or went in the middle.
        page.wait_for_timeout(_PAUSE)
    return _texts(page, wanted, lenient=True)


def _texts(page: Page, wanted: Wanted, lenient: bool) -> Seen:
    # Gives each element its bid, which actions need whatever is wanted.
    _pre_extract(page, lenient=lenient)
    try:
        seen = Seen()
        if wanted.html or wanted.elements:
            dom = extract_dom_snapshot(page)
            if wanted.html:
                seen.html = prune_html(flatten_dom_to_str(dom))
            if wanted.elements:
                seen.elements = extract_dom_extra_properties(dom, wanted.scale)
        if wanted.axtree:
            tree = extract_merged_axtree(page)
            seen.axtree = flatten_axtree_to_str(tree, ignored_roles=_IGNORED_ROLES)
            seen.focused = _focused(tree)
        return seen
    finally:
        if not page.is_closed():
            _post_extract(page)


def _focused(tree: dict[str, Any]) -> str:
    """The bid of the innermost element that has the focus."""
    bid = ""
    for node in tree["nodes"]:
        for item in node.get("properties", ()):
            if item["name"] == "focused" and item["value"].get("value"):
                bid = node.get("browsergym_id", bid)
    return bid


def _fitted(taken: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The picture in the shape of its Space: a window that a page opens may have another size."""
    if taken.shape == shape:
        return taken
    fitted = np.zeros(shape, np.uint8)
    height, width = min(taken.shape[0], shape[0]), min(taken.shape[1], shape[1])
    fitted[:height, :width] = taken[:height, :width]
    return fitted
