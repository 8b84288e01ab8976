"""Functions that find a Chromium and start it, with or without its own sandbox."""

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
# The headless shell is the same engine without a window, and starts in a third of the time.
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
    # BrowserGym does the same: without it screenshots do not show scrollbars.
    "--disable-features=OverlayScrollbars,ExtendedOverlayScrollbars",
)
_OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"


@dataclass(frozen=True)
class Settings:
    """The settings to start a browser with.

    Attributes:
        executable: Path of the program; None for the one of ``playwright install``.
        headless: Whether to show no window.
        sandbox: Whether to use Chromium's own sandbox.
        offline: Whether to resolve no names, so that no other machine is reached.
        slow_mo: Milliseconds to wait before each operation of Playwright.
    """

    executable: str | None
    headless: bool = True
    sandbox: bool = True
    offline: bool = True
    slow_mo: float = 0.0


def find(given: str | None, headless: bool) -> str | None:
    """Find the browser's program.

    Args:
        given: The path that the user named, or None.
        headless: Whether a program without windows is enough.

    Returns:
        The path; None for the program of ``playwright install``.

    Raises:
        OptionError: The program that the user named cannot be run.
        MissingDependencyError: No program was found.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise OptionError(
                f"Options of browsergym: executable_path={given!r} is not a program that can run.",
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
        "browsergym needs a Chromium, and none was found here: 'apt-get install "
        f"{(_HEADLESS if headless else _WINDOWED)[0]}' (Debian), or 'playwright install chromium', "
        "or name one with executable_path=...",
        name="browsergym",
        package=(_HEADLESS if headless else _WINDOWED)[0],
    )


def _has_playwrights_own() -> bool:
    """Return whether ``playwright install`` was run, which only Playwright's driver knows."""

    def asked() -> bool:
        with playwright.sync_api.sync_playwright() as started:
            return Path(started.chromium.executable_path).exists()

    return _on_a_thread(asked)


def _on_a_thread(function: Callable[[], T]) -> T:
    """Call a function on a thread without an event loop, and return its result."""
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True, name="browser").start()
    return future.result(_ASK_LIMIT)


def sandboxed(given: bool | None) -> bool:
    """Return whether to use Chromium's own sandbox.

    Chromium has no sandbox for root, and in a container it would need rights that the container is
    safer without: there the container is the boundary.

    Args:
        given: The user's choice; None to decide by user and container.
    """
    if given is not None:
        return given
    return os.geteuid() != 0 and not any(map(os.path.exists, _CONTAINER_MARKS))


def launch(started: Playwright, settings: Settings) -> Browser:
    """Start a browser.

    Raises:
        OptionError: Chromium cannot make its sandbox here.
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
            "use transport='docker', or give sandbox=False if you trust the pages.",
            option="sandbox",
        ) from error
