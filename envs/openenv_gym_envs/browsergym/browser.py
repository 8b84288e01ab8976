"""The browser: one Chromium on a thread of its own, which environments share.

Playwright's synchronous API, in which BrowserGym is written, belongs to the thread that started it
and refuses one that runs an event loop. So it gets a thread of its own, and whoever has an
environment may be on any thread, also in a notebook.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, TypeVar

import playwright.sync_api
from playwright.sync_api import Browser, Playwright

from openenv_gym.errors import EpisodeError, MissingDependencyError, OptionError

T = TypeVar("T")

CALL_LIMIT = 120.0
"""Seconds within which a page must answer; each wait of Playwright's is far shorter."""

_CLOSE_LIMIT = 10.0
# The shell is the same engine without a window: it starts in a third of the time.
_HEADLESS = ("chromium-headless-shell", "chromium", "chromium-browser")
_WINDOWED = ("chromium", "chromium-browser")
_OTHERS = ("google-chrome", "google-chrome-stable", "microsoft-edge")
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
_FONTS = Path("/usr/share/fonts")
_OUR_FONTS = Path(__file__).with_name("fonts.conf")
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-lcd-text",
    "--disable-smooth-scrolling",
    "--font-render-hinting=none",
    # As BrowserGym does: else no screenshot shows a scrollbar.
    "--disable-features=OverlayScrollbars,ExtendedOverlayScrollbars",
)
_OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"


@dataclass(frozen=True)
class Settings:
    """What a browser is started with.

    Attributes:
        executable: Path of the program; None for that of ``playwright install``.
        headless: It shows no window.
        sandbox: It uses Chromium's own sandbox.
        offline: It resolves no name, and so reaches no host.
        slow_mo: Milliseconds to wait before each operation of Playwright's.
    """

    executable: str | None
    headless: bool = True
    sandbox: bool = True
    offline: bool = True
    slow_mo: float = 0.0


