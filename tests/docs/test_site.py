"""The site is built without a warning: every link leads somewhere, every page is in the menu."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from openenv_gym import errors
from openenv_gym.registry import ENVIRONMENTS
from tests.docs.blocks import ROOT

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "NO_MKDOCS_2_WARNING": "1",
        },
        capture_output=True,
        text=True,
        timeout=350,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_each_environment_has_a_page(site: Path) -> None:
    for name in ENVIRONMENTS:
        text = (site / "environments" / name / "index.html").read_text("utf-8")
        assert "What clients of a server may set" in text
        assert f'src="../../assets/environments/{name}.png"' in text
        picture = site / "assets" / "environments" / f"{name}.png"
        assert picture.stat().st_size < 20_000, "python docs/pictures.py draws it"


def test_each_error_is_explained(site: Path) -> None:
    text = (site / "reference" / "errors" / "index.html").read_text("utf-8")
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.OpenEnvGymError):
            assert f'id="{kind.__name__.lower()}"' in text


def test_nothing_is_left_in_the_form_of_sphinx(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not re.search(r":(class|func|meth|mod):<code>", page.read_text("utf-8")), page


def test_the_figures_of_the_benchmarks_are_those_of_the_report() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "figures.py"))
    text, report = script["PAGE"].read_text("utf-8"), script["load"](script["REPORT"])
    assert script["page"](text, report) == text, "make generate writes them"
    for row in report["rows"]:
        assert f"| {row['candidate']} | {row['p10_us']:,.1f} |" in text
    assert report["machine"]["cpu"] in text


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 200
