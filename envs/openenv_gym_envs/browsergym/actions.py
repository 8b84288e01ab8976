"""BrowserGym's action language: texts such as ``click('13')``, which act on a page.

BrowserGym turns each action into a program: the source of all its functions, then the calls. This
module defines the functions once for an episode, and an action runs only the calls.
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

# These addresses show files of the machine that the browser runs on.
_REFUSED = ("upload_file", "mouse_upload_file")
_BROWSERGYMS_TIMEOUT = "timeout=500"
# Playwright's log of its waiting, which depends on the speed of the machine.
_WAITING = re.compile(r"attempt #\d+|waiting \d+ms|\x1b\[\d+m")


class Language:
    """The actions that an environment allows; :func:`language` makes it.

    Args:
        subsets: Groups of actions.
        timeout: Milliseconds for which an action waits for its element.
    """

    def __init__(self, subsets: tuple[Subset, ...], timeout: int) -> None:
        self._actions = HighLevelActionSet(subsets=list(subsets))
        for name in _REFUSED:
            self._actions.action_set.pop(name, None)
        self._source = self._actions.python_includes
        source = self._source.replace(_BROWSERGYMS_TIMEOUT, f"timeout={timeout}")
        self._definitions = compile(source, "<browsergym actions>", "exec")

    def calls(self, action: str) -> CodeType:
        """Compile the calls of an action.

        Raises:
            ValueError: The action has no call.
            NameError: A call is not an allowed action.
        """
        program = self._actions.to_python_code(action)
        return compile(program.removeprefix(self._source), "<action>", "exec")

    def define(
        self, page: Page, say: Callable[[str], None], give_up: Callable[[str], None]
    ) -> dict[str, Any]:
        """Make a namespace for calls to run in.

        Args:
            page: The active page; a call may put another active page under ``"page"``.
            say: Function that takes the agent's message to the user.
            give_up: Function that takes the agent's reason for calling the task infeasible.
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
    """Wrap BrowserGym's ``goto`` so that it refuses addresses that show files of the machine."""

    def checked(url: str) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"goto opens only addresses with http or https, not {url!r}")
        goto(url)

    return checked


@cache
def language(subsets: tuple[Subset, ...], timeout: int) -> Language:
    """Return the language of these subsets; see :class:`Language`."""
    return Language(subsets, timeout)


def describe_failure(error: Exception) -> str:
    """Describe why an action failed, in the same words on every machine.

    Each line of Playwright's log of its attempts is kept once.
    """
    lines = (line for line in str(error).splitlines() if line.strip())
    kept = dict.fromkeys(line for line in lines if not _WAITING.search(line))
    return f"{type(error).__name__}: " + "\n".join(kept)