def find(given: str | None, headless: bool) -> str | None:
    """The browser's program.

    Args:
        given: Its path, if the user named it.
        headless: It need not show a window.

    Returns:
        None for that of ``playwright install``.

    Raises:
        OptionError: The one given cannot be run.
        MissingDependencyError: There is none.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise OptionError(
                f"Options of browsergym: executable_path={given!r} is no program that can be run.",
                option="executable_path",
            )
        return found
    for name in _HEADLESS if headless else _WINDOWED:
        if found := shutil.which(name):
            return found
    if _has_playwrights_own():
        return None
    for name in _OTHERS:
        if found := shutil.which(name):
            return found
    raise MissingDependencyError(
        "browsergym needs a Chromium, and there is none here: 'apt-get install "
        f"{(_HEADLESS if headless else _WINDOWED)[0]}' (Debian), or 'playwright install chromium', "
        "or name one with executable_path=...",
        name="browsergym",
        package="chromium",
    )


def _has_playwrights_own() -> bool:
    """Whether ``playwright install`` was run; only its driver knows where that puts things."""

    def asked() -> bool:
        with playwright.sync_api.sync_playwright() as started:
            return Path(started.chromium.executable_path).exists()

    return _on_a_thread(asked)


def _on_a_thread(function: Callable[[], T]) -> T:
    """What the function gives, called on a thread without an event loop."""
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True, name="browser").start()
    return future.result(CALL_LIMIT)


def sandboxed(given: bool | None) -> bool:
    """Whether Chromium's own sandbox is used.

    Chromium has none for root, and in a container it cannot make one without rights that the
    container is better without: there the container is the boundary.

    Args:
        given: What the user says; None decides by where we are.
    """
    if given is not None:
        return given
    return os.geteuid() != 0 and not any(map(os.path.exists, _CONTAINER_MARKS))


class SharedBrowser:
    """A browser on a thread of its own, started at the first use.

    Made by :meth:`acquire`; ended with the last :meth:`release`. It is started again if it died.

    Args:
        settings: What to start it with.
    """

    _shared: ClassVar[dict[Any, SharedBrowser]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._users = 0
        self._key: Any = None
        self._calls: SimpleQueue[tuple[Callable[[Browser], Any], Future[Any]] | None]
        self._calls = SimpleQueue()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._pid: int | None = None
        # Daemon: an interpreter that ends does not wait for it, but tells it to end.
        self._thread = threading.Thread(target=self._serve, daemon=True, name="browser")
        self._thread.start()

    @classmethod
    def acquire(cls, settings: Settings) -> SharedBrowser:
        """The browser with these settings that environments of the calling thread share.

        Those of another thread have their own, so that none waits for the other.
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
        """Ends it, if nobody else uses it."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            self._shared.pop(self._key, None)
        self.end()

    def end(self) -> None:
        """Ends it whoever uses it."""
        if self._key is not None and self._key[0] != os.getpid():
            return  # a fork has a copy of this object, but not the thread
        self._calls.put(None)
        self._thread.join(_CLOSE_LIMIT)
        if self._thread.is_alive():
            self._kill()
            self._thread.join(_CLOSE_LIMIT)

    def run(self, function: Callable[[Browser], T]) -> T:
        """What the function gives, called with the browser on its thread.

        Raises:
            EpisodeError: It took longer than :data:`CALL_LIMIT`; the browser was ended.
        """
        future: Future[T] = Future()
        self._calls.put((function, future))
        with contextlib.suppress(TimeoutError):
            future.exception(CALL_LIMIT)
        if not future.done():
            self._kill()
            raise EpisodeError(
                f"The browser did not answer within {CALL_LIMIT:.0f} s, and was ended: a script of "
                "the page may never end. Call reset() for a new one.",
                limit=CALL_LIMIT,
            )
        return future.result()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            try:
                future.set_result(function(self._started()))
            except BaseException as error:
                future.set_exception(error)
            del function, future, call  # they hold the episode
        self._stop()

    def _started(self) -> Browser:
        if self._browser is None or not self._browser.is_connected():
            self._stop()
            self._playwright = playwright.sync_api.sync_playwright().start()
            # By which BrowserGym's actions find elements.
            self._playwright.selectors.set_test_id_attribute("bid")
            self._browser = self._launched(self._playwright)
            self._pid = _pid_of(self._browser)
        return self._browser

    def _launched(self, started: Playwright) -> Browser:
        settings = self._settings
        environment: dict[str, Any] = dict(os.environ)
        if next(_FONTS.rglob("DejaVuSans.ttf"), None) is not None:
            environment["FONTCONFIG_FILE"] = str(_OUR_FONTS)
        try:
            return started.chromium.launch(
                executable_path=settings.executable,
                headless=settings.headless,
                chromium_sandbox=settings.sandbox,
                slow_mo=settings.slow_mo,
                args=[*_ARGUMENTS, *([_OFFLINE] if settings.offline else [])],
                ignore_default_args=["--hide-scrollbars"],
                env=environment,
            )
        except playwright.sync_api.Error as error:
            if "sandboxing failed" not in str(error):
                raise
            raise OptionError(
                f"{settings.executable or 'Chromium'} cannot make its sandbox here: this system "
                "forbids user namespaces. Allow them (sysctl kernel.unprivileged_userns_clone=1, "
                "or an AppArmor profile for the browser), use transport='docker', or give "
                "sandbox=False if the pages are to be trusted.",
                option="sandbox",
            ) from error

    def _stop(self) -> None:
        browser, self._browser = self._browser, None
        started, self._playwright = self._playwright, None
        self._pid = None
        # Of one that died there is nothing left to close.
        with contextlib.suppress(Exception):
            if browser is not None:
                browser.close()
        with contextlib.suppress(Exception):
            if started is not None:
                started.stop()

    def _kill(self) -> None:
        """Ends a browser that does not answer; its thread gets an error for it."""
        if self._pid is not None:
            with contextlib.suppress(OSError):
                os.killpg(os.getpgid(self._pid), signal.SIGKILL)


def _pid_of(browser: Browser) -> int | None:
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return next((process["id"] for process in processes if process["type"] == "browser"), None)


@atexit.register
def _end_all() -> None:
    for browser in list(SharedBrowser._shared.values()):
        browser.end()
