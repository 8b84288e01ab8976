"""Every code block of the README, the documentation and the environments' READMEs is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest
from tests.docs.blocks import LANGUAGES, ROOT, blocks_of
from tests.docs.fixtures import FIXTURES

PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "deploy" / "README.md",
        ROOT / "SECURITY.md",
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("envs/openenv_gym_envs/*/README.md"),
    ]
)
LIMIT = 280.0
"""Seconds that a page may take; most take two or three on an idle machine."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def absent() -> set[str]:
    """What blocks may need, and is not here; a failure where it is required."""
    found = {
        "docker": conftest.no_engine(),
        "browser": conftest.no_browser(),
        "openenv": conftest.missing_peers(),
        **dict.fromkeys(("peer", "peer_image", "shop", "thing_env"), conftest.missing_peers()),
        "kubectl": None if shutil.which("kubectl") else "kubectl is not installed",
        "wheelhouse": None if "OPENENV_GYM_WHEELHOUSE" in os.environ else ".ci/engine makes it",
    }
    required = {"docker": "DOCKER", "browser": "BROWSER", "openenv": "PEERS"}
    for name, word in required.items():
        if found[name] and os.environ.get(f"OPENENV_GYM_REQUIRE_{word}") == "1":
            pytest.fail(f"OPENENV_GYM_REQUIRE_{word}=1, but: {found[name]}")
    return {name for name, reason in found.items() if reason}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_block_has_a_language_and_is_run(page: Path) -> None:
    for block in blocks_of(page):
        place = f"{name_of(page)}:{block.line}"
        assert block.language in LANGUAGES, f"{place}: a fence needs one of {LANGUAGES}"
        assert not block.snippet or (ROOT / block.snippet).is_file(), f"{place}: no such file"
        assert block.mark != "not run" or block.detail, f"{place}: the reason is missing"
        unknown = set(block.needed) - FIXTURES.keys() - {"docker", "browser", "openenv"}
        assert not unknown, f"{place}: tests/docs/fixtures.py has no {unknown}"


RUN = [page for page in PAGES if any(block.run for block in blocks_of(page))]


@pytest.mark.timeout(LIMIT + 60)
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, absent: set[str]) -> None:
    words = [sys.executable, "-m", "tests.docs.blocks", str(page), str(tmp_path), *sorted(absent)]
    paths = [ROOT, ROOT / "transports", ROOT / "envs", tmp_path]
    variables = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "SDL_VIDEODRIVER": "dummy",
        "OMP_NUM_THREADS": "1",  # more threads of torch than cores wait for each other
    }
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            printed, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.terminate()
            printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed
