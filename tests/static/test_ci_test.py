"""``.ci/test``, which ``make test`` runs: what fails beside others is run again alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.timeout(600)

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "test"

PASSES = "def test_passes():\n    pass\n"
FAILS_ONCE = """
    from pathlib import Path

    def test_fails_once():
        before = Path("failed")
        if not before.exists():
            before.touch()
            raise AssertionError
    """
FAILS = "def test_fails():\n    raise AssertionError\n"
DIES_ONCE = """
    import os
    from pathlib import Path

    def test_dies_once():
        before = Path("died")
        if not before.exists():
            before.touch()
            os._exit(3)

    def test_after():
        with open("after", "a") as file:
            file.write("x")
    """
HANGS_ONCE = """
    import threading
    from pathlib import Path

    def test_hangs_once():
        before = Path("hung")
        if not before.exists():
            before.touch()
            threading.Event().wait()
    """


def run(
    folder: Path, *options: str, variables: dict[str, str] | None = None, **modules: str
) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p xdist\n")
    for name, text in modules.items():
        (folder / f"test_{name}.py").write_text(dedent(text))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    # One process and no other plugins, which take many times longer to start than these tests.
    inherited["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [sys.executable, str(SCRIPT), "-n", "1", *options],
        cwd=folder,
        env={**inherited, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_passes_alone_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, a=PASSES, b=FAILS_ONCE)
    assert done.returncode == 0, done.stdout
    last = done.stdout.splitlines()[-1]
    expected = "1 tests failed beside others and passed alone: test_b.py::test_fails_once"
    assert last == f"test: {expected}"


def test_what_fails_alone_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, a=FAILS_ONCE, b=FAILS)
    assert done.returncode == 1
    assert "failed alone too: test_b.py::test_fails" in done.stdout
    assert "passed alone" not in done.stdout


def test_a_crash_loses_no_test(tmp_path: Path) -> None:
    done = run(tmp_path, a=DIES_ONCE, b=PASSES)
    assert done.returncode == 0, done.stdout
    assert "passed alone: test_a.py::test_dies_once" in done.stdout
    assert (tmp_path / "after").read_text() == "x"


def test_a_run_that_hangs_is_ended_and_its_rest_is_run(tmp_path: Path) -> None:
    done = run(tmp_path, a=HANGS_ONCE, variables={"OPENENV_GYM_TEST_SILENCE": "40"})
    assert done.returncode == 0, done.stdout
    assert "the run hangs and is ended" in done.stdout
    assert "1 passed" in done.stdout


def test_a_module_that_cannot_be_imported_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, a=PASSES, b="import no_such_module\n")
    assert done.returncode != 0
    assert "tests could not be collected" in done.stdout


def test_no_tests_fail_the_run(tmp_path: Path) -> None:
    assert run(tmp_path, a="").returncode == 5


def test_wrong_options_fail_the_run(tmp_path: Path) -> None:
    assert run(tmp_path, "--no-such-option", a=PASSES).returncode == 4
