"""BrowserGym: one browser for many episodes, and none that outlives its owner."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import EnvironmentFailedError, OptionError
from openenv_gym_envs.browsergym import browser as browser_module
from openenv_gym_envs.browsergym.browser import SharedBrowser
from openenv_gym_envs.browsergym.environment import BrowserGymEnvironment
from openenv_gym_envs.browsergym.launching import Settings, find, sandboxed
from openenv_gym_envs.browsergym.models import BrowserGymAction
from tests.servers import eventually, is_running, kill

ID = "openenv/BrowserGym-v0"

pytestmark = pytest.mark.browser

Start = Callable[..., OpenEnvGym]


def processes(owner: int | None = None) -> dict[int, str]:
    """Command lines of all processes that descend from one, by default from this one."""
    reported: dict[int, tuple[int, str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            continue
        reported[int(folder.name)] = parent, command
    found: dict[int, str] = {}
    todo = [owner or os.getpid()]
    while todo:
        above = todo.pop()
        for pid, (parent, command) in reported.items():
            if parent == above:
                found[pid] = command
                todo.append(pid)
    return found


def of_browsers(owner: int | None = None) -> dict[int, str]:
    """Those that belong to browsers."""
    return {
        pid: command
        for pid, command in processes(owner).items()
        if "chromium" in command or "playwright" in command
    }


def browsers() -> list[int]:
    """A process of each browser."""
    return [pid for pid, command in of_browsers().items() if "utility-sub-type=network" in command]


@pytest.fixture(autouse=True)
def _nothing_runs() -> Iterator[None]:
    assert not of_browsers()
    yield
    eventually(lambda: not of_browsers())


@pytest.fixture
def started() -> Iterator[Start]:
    """Makes environments, and closes them after the test."""
    made: list[OpenEnvGym] = []

    def start(**options: Any) -> OpenEnvGym:
        made.append(OpenEnvGym(ID, **options))
        return made[-1]

    yield start
    for env in made:
        env.close()


@pytest.fixture
def environment() -> Iterator[BrowserGymEnvironment]:
    made = BrowserGymEnvironment()
    made.seed(0)
    yield made
    made.close()


def solved(environment: BrowserGymEnvironment) -> bool:
    environment.reset()
    return environment.step(BrowserGymAction(action_str="click('13')")).reward == 1.0


def evaluate(script: str) -> Callable[[Page], object]:
    return lambda page: page.evaluate(script)


def test_one_browser_and_a_fresh_context_for_each_episode(
    environment: BrowserGymEnvironment,
) -> None:
    run = environment._browser.run
    read = "() => [localStorage.getItem('a'), document.cookie]"
    write = "() => { localStorage.setItem('a', 'b'); document.cookie = 'c=d'; }"
    seen = []
    for _ in range(2):
        environment.reset()
        before = run(lambda _: environment._running.on_page(evaluate(read)))
        run(lambda _: environment._running.on_page(evaluate(write)))
        after = run(lambda _: environment._running.on_page(evaluate(read)))
        seen.append((before, after, browsers()))
        assert run(lambda browser: len(browser.contexts)) == 1
    assert seen[0] == seen[1] == ([None, ""], ["b", "c=d"], seen[0][2])
    assert len(seen[0][2]) == 1


def test_environments_of_a_thread_share_a_browser(started: Start) -> None:
    first, second = started(), started()
    for env in (first, second):
        env.reset(seed=0)
    assert len(browsers()) == 1
    first.close()
    assert second.step("click('13')")[1] == 1.0
    second.close()
    assert not of_browsers()


def test_environments_of_other_threads_have_their_own(started: Start) -> None:
    env = started()
    env.reset(seed=0)
    counts: list[int] = []

    def elsewhere() -> None:
        other = OpenEnvGym(ID)
        other.reset(seed=0)
        counts.append(len(browsers()))
        other.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert counts == [2]
    assert env.step("click('13')")[1] == 1.0


def test_any_thread_and_any_event_loop_may_step(started: Start) -> None:
    """As in a notebook, where Playwright by itself refuses."""

    async def cell() -> float:
        env.reset(seed=0)
        return float(env.step("click('13')")[1])

    env = started()
    assert asyncio.run(cell()) == 1.0
    rewards: list[float] = []
    thread = threading.Thread(target=lambda: rewards.append(asyncio.run(cell())))
    thread.start()
    thread.join()
    assert rewards == [1.0]


def pid_of(what: str) -> int:
    """The process of the browser itself, of its page, or of Playwright's driver."""
    marks = {"browser": "--remote-debugging", "page": "--type=renderer", "driver": "run-driver"}
    found = [pid for pid, command in of_browsers().items() if marks[what] in command]
    return found[-1]  # a browser's own script is above it


