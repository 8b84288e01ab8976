"""What tests of the pipe share, and tests of pages in a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.pipes import Serve
from tests.servers import eventually
from tests.troubles import TROUBLE, nothing_left

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """Nothing is left after the test: no process, descriptor or thread."""
    with nothing_left():
        yield


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves in ``tmp_path`` by the command, in a process that is ended after the test."""
    servers = []

    def start(*arguments: str, environment: str = TROUBLE) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, "-m", "openenv_gym.cli", "serve", environment]
            + ["--pipe", str(tmp_path), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        servers.append(server)
        if "--port" not in arguments:
            eventually((tmp_path / "socket").exists)
        return server

    yield start
    for server in servers:
        server.terminate()
        server.wait(30.0)
        assert server.stderr is not None
        server.stderr.close()


CHROMIUM = ("chromium-headless-shell", "chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert path is not None, "the tests need Debian's chromium-headless-shell"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which no script fails."""
    from playwright.sync_api import expect

    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    errors: list[Any] = []
    page.on("pageerror", lambda error: errors.append(error))
    yield page
    context.close()
    assert not errors
