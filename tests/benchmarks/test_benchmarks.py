"""The benchmarks run, and say what they measured. How long anything took is not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rich")
pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[2]
CANDIDATES = ("raw unix", "raw tcp", "gymnasium", "inprocess", "process")


def bench(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)


def ran(script: str, *arguments: str | Path) -> str:
    done = bench(script, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("bench")
    only = ("--only", "small", "text", *CANDIDATES)
    printed = ran(
        "transports", "--quick", *only, "--json", folder / "a.json", "--plot", folder / "plots"
    )
    return folder, printed


def rows_of(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    report = json.loads(path.read_text())
    return {(row["workload"], row["candidate"]): row for row in report["rows"]}


class TestTransports:
    def test_a_row_for_each(self, measured: tuple[Path, str]) -> None:
        rows = rows_of(measured[0] / "a.json")
        assert set(rows) == {(w, c) for w in ("small", "text") for c in CANDIDATES}
        for row in rows.values():
            assert 0 < row["p10_us"] <= row["p50_us"] <= row["p99_us"]
            assert row["steps_per_s"] > 0
            assert len(row["percentiles_us"]) == 101
            assert len(row["block_p50_us"]) == len(row["block_steps_per_s"]) == 3

    def test_says_on_what(self, measured: tuple[Path, str]) -> None:
        report = json.loads((measured[0] / "a.json").read_text())
        machine = report["machine"]
        assert machine["cpu"]
        assert machine["cores"] >= 1
        assert len(machine["load"]) == 3
        assert machine["versions"]["gymnasium"]
        assert report["absent"] == []

    def test_bars_of_what_was_measured(self, measured: tuple[Path, str]) -> None:
        report = json.loads((measured[0] / "a.json").read_text())
        bars = {(bar["candidate"], bar["reference"]): bar for bar in report["bars"]}
        assert set(bars) == {("process", "raw unix"), ("inprocess", "gymnasium")}
        assert all(bar["value"] > 0 for bar in bars.values())
        assert "small: process / raw unix" in measured[1]

    def test_beside_busy_processes_with_pauses(self, tmp_path: Path) -> None:
        only = ("--only", "small", "process asleep", "openenv sync")
        words = ("--quick", "--busy", 1, "--pause", 1, "--json", tmp_path / "a.json")
        printed = ran("transports", *only, *map(str, words))
        assert "1 other processes compute; 1 ms of work between" in printed
        rows = rows_of(tmp_path / "a.json")
        assert set(rows) == {("small", name) for name in (*only[2:], "raw tcp")}
        assert all(len(row["block_cpu_us"]) == 3 for row in rows.values())

    def test_the_time_of_all_processes_is_counted(self, measured: tuple[Path, str]) -> None:
        for row in rows_of(measured[0] / "a.json").values():
            # What this end alone computes is a part of each step: more than nothing.
            assert 0 < row["cpu_s_per_million"] < 1e6

    def test_figures(self, measured: tuple[Path, str]) -> None:
        made = {path.name: path.stat().st_size for path in (measured[0] / "plots").iterdir()}
        assert set(made) == {"latency.png", "latency.svg", "ratio.png", "ratio.svg"}
        assert min(made.values()) > 5000

    def test_two_reports_of_one_machine(self, measured: tuple[Path, str]) -> None:
        report = measured[0] / "a.json"
        assert "process" in ran("transports", "--compare", report, report)

    def test_another_machine_is_refused(self, measured: tuple[Path, str]) -> None:
        folder, _ = measured
        report = json.loads((folder / "a.json").read_text())
        report["machine"]["fingerprint"] = "another"
        (folder / "other.json").write_text(json.dumps(report))
        for files in ([folder / "other.json", folder / "a.json"], [folder / "other.json"]):
            done = bench("transports", "--quick", "--compare", *files)
            assert done.returncode == 1
            assert "machine" in done.stderr

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--only", "carrier-pigeon"], "carrier-pigeon"),
            (["--compare", "no-such-file.json"], "no-such-file.json"),
        ],
    )
    def test_a_wrong_word(self, words: Sequence[str], said: str) -> None:
        done = bench("transports", "--quick", *words)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_command_of_the_package() -> None:
    command = [sys.executable, "-m", "openenv_gym.cli", "bench", "--quick"]
    done = subprocess.run(
        [*command, "--only", "small", "inprocess", "--unwrapped"],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert "inprocess" in done.stdout


class TestOthers:
    def test_profile(self, tmp_path: Path) -> None:
        words = ["--steps", "30", "--only", "inprocess", "process", "websocket", "http"]
        printed = ran("profile_step", *words, "--json", tmp_path / "a.json")
        found = json.loads((tmp_path / "a.json").read_text())["transports"]
        assert set(found) == {"inprocess", "process", "websocket", "http"}, printed
        for one in found.values():
            assert one["layers"]["client adapter"] > 0
            assert one["layers"]["client wrappers"] > 0
        assert found["process"]["layers"]["server environment"] > 0
        assert found["inprocess"]["layers"]["client environment"] > 0

    def test_start(self, tmp_path: Path) -> None:
        only = ("--only", "inprocess", "process", "--workers", "2")
        assert "times one" in ran("start", "--quick", *only, "--json", tmp_path / "a.json")
        rows = json.loads((tmp_path / "a.json").read_text())["rows"]
        assert [row["lanes"] for row in rows if row["transport"] == "process"] == [1, 8, 32]
        assert all(row["times_one"] > 0 for row in rows)

    def test_startup(self, tmp_path: Path) -> None:
        only = ["import gymnasium", "import openenv_gym", "inprocess", "process"]
        ran("startup", "--quick", "--only", *only, "--json", tmp_path / "a.json")
        report = json.loads((tmp_path / "a.json").read_text())
        assert report["absent"] == {}
        assert set(report["samples"]) == set(only)
        first = report["samples"]["process"][0]
        phases = ("Python", "imports", "connect", "env", "adapter", "reset")
        assert sum(first[phase] for phase in phases) == pytest.approx(first["total"])
        assert report["bars"][0]["value"] > 0

    def test_memory(self, tmp_path: Path) -> None:
        words = ["--steps", "1000", "--only", "inprocess", "process"]
        ran("memory", *words, "--json", tmp_path / "a.json", "--plot", tmp_path)
        found = json.loads((tmp_path / "a.json").read_text())["transports"]
        assert set(found["inprocess"]) == {"client"}
        assert set(found["process"]) == {"client", "server"}
        assert (tmp_path / "memory.png").exists()

    def test_sessions(self, tmp_path: Path) -> None:
        words = ["--sessions", "8", "--seconds", "2"]
        ran("sessions", *words, "--json", tmp_path / "a.json")
        report = json.loads((tmp_path / "a.json").read_text())
        assert report["errors"] == []
        assert report["steps"] == report["steps_wanted"] == 16

    def test_servers(self, tmp_path: Path) -> None:
        ran("servers", "--quick", "--only", "drain", "--json", tmp_path / "a.json")
        rows = json.loads((tmp_path / "a.json").read_text())["rows"]
        assert rows["drain"]["met"]

    def test_vector(self, tmp_path: Path) -> None:
        ran("vector", "--quick", "--groups", "in process", "--json", tmp_path / "a.json")
        report = json.loads((tmp_path / "a.json").read_text())
        assert {row["candidate"] for row in report["rows"]} == {"SyncVectorEnv", "inprocess"}
        assert report["absent"] == []
        assert report["bars"][0]["value"] > 0

    def test_environments(self, tmp_path: Path) -> None:
        names = ["CartPole", "Coding", "Git status", "OpenSpiel connect_four", "SUMO-RL"]
        printed = ran("environments", "--quick", "--only", *names, "--json", tmp_path / "a.json")
        rows = json.loads((tmp_path / "a.json").read_text())["rows"]
        assert sorted(row["name"] for row in rows) == names
        for row in rows:
            assert "absent" not in row
            assert row["ratio"] > 0
            assert row["name"].split()[0] in printed
            assert len(row["ours"]["block_steps_per_s"]) == len(row["bare"]["block_steps_per_s"])

    @pytest.mark.browser
    def test_browser(self, tmp_path: Path) -> None:
        printed = ran("browser", "--rounds", "1", "--json", tmp_path / "a.json")
        rows = {row["name"]: row for row in json.loads((tmp_path / "a.json").read_text())["rows"]}
        assert set(rows) == {"reset", "step"}
        assert all(name in printed for name in rows)
        for row in rows.values():
            assert all(time > 0 for name in ("ours", "bare") for time in row["times_s"][name])

    def test_resets(self, tmp_path: Path) -> None:
        printed = ran("resets", "--resets", "3", "--json", tmp_path / "a.json")
        rows = json.loads((tmp_path / "a.json").read_text())["rows"]
        assert len(rows) == 3
        for row in rows:
            assert 0 < row["p50_s"] <= row["p99_s"] <= row["longest_s"]
            assert row["name"].split()[0] in printed
