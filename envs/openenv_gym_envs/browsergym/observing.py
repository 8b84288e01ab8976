"""The observation of a page: texts and a picture, by BrowserGym's own functions."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL.Image
import playwright.sync_api
from browsergym.core.observation import (
    MarkingError,
    _post_extract,
    _pre_extract,
    extract_dom_extra_properties,
    extract_dom_snapshot,
    extract_merged_axtree,
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
# The boxes of lines of text, which depend on the installed fonts. The Chromium that BrowserGym was
# made with does not report them.
_IGNORED_ROLES = (*IGNORED_AXTREE_ROLES, "InlineTextBox")


@dataclass(frozen=True)
class Wanted:
    """The parts of a page to observe.

    Attributes:
        axtree: Whether to observe the accessibility tree.
        html: Whether to observe the HTML.
        elements: Whether to observe the position and visibility of elements.
        screen: Shape of the picture, (height, width, 3); None for no picture.
        scale: Pixels of the picture for a CSS pixel.
    """

    axtree: bool
    html: bool
    elements: bool
    screen: tuple[int, int, int] | None
    scale: float


@dataclass
class Seen:
    """The observed parts of a page.

    Attributes:
        axtree: The accessibility tree as text.
        html: The pruned HTML.
        screenshot: (height, width, 3) uint8; (0, 0, 3) if none was wanted.
        elements: By bid: ``bbox``, ``visibility``, ``clickable``, ``set_of_marks``.
        focused: The bid of the focused element, where the tree was observed.
    """

    axtree: str = ""
    html: str = ""
    screenshot: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    elements: dict[str, Any] = field(default_factory=dict)
    focused: str = ""


def observe(page: Page, wanted: Wanted) -> Seen:
    """Observe the wanted parts of a page.

    Raises:
        playwright.sync_api.Error: The page is gone, or changes all the time.
    """
    seen = _steady_texts(page, wanted)
    if wanted.screen is not None:
        seen.screenshot = picture(page, wanted.screen, wanted.scale)
    return seen


def picture(page: Page, shape: tuple[int, int, int], scale: float) -> NDArray[np.uint8]:
    """Return a picture of the page, with the same pixels as BrowserGym's.

    BrowserGym scales the page itself for a moment, which may make the page forget where the mouse
    is. This function scales only the picture.

    Args:
        page: The page.
        shape: Shape of the picture: (height, width, 3).
        scale: Pixels of the picture for a CSS pixel.
    """
    height, width, _ = shape
    area = {"x": 0, "y": 0, "width": width / scale, "height": height / scale, "scale": scale}
    session = page.context.new_cdp_session(page)
    reply = session.send("Page.captureScreenshot", {"clip": area, "optimizeForSpeed": True})
    session.detach()
    with PIL.Image.open(io.BytesIO(base64.b64decode(reply["data"]))) as taken:
        pixels: NDArray[np.uint8] = np.array(taken.convert("RGB"))
    if pixels.shape == shape:
        return pixels
    # Chromium may round half a pixel up or down.
    fitted = np.zeros(shape, np.uint8)
    part = np.minimum(pixels.shape, shape)
    fitted[: part[0], : part[1]] = pixels[: part[0], : part[1]]
    return fitted


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
    # This gives each element its bid, which actions need whatever is observed.
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
    """Return the bid of the innermost element that has the focus."""
    bid = ""
    for node in tree["nodes"]:
        for item in node.get("properties", ()):
            if item["name"] == "focused" and item["value"].get("value"):
                bid = node.get("browsergym_id", bid)
    return bid
