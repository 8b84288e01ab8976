"""The browser: a Chromium on a thread of its own, which environments share.

BrowserGym uses Playwright's synchronous API, which belongs to the thread that started it and
refuses a thread that runs an event loop. With a thread of its own, environments can be used on any
thread, also in a notebook.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ClassVar, TypeVar

import playwright.sync_api
from playwright.sync_api import Browser, Playwright

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym_envs.browsergym.launching import Settings, launch

T = TypeVar("T")

SITE_LIMIT = 300.0
"""Seconds within which sites must answer, as some tasks log in to several before they begin."""

OFFLINE_LIMIT = 50.0
"""Seconds for pages of this machine: less than a client waits, so that it gets the error."""

_CLOSE_LIMIT = 10.0
_GLANCE = 1.0  # seconds between two looks at whether Playwright's driver still runs


class _StopError(BaseException):
    """Raised in the browser's thread by another thread, to end a call that does not return."""


class SharedBrowser:
    """A browser on a thread of its own, started at the first use.

    :meth:`acquire` makes it, and the last :meth:`release` ends it. It is started again if it died.

    Args:
        settings: Settings to start it with.
    """

    _shared: ClassVar[dict[Any, SharedBrowser]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limit = OFFLINE_LIMIT if settings.offline else SITE_LIMIT
        self._users = 0
        self._key: Any = None
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._pid: int | None = None
        # A daemon: an interpreter that exits does not wait for the thread, but asks it to end.
        self._thread = threading.Thread(target=self._serve, daemon=True, name="browser")
        self._thread.start()

    @classmethod
    def acquire(cls, settings: Settings) -> SharedBrowser:
        """Return the browser with these settings that environments of the calling thread share.

        Environments of another thread have another browser, so that none waits for the other.
        """
        key = (os.getpid(), threading.get_ident(), settings)
        with cls._lock:
            browser = cls._shared.get(key)
            if browser is None:
                browser = cls._shared[key] = cls(settings)
                browser._key = key
            browser._users += 1
        return browser

    def release(self) -> None:
        """End the browser, if no other environment uses it."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            self._shared.pop(self._key, None)
        self.end()

    def end(self) -> None:
        """End the browser even if it is in use."""
        if self._key is not None and self._key[0] != os.getpid():
            return  # a fork has a copy of this object, but not the thread
        self._calls.put(None)
        self._thread.join(_CLOSE_LIMIT)
        if self._thread.is_alive():
            self._kill()
            self._thread.join(_CLOSE_LIMIT)

    def run(self, function: Callable[[Browser], T]) -> T:
        """Call a function with the browser, on the browser's thread, and return its result.

        Raises:
            EnvironmentFailedError: The browser died, or did not answer in time and was ended. The
                next call starts another.
        """
        return self._call(lambda: function(self._started()))

    def go_on(self, browser: Browser, function: Callable[[], T]) -> T:
        """Call a function that needs the browser of an earlier :meth:`run`.

        Raises:
            EnvironmentFailedError: As :meth:`run`; or that browser is gone.
        """

        def go_on() -> T:
            if not self._is_there(browser):
                raise _ended()
            return function()

        return self._call(go_on)

    def finish(self, browser: Browser, function: Callable[[], None]) -> None:
        """Call a function that cleans up in a browser; do nothing if that browser is gone."""
        self._call(lambda: function() if self._is_there(browser) else None)

    def _call(self, function: Callable[[], T]) -> T:
        future: Future[T] = Future()
        self._calls.put((function, future))
        deadline = time.monotonic() + self._limit
        died = False
        while not future.done() and not died and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                future.exception(_GLANCE)
            died = not self._has_driver()
        if not future.done():
            self._break_off(future)
            raise _ended() if died else _silent(self._limit)
        error = future.exception()
        browser = self._browser
        if error is not None and browser is not None and not self._is_there(browser):
            raise _ended() from error
        return future.result()

    def _serve(self) -> None:
        while True:
            with contextlib.suppress(_StopError):  # it may come too late for its call
                call = self._calls.get()
                if call is None:
                    break
                function, future = call
                try:
                    future.set_result(function())
                except BaseException as error:
                    future.set_exception(error)
                finally:
                    del function, future, call  # they hold references to the episode
        self._stop()

    def _started(self) -> Browser:
        if self._browser is None or not self._is_there(self._browser):
            self._stop()
            self._playwright = playwright.sync_api.sync_playwright().start()
            # BrowserGym's actions find elements by this attribute.
            self._playwright.selectors.set_test_id_attribute("bid")
            self._browser = launch(self._playwright, self._settings)
            self._pid = _pid_of(self._browser)
        return self._browser

    def _is_there(self, browser: Browser) -> bool:
        """Return whether a browser is the current one, and alive."""
        return self._browser is browser and browser.is_connected() and self._has_driver()

    def _has_driver(self) -> bool:
        """Return whether Playwright's driver still runs, or was not started yet.

        Without the driver some calls never return.
        """
        started = self._playwright  # the browser's thread may drop it meanwhile
        return started is None or _is_driven(started)

    def _stop(self) -> None:
        browser, self._browser = self._browser, None
        started, self._playwright = self._playwright, None
        self._pid = None
        if started is None:
            return
        driven = _is_driven(started)
        # A driver that died leaves nothing to close.
        with contextlib.suppress(Exception):
            if browser is not None and driven:
                browser.close()
        if driven:
            started.stop()
            return
        # The event loop ended with the driver, but Playwright left it set as running.
        asyncio._set_running_loop(None)
        with contextlib.suppress(Exception):
            started.stop()
        started._impl_obj._loop.close()

    def _break_off(self, future: Future[Any]) -> None:
        """End a call that does not return, and the browser with it."""
        self._kill()
        deadline = time.monotonic() + _CLOSE_LIMIT
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                future.exception(_GLANCE)
                return
            # Playwright waits in a loop for a driver that is gone, and its clean-up may do so too.
            ident = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_StopError))

    def _kill(self) -> None:
        """Kill a browser that does not answer, so that its thread gets an error."""
        pid, started = self._pid, self._playwright
        with contextlib.suppress(OSError):
            # A browser has a process group of its own. If it is gone, another process may have
            # its number.
            if pid is not None and (group := os.getpgid(pid)) != os.getpgrp():
                os.killpg(group, signal.SIGKILL)
        with contextlib.suppress(OSError):
            if started is not None:
                os.kill(_wire_of(started)._proc.pid, signal.SIGKILL)


def _ended() -> EnvironmentFailedError:
    return EnvironmentFailedError(
        "The browser ended during the call: it was killed, or it crashed, perhaps for lack of "
        "memory. Call reset(), which starts another browser."
    )


def _silent(limit: float) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        f"The browser did not answer within {limit:.0f} s and was ended: a script of the page may "
        "run forever. Call reset(), which starts another browser.",
        limit=limit,
    )


def _pid_of(browser: Browser) -> int | None:
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return next((process["id"] for process in processes if process["type"] == "browser"), None)


def _wire_of(started: Playwright) -> Any:
    """Return the transport to Playwright's driver, which its API does not expose."""
    return started._impl_obj._connection._transport


def _is_driven(started: Playwright) -> bool:
    wire = _wire_of(started)
    if wire.on_error_future.done():
        return False
    try:
        state = os.waitid(os.P_PID, wire._proc.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # it has ended, and its exit status was read
        return False
    return state is None


@atexit.register
def _end_all() -> None:
    for browser in list(SharedBrowser._shared.values()):
        browser.end()
