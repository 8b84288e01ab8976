"""Finding a Chromium and starting it, with or without its own sandbox."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import playwright.sync_api
from playwright.sync_api import Browser, Playwright

from openenv_gym.errors import MissingDependencyError, OptionError

T = TypeVar("T")

_ASK_LIMIT = 60.0  # seconds
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
        package=(_HEADLESS if headless else _WINDOWED)[0],
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
    return future.result(_ASK_LIMIT)


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


def launch(started: Playwright, settings: Settings) -> Browser:
    """Starts a browser.

    Raises:
        OptionError: It cannot make its sandbox here.
    """
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
            f"{settings.executable or 'Chromium'} cannot make its sandbox here: it has none for "
            "root, and for others it needs user namespaces, which some systems forbid. Allow them "
            "(sysctl kernel.unprivileged_userns_clone=1, or an AppArmor profile for the browser), "
            "use transport='docker', or give sandbox=False if the pages are to be trusted.",
            option="sandbox",
        ) from error
