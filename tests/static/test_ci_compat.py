"""``.ci/compat``, which ``make compat`` runs: what fails is a failure, what is absent is not."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "compat"


@pytest.fixture
def compat(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader = SourceFileLoader("compat_script", str(SCRIPT))
    spec = importlib.util.spec_from_loader("compat_script", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def program(compat: Any, folder: Path, trainer: str, code: str) -> Any:
    script = folder / f"{trainer}_program.py"
    script.write_text(code)
    return compat.Program(trainer, (str(script),), "openenv/Echo-v0", ("process",))


def test_the_programs_exist(compat: Any) -> None:
    for each in compat.PROGRAMS:
        assert any((compat.ROOT / word).is_file() for word in each.words), each


def test_a_table_of_what_ran(
    compat: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passes = "import os, openenv_gym; assert os.environ['OPENENV_GYM_TRANSPORT'] == 'process'"
    programs = [
        program(compat, tmp_path, "numpy", passes),
        program(compat, tmp_path, "no-such-trainer", "raise AssertionError"),
    ]
    monkeypatch.setattr(compat, "PROGRAMS", programs)
    assert compat.main([]) == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    ran, absent = ([cell.strip() for cell in row.split("|")[1:-1]] for row in rows)
    assert (ran[0], *ran[2:4]) == ("numpy: numpy_program.py", "openenv/Echo-v0", "process")
    assert ran[4].startswith("ok")
    assert absent[1:] == ["absent", "openenv/Echo-v0", "", "not run"]
    assert compat.main(["nothing has this word"]) == 1


def test_a_program_that_fails(
    compat: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = program(compat, tmp_path, "numpy", "raise ValueError('why it failed')")
    monkeypatch.setattr(compat, "PROGRAMS", [fails])
    assert compat.main(["numpy"]) == 1
    printed = capsys.readouterr().out
    assert "ValueError: why it failed" in printed
    assert "failed: exit status 1" in printed


def test_a_trainer_without_its_part_is_absent(
    compat: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    partial = program(compat, tmp_path, "numpy", "")._replace(part="no-such-distribution")
    monkeypatch.setattr(compat, "PROGRAMS", [partial])
    monkeypatch.setattr(compat, "PYTHONS", (*compat.PYTHONS, tmp_path / "no-such-python"))
    assert compat.main([]) == 0
    assert "not run" in capsys.readouterr().out
