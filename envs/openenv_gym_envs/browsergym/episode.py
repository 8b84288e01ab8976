"""One episode: a task in a new context of the browser. All of it runs on the browser's thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import playwright.sync_api
from browsergym.core.task import AbstractBrowserTask
from playwright.sync_api import Browser, BrowserContext, Page

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym_envs.browsergym.actions import Language, describe_failure
from openenv_gym_envs.browsergym.benchmarks import serve
from openenv_gym_envs.browsergym.observing import Seen, Wanted, observe

LONGEST_NOOP = 60_000
"""Milliseconds that ``noop(wait_ms)`` may wait."""

_LOAD_LIMIT = 3_000  # ms
_PLAYWRIGHTS = "__pw_stack__"  # attribute of asyncio tasks that a greenlet waits for
_CLOCK = "window[Symbol.for('openenv-gym.clock')]"
_MOVE = f"ms => {_CLOCK}?.move(ms)"
_HOLD = f"() => {_CLOCK}?.hold()"


@dataclass(frozen=True)
class Setting:
    """The settings of episodes.

    Attributes:
        language: The actions.
        wanted: The parts of the page to observe.
        viewport: Width and height of the page, in CSS pixels.
        offline: Whether the pages come with a package and use the clock of clock.js; else they are
            sites, in real time.
        delay: Seconds between an action and its observation.
        timeout: Milliseconds for which Playwright waits for a page; None for the task's default.
    """

    language: Language
    wanted: Wanted
    viewport: tuple[int, int]
    offline: bool
    delay: float
    timeout: int | None


@dataclass
class Outcome:
    """The result of a reset or a step.

    Attributes:
        seen: The observed parts of the page.
        url: Address of the page.
        error: The reason why the action failed; empty if it did not fail.
        reward: Reward of the task.
        done: Whether the task is over.
        task_info: Information from the task.
        browser: Information about the browser.
    """

    seen: Seen
    url: str
    error: str
    reward: float
    done: bool
    task_info: dict[str, Any]
    browser: dict[str, Any]


class Episode:
    """A task, from the opening of its page to the closing of its context.

    Args:
        browser: The browser to use.
        task: The task.
        setting: The settings.

    Attributes:
        browser: The browser in use.
        goal: The goal, as messages; ``{"type": "text", "text": ...}``.
    """

    def __init__(self, browser: Browser, task: AbstractBrowserTask, setting: Setting) -> None:
        self.browser = browser
        self._task = task
        self._setting = setting
        self._chat: list[dict[str, Any]] = []
        self._infeasible = False
        self._crashed = False
        self._pages: list[Page] = []  # the open pages; the last was active last
        self._last_action = ""
        self._context = self._open_context(browser)
        try:
            with self._report_crash():
                self._namespace = self._begin()
        except BaseException:
            self.close()
            raise

    def _open_context(self, browser: Browser) -> BrowserContext:
        setting, task = self._setting, self._task
        width, height = setting.viewport
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale=task.locale or "en-US",
            timezone_id=task.timezone_id or "UTC",
            accept_downloads=False,
        )
        context.set_default_timeout(setting.timeout or task.timeout)
        context.on("page", self._activate)
        context.on("page", lambda page: page.on("crash", self._on_crash))
        if setting.offline:
            context.route("**/*", serve)
            context.add_init_script(_clock())
        return context

    def _on_crash(self, page: Page) -> None:
        self._crashed = True
        # Playwright would wait forever for the page's answers.
        for task in asyncio.all_tasks(page._loop):
            if hasattr(task, _PLAYWRIGHTS):
                task.cancel()

    @contextlib.contextmanager
    def _report_crash(self) -> Iterator[None]:
        """Raise an error if a page crashes meanwhile."""
        try:
            yield
        except (playwright.sync_api.Error, asyncio.CancelledError) as error:
            if not self._crashed and "crashed" not in str(error):
                raise
            self._crashed = True
        if self._crashed:
            raise EnvironmentFailedError(
                "A page crashed: its process was killed, or it ran out of memory. The episode "
                "cannot continue: call reset()."
            )

    def _new_page(self) -> Page:
        page = self._context.new_page()
        self._activate(page)
        return page

    def _activate(self, page: Page) -> None:
        # BrowserGym looks for the page there; a task sets it only for its own page.
        page._bgym_scale_factor = self._setting.wanted.scale  # type: ignore[attr-defined]
        self._pages = [other for other in self._pages if other is not page] + [page]

    def _begin(self) -> dict[str, Any]:
        page = self._new_page()
        goal, self.task_info = self._task.setup(page)
        self.goal = [{"type": "text", "text": goal}] if isinstance(goal, str) else list(goal or [])
        self._chat += [
            {"role": "user", "message": part["text"]} for part in self.goal if "text" in part
        ]
        namespace = self._setting.language.define(page, self._say, self._give_up)
        if self._setting.offline:
            namespace["noop"] = self._noop
        return namespace

    def _say(self, text: str) -> None:
        if not isinstance(text, str):
            raise ValueError(f"a message must be a text, not {text!r}")
        self._chat.append({"role": "assistant", "message": text})

    def _give_up(self, reason: str) -> None:
        self._say(reason)
        self._chat[-1]["role"] = "infeasible"
        self._infeasible = True

    def _noop(self, wait_ms: float = 1000) -> None:
        """Implement BrowserGym's ``noop`` by the pages' clock."""
        if not 0 <= wait_ms <= LONGEST_NOOP:
            raise ValueError(f"noop waits 0 to {LONGEST_NOOP} ms, not {wait_ms!r}")
        self._each_frame(_MOVE, wait_ms)
        self._each_frame(_HOLD)

    def first(self) -> Outcome:
        """Return the observation before any action.

        Raises:
            EnvironmentFailedError: The page crashed.
        """
        with self._report_crash():
            self._settle()
            return self._outcome("", 0.0, False, self.task_info)

    def step(self, action: str) -> Outcome:
        """Carry out an action.

        The outcome has the error of a failed action, as long as the browser and its page exist.

        Raises:
            EnvironmentFailedError: The page crashed.
        """
        with self._report_crash():
            self._last_action = action
            error = self._act(action)
            self._settle()
            self._find_active()
            reward, done, task_info = self._validate()
            return self._outcome(error, reward, done, task_info)

    def _validate(self) -> tuple[float, bool, dict[str, Any]]:
        chat: Any = list(self._chat)  # BrowserGym's own annotation is wrong
        reward, done, message, task_info = self._task.validate(self._page, chat)
        if message:
            self._chat.append({"role": "user", "message": message})
        return float(reward), bool(done) or self._infeasible, task_info

    def _act(self, action: str) -> str:
        self._each_frame(_HOLD)
        self._namespace["page"] = active = self._page
        error = ""
        try:
            exec(self._setting.language.calls(action), self._namespace)
        except Exception as raised:
            if self._crashed or not self.browser.is_connected():
                raise
            error = describe_failure(raised)
        # BrowserGym's functions for tabs put the active page here; a new page comes last.
        if self._namespace["page"] is not active:
            self._activate(self._namespace["page"])
        return error

    def _settle(self) -> None:
        """Let the time between an action and its observation pass."""
        setting = self._setting
        for page in self._context.pages:
            for frame in page.frames:
                with contextlib.suppress(playwright.sync_api.Error):
                    frame.wait_for_load_state("domcontentloaded", timeout=_LOAD_LIMIT)
        if setting.offline:
            self._each_frame(_MOVE, setting.delay * 1000)
        else:
            self._find_active()
            self._page.wait_for_timeout(setting.delay * 1000)

    def _each_frame(self, script: str, argument: Any = None) -> None:
        for page in self._context.pages:
            for frame in page.frames:
                # Frames that are gone, or are loading another page, have no clock to move.
                with contextlib.suppress(playwright.sync_api.Error):
                    frame.evaluate(script, argument)

    @property
    def _page(self) -> Page:
        return self._pages[-1]

    def _find_active(self) -> None:
        """Activate the open page that was active last, or a new one if none is open."""
        self._pages = [page for page in self._pages if not page.is_closed()]
        if not self._pages:
            self._new_page()

    def _outcome(self, error: str, reward: float, done: bool, task_info: dict[str, Any]) -> Outcome:
        seen = observe(self._page, self._setting.wanted)
        pages = self._context.pages
        browser: dict[str, Any] = {
            "chat_messages": [dict(message) for message in self._chat],
            "goal_object": self.goal,
            "open_pages_urls": [page.url for page in pages],
            "open_pages_titles": [page.title() for page in pages],
            "active_page_index": pages.index(self._page),
            "focused_element_bid": seen.focused,
            "last_action": self._last_action,
            "last_action_error": error,
        }
        if self._setting.wanted.elements:
            browser["extra_element_properties"] = seen.elements
        return Outcome(seen, self._page.url, error, reward, done, task_info, browser)

    def on_page(self, function: Callable[[Page], Any]) -> Any:
        """Call a function with the active page and return its result."""
        return function(self._page)

    def close(self) -> None:
        """End the task and close its context."""
        try:
            self._task.teardown()
        finally:
            # A browser that is gone leaves nothing to close.
            with contextlib.suppress(playwright.sync_api.Error):
                self._context.close()


@cache
def _clock() -> str:
    return Path(__file__).with_name("clock.js").read_text("utf-8")
