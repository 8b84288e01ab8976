"""The examples that no trainer's test runs: short versions of them, as their users start them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, SNIPPET, blocks_of

pytestmark = pytest.mark.timeout(400)
EXAMPLES = ROOT / "examples"
ELSEWHERE = {
    "demo.py": "make demo",
    "cleanrl_style_ppo.py": "tests/trainers/test_examples.py",
    "random_agents.py": "tests/trainers/test_examples.py",
    "sb3_connect4.py": "tests/trainers/test_sb3.py",
}
"""Examples that others run."""
HERE = {
    "browser_agent.py",
    "chess_match.py",
    "coding_agent.py",
    "local_echo.py",
    "own_environment.py",
    "pettingzoo_self_play.py",
    "record_replay.py",
    "remote_tls.py",
    "torchforge_style_grpo.py",
    "vector_failures.py",
}


def run(name: str, *words: str, folder: Path) -> str:
    """Run an example in a folder; return what it printed."""
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *words],
        capture_output=True,
        text=True,
        timeout=350,
        cwd=folder,
        env={**os.environ, **variables},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_example_is_run_somewhere() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == HERE | set(ELSEWHERE)


def test_each_page_shows_files_that_are_run_here() -> None:
    shown = {block.snippet for page in ROOT.glob("docs/**/*.md") for block in blocks_of(page)} - {
        ""
    }
    assert {Path(file).name for file in shown} <= HERE
    assert SNIPPET.match('--8<-- "examples/remote_tls.py"\n')


def test_echo(tmp_path: Path) -> None:
    assert "'Hi' -> 'Hi', reward 0.2" in run("local_echo.py", "Hi", folder=tmp_path)


def test_an_own_environment_is_the_same_over_three_transports(tmp_path: Path) -> None:
    assert run("own_environment.py", folder=tmp_path).count("the same 200 steps") == 3


def test_a_coding_agent_mends_its_code(tmp_path: Path) -> None:
    assert "3 of 3 tasks solved" in run("coding_agent.py", folder=tmp_path)


def test_a_replay_says_where_another_agent_leaves_it(tmp_path: Path) -> None:
    printed = run("record_replay.py", folder=tmp_path)
    assert "the replay is the same: True" in printed
    assert "another agent: " in printed
    assert (tmp_path / "game.oeg").stat().st_size > 0


@pytest.mark.browser
def test_a_browser_agent_clicks_the_right_button(tmp_path: Path) -> None:
    assert "mean reward 1.00" in run("browser_agent.py", "--episodes", "2", folder=tmp_path)


def test_a_lost_worker_costs_two_episodes(tmp_path: Path) -> None:
    assert "2 episodes were lost" in run("vector_failures.py", folder=tmp_path)


def test_a_server_with_tls_refuses_the_wrong_token(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "token" in run("remote_tls.py", str(port), folder=tmp_path)


def test_an_agent_plays_against_itself(tmp_path: Path) -> None:
    words = ("--games", "10", "--evaluate", "4")
    assert "of 4 games against" in run("pettingzoo_self_play.py", *words, folder=tmp_path)


def test_rollouts_and_training_run_at_the_same_time(tmp_path: Path) -> None:
    words = ("--updates", "2", "--transport", "process")
    printed = run("torchforge_style_grpo.py", *words, folder=tmp_path)
    assert "mean reward of the first quarter" in printed


def test_stockfish_plays_a_match(tmp_path: Path) -> None:
    from openenv_gym.errors import MissingDependencyError
    from openenv_gym_envs.chess import uci_engine

    try:
        uci_engine.find(None)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    printed = run("chess_match.py", "--games", "1", "--nodes", "100", folder=tmp_path)
    assert "of 1 points for Stockfish" in printed
    assert (tmp_path / "chess_match.png").read_bytes().startswith(b"\x89PNG")


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel of Jupyter, with a shorter training."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    text = (EXAMPLES / "tutorial.ipynb").read_text("utf-8")
    tutorial = nbformat.reads(text, as_version=4)
    [parameters] = [
        cell for cell in tutorial.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    parameters.source = "STEPS, GAMES = 2_048, 4"
    client.NotebookClient(
        tutorial, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    assert all(
        "error" not in output.output_type
        for cell in tutorial.cells
        for output in cell.get("outputs", [])
    )
    assert json.loads(text)["nbformat"] == 4
