"""BrowserGym's action language: texts such as ``click('13')``, carried out on a page.

BrowserGym makes a program of an action: the source of all its functions, then the calls. The
functions are defined here once for an episode, and an action runs the calls alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import CodeType
from typing import Any, Literal
from urllib.parse import urlsplit

from browsergym.core.action.highlevel import HighLevelActionSet
from playwright.sync_api import Page

Subset = Literal["chat", "infeas", "bid", "coord", "nav", "tab"]
"""Groups of actions: see README.md."""

SUBSETS: tuple[Subset, ...] = ("chat", "infeas", "bid", "coord", "nav", "tab")

# These read files of the host that the browser runs on.
_REFUSED = ("upload_file", "mouse_upload_file")
_BROWSERGYMS_TIMEOUT = "timeout=500"
# Playwright's account of how it waited, which depends on the speed of the machine.
_WAITING = re.compile(r"attempt #\d+|waiting \d+ms|\x1b\[\d+m")


class Language:
    """The actions that an environment allows; made by :func:`language`.

    Args:
        subsets: Groups of actions.
        timeout: Milliseconds that an action waits for its element.
    """

    def __init__(self, subsets: tuple[Subset, ...], timeout: int) -> None:
        self._actions = HighLevelActionSet(subsets=list(subsets))
        for name in _REFUSED:
            self._actions.action_set.pop(name, None)
        self._source = self._actions.python_includes
        source = self._source.replace(_BROWSERGYMS_TIMEOUT, f"timeout={timeout}")
        self._definitions = compile(source, "<browsergym actions>", "exec")

    def calls(self, action: str) -> CodeType:
        """The calls that an action stands for.

        Raises:
            ValueError: There is none in it.
            NameError: One is of no action that is allowed.
        """
        program = self._actions.to_python_code(action)
        return compile(program.removeprefix(self._source), "<action>", "exec")

    def define(
        self, page: Page, say: Callable[[str], None], give_up: Callable[[str], None]
    ) -> dict[str, Any]:
        """A namespace in which calls can be run.

        Args:
            page: The active page; under ``"page"`` stands the one that is active after a call.
            say: Called with what the agent says to the user.
            give_up: Called with the reason why the agent holds the task to be infeasible.
        """
        namespace: dict[str, Any] = {
            "page": page,
            "send_message_to_user": say,
            "report_infeasible_instructions": give_up,
            "DEMO_MODE": False,
        }
        exec(self._definitions, namespace)
        if "goto" in namespace:
            namespace["goto"] = _to_sites(namespace["goto"])
        return namespace


def _to_sites(goto: Callable[[str], None]) -> Callable[[str], None]:
    """BrowserGym's ``goto`` without the addresses that show files of the browser's host."""

    def checked(url: str) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"goto opens addresses that begin with http or https, not {url!r}")
        goto(url)

    return checked


@cache
def language(subsets: tuple[Subset, ...], timeout: int) -> Language:
    """The language of these subsets: see :class:`Language`."""
    return Language(subsets, timeout)


def told(error: Exception) -> str:
    """What is told of an action that failed: the same on every machine.

    Playwright's account of its attempts is kept, each line once.
    """
    lines = (line for line in str(error).splitlines() if line.strip())
    kept = dict.fromkeys(line for line in lines if not _WAITING.search(line))
    return f"{type(error).__name__}: " + "\n".join(kept)
