"""Workflows of GitHub, ours and those of ``openenv-gym init --github``, checked by actionlint."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from openenv_gym.cli import main

ROOT = Path(__file__).parents[2]
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or "actionlint"
PUBLISHED = {"cache-from", "cache-to", "sbom", "provenance", "push", "tags"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("github")
    assert main(["init", "github_maze_env", "--github", "--output-dir", str(home)]) == 0
    return home / "github_maze_env" / ".github" / "workflows" / "images.yml"


def lint(path: Path) -> str:
    done = subprocess.run(
        [ACTIONLINT, "-no-color", "-oneline", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_ours(path: Path) -> None:
    assert lint(path) == ""


def test_that_of_init(written: Path) -> None:
    assert lint(written) == ""
    assert "matrix:\n        environment: [github_maze_env]\n" in written.read_text()


def test_actionlint_finds_what_is_wrong(written: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "images.yml"
    wrong.write_text(written.read_text().replace("steps.build.outputs", "steps.bulid.outputs"))
    assert 'property "bulid" is not defined' in lint(wrong)


@pytest.mark.parametrize("which", ["ours", "init"])
def test_what_is_published(which: str, written: Path) -> None:
    """With a cache, a list of contents (SBOM) and provenance; and nobody may do more than that."""
    path = ROOT / ".github" / "workflows" / "images.yml" if which == "ours" else written
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    job = workflow["jobs"]["image"]
    steps = [step for step in job["steps"] if "build-push-action" in step.get("uses", "")]
    assert [steps[0]["with"].keys() >= PUBLISHED, len(steps)] == [True, 1]
    assert any("attest-build-provenance" in step.get("uses", "") for step in job["steps"])