@pytest.mark.parametrize("what", ["browser", "page", "driver"])
@pytest.mark.parametrize("midst", [True, False])
# Playwright leaves its own tasks unfinished where its driver dies.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_what_dies_is_told_and_replaced(
    environment: BrowserGymEnvironment, what: str, midst: bool
) -> None:
    environment.reset()
    killer = threading.Timer(0.2, kill, (pid_of(what),))
    killer.start()
    if not midst:
        killer.join()
        time.sleep(0.1)

    def step_on() -> None:
        for _ in range(500):
            environment.step(BrowserGymAction(action_str="noop()"))

    with pytest.raises(EnvironmentFailedError, match=r"killed.*[Cc]all reset\(\)"):
        step_on()
    killer.join()
    assert solved(environment)
    assert len(browsers()) == 1


def test_a_page_that_never_answers(
    environment: BrowserGymEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.reset()
    monkeypatch.setattr(environment._browser, "_limit", 2.0)
    endless = evaluate("() => { while (true); }")
    with pytest.raises(EnvironmentFailedError, match="did not answer within 2 s") as caught:
        environment._browser.run(lambda _: environment._running.on_page(endless))
    assert caught.value.fields["limit"] == 2.0
    monkeypatch.undo()
    assert solved(environment)
    # A client, which waits a minute by default, is to hear of it.
    assert browser_module.OFFLINE_LIMIT < 60


def test_a_death_in_one_session_is_told_over_a_transport(started: Start) -> None:
    env = started(transport="process")
    env.reset(seed=0)
    kill(pid_of("browser"))
    with pytest.raises(EnvironmentFailedError, match="was killed"):
        env.step("noop()")
    env.reset(seed=0)
    assert env.step("click('13')")[1] == 1.0


def test_nothing_is_left_after_close(
    started: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = set(threading.enumerate())
    for _ in range(2):
        env = started()
        env.reset(seed=0)
        assert of_browsers()
        env.close()
        assert not of_browsers()
    assert set(threading.enumerate()) == before
    assert not list(tmp_path.iterdir())


_OWNER = """
import sys, time
from openenv_gym.env import OpenEnvGym
env = OpenEnvGym("openenv/BrowserGym-v0", transport=sys.argv[1])
env.reset(seed=0)
print(flush=True)
if sys.argv[2] == "wait":
    time.sleep(1000)
"""


@pytest.mark.parametrize("transport", ["inprocess", "process"])
@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "exit"])
def test_nothing_outlives_its_owner(transport: str, end: str, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, transport, "exit" if end == "exit" else "wait"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    started = processes(owner.pid)
    if end != "exit":
        assert any("chromium" in command for command in started.values())
        owner.send_signal(signal.Signals[end])
    owner.wait(30)
    owner.stdout.close()
    eventually(lambda: not any(map(is_running, started)), limit=30)
    eventually(lambda: not list(tmp_path.glob("playwright*")), limit=30)


def test_a_program_that_is_no_browser(started: Start) -> None:
    env = started(executable_path="/bin/true")
    with pytest.raises(EnvironmentFailedError, match=r"BrowserType\.launch"):
        env.reset(seed=0)


def test_the_browsers_own_sandbox(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is used wherever it can be made, and where it is asked for but cannot the error says so."""
    assert sandboxed(True)
    assert not sandboxed(False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("openenv_gym_envs.browsergym.launching._CONTAINER_MARKS", ())
    assert sandboxed(None)
    monkeypatch.setattr("openenv_gym_envs.browsergym.launching._CONTAINER_MARKS", ("/",))
    assert not sandboxed(None)
    monkeypatch.undo()
    if os.geteuid() == 0:  # for whom Chromium has none
        env = started(sandbox=True)
        with pytest.raises(OptionError, match="cannot make its sandbox here"):
            env.reset(seed=0)


def test_a_fork_has_no_part_in_the_browser() -> None:
    shared = SharedBrowser.acquire(Settings(find(None, headless=True), sandbox=False))
    shared.run(lambda browser: browser.version)
    child = os.fork()
    if child == 0:
        shared.release()  # returns at once, and ends nothing
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert shared.run(lambda browser: browser.is_connected())
    shared.release()
