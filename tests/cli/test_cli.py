"""The command: what it lists, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

import openenv_gym
from openenv_gym.cli import COMMANDS, main
from openenv_gym.cli.arguments import options_of
from openenv_gym.errors import OptionError
from openenv_gym.registry import ENVIRONMENTS, TRANSPORTS


def test_list_shows_environments_and_transports(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    for entry in ENVIRONMENTS.values():
        assert f"{entry.name} " in said
        assert str(entry.id) in said
        assert entry.summary in said
    assert all(f"  {name} " in said for name in TRANSPORTS)


def test_list_with_all_ids(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for entry in ENVIRONMENTS.values():
        assert all(any(id in line.split() for line in lines) for id in entry.ids())
    assert main(["list", "--all", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["environments"]
    assert [one["ids"] for one in listed] == [[*e.ids()] for e in ENVIRONMENTS.values()]


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"openenv-gym {openenv_gym.__version__}\n"


def test_without_a_command_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said.split() for name in COMMANDS)
    assert "exit codes:" in said


def test_a_command_that_is_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["vaildate", "echo"])
    assert caught.value.code == 2
    assert "Did you mean 'validate'?" in capsys.readouterr().err


def test_a_flag_that_is_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["list", "--jason"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "usage: openenv-gym list" in error
    assert "unrecognized arguments: --jason. Did you mean '--json'?" in error


COMPLETED = {
    "openenv-gym vali": "validate",
    "openenv-gym list --": "--all --help --json",
    "openenv-gym serve conn": "connect4",
    "openenv-gym record echo --transport webs": "websocket",
    "openenv-gym completion f": "fish",
}


def test_bash_completes(tmp_path: Path) -> None:
    """In a real bash, which asks for nothing but the script."""
    done = subprocess.run(
        [sys.executable, "-m", "openenv_gym.cli", "completion", "bash"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=100.0,
    )
    (tmp_path / "completion").write_text(done.stdout)
    ask = """
        source completion
        for line in "$@"; do
            read -ra COMP_WORDS <<<"$line"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
            _shtab_openenv_gym
            echo $(printf '%s\n' "${COMPREPLY[@]}" | sort)
        done
    """
    found = subprocess.run(
        ["bash", "-c", ask, "bash", *COMPLETED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=100.0,
    )
    assert dict(zip(COMPLETED, found.stdout.splitlines(), strict=True)) == COMPLETED


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_scripts_of_other_shells(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)


def test_what_is_written_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*words: str) -> dict[str, object]:
        assert main([*words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    file = str(tmp_path / "game.oeg")
    recorded = printed("record", "connect4", file, "--steps", "3")
    assert (recorded["file"], recorded["episodes"], recorded["steps"]) == (file, 1, 3)
    assert printed("replay", file, "--check") == {"steps": 3, "same": True, "difference": None}
    made = printed("init", "odd_thing_env", "--output-dir", str(tmp_path))
    assert str(tmp_path / "odd_thing_env" / "models.py") in str(made["files"])
    [episode] = printed("demo", "connect4", "--transport", "inprocess")["episodes"]  # type: ignore[misc]
    assert episode["environment"] == "connect4"


def test_an_option_that_is_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "chess", "--random", "--steps", "1", "--option", "oponent=self"]) == 1
    error = capsys.readouterr().err
    assert "'oponent' is unknown" in error
    assert "Did you mean 'opponent'?" in error


def test_a_command_whose_packages_are_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openenv_gym.cli.benchmark.suite", None)
    monkeypatch.delattr("openenv_gym.cli.benchmark.suite", raising=False)
    assert main(["bench"]) == 1
    assert 'pip install "openenv-gym[bench]"' in capsys.readouterr().err


def test_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed["environments"]] == list(ENVIRONMENTS)
    assert [entry["name"] for entry in listed["transports"]] == list(TRANSPORTS)
    assert all(entry["id"] == ENVIRONMENTS[entry["name"]].id for entry in listed["environments"])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("size=5", 5),
        ("size=5.5", 5.5),
        ("size=-1", -1),
        ("size=true", True),
        ("size=null", None),
        ("size=[1, 2]", [1, 2]),
        ('size={"a": 1}', {"a": 1}),
        ('size="5"', "5"),
        ("size=white", "white"),
        ("size=a=b", "a=b"),
        ("size=", ""),
        ("size=../x y", "../x y"),
    ],
)
def test_the_value_of_an_option(word: str, value: object) -> None:
    assert options_of([word]) == {"size": value}


def test_of_an_option_given_twice_the_last_counts() -> None:
    assert options_of(["a=1", "b=2", "a=3"]) == {"a": 3, "b": 2}


@pytest.mark.parametrize("word", ["size", "", "=5"])
def test_what_is_no_option(word: str) -> None:
    with pytest.raises(OptionError, match="NAME=VALUE"):
        options_of([word])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "ches"], "Did you mean 'chess'?"),
        (["serve", "ches", "--pipe", "/nowhere"], "Did you mean 'chess'?"),
        (["serve", "echo", "--pipe", "/proc/nowhere"], "cannot hold a pipe"),
        (["serve", "echo", "--pipe", "{tmp}", "--web"], "not with --pipe"),
        (["serve", "echo", "--pipe", "{tmp}", "--option", "size"], "NAME=VALUE"),
        (["serve", "no.such:Class", "--pipe", "{tmp}"], "There is no module 'no'"),
        (["serve", "echo", "--fd", "999"], "999"),
        (["serve", "echo", "--max-sessions", "0"], "--max-sessions 0 is not a valid limit"),
        (["serve", "echo", "--pipe", "{tmp}", "--max-sessions", "-1"], "above 0"),
        (["serve", "echo", "--idle-timeout", "nan"], "--idle-timeout nan is not a valid limit"),
        (["build", "ches"], "Did you mean 'chess'?"),
    ],
)
def test_an_error_is_said_and_no_more(
    arguments: list[str], said: str, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(tmp=tmp_path) for word in arguments]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.lstrip().startswith("openenv-gym: ")
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("words", [["list", "--no-such"], ["no-such"], ["serve"]])
def test_wrong_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: openenv-gym" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"openenv-gym {command}" in capsys.readouterr().out


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "openenv_gym.cli", "serve", "ches"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("openenv-gym: There is no environment 'ches'.")


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

LINE = """
import gymnasium
class Line(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}
    def step(self, action):
        return 0, 0.0, False, False, {}
"""


@pytest.mark.parametrize("words", [["-m", "openenv_gym.cli"], ["openenv-gym"]])
@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_modules_of_the_current_folder(words: list[str], transport: str, tmp_path: Path) -> None:
    """Are found, and hide none that are installed."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "line.py").write_text(LINE)
    (tmp_path / "chess.py").write_text("raise RuntimeError('notes on openings')\n")
    script = tmp_path / "bin" / "openenv-gym"
    script.parent.mkdir()
    script.write_text("import sys\nfrom openenv_gym.cli import main\nsys.exit(main())\n")
    if words == ["openenv-gym"]:
        words = [str(script)]
    for name in ("acme.line:Line", "chess"):
        done = subprocess.run(
            [sys.executable, *words, "play", name, "--random", "--steps", "1"]
            + ["--transport", transport],
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=100.0,
        )
        assert done.returncode == 0, done.stderr


def test_ctrl_c_at_the_prompt() -> None:
    """Ends the command without a traceback."""
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = [sys.executable, "-m", "openenv_gym.cli", "play", "connect4"]
        os.execve(sys.executable, arguments, ENVIRONMENT)
    try:
        assert "action>" in _read(terminal, "action>")
        os.write(terminal, b"\x03")
        said = _read(terminal, None)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(terminal)
    assert "Traceback" not in said
    assert os.waitstatus_to_exitcode(status) == 130


def _read(terminal: int, until: str | None) -> str:
    """What comes from a terminal, until a text came or it ended."""
    said = ""
    deadline = time.monotonic() + 100.0
    while (until is None or until not in said) and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:  # Linux: the other end is closed
                break
            if not data:
                break
            said += data.decode(errors="replace")
    return said


def test_a_reader_who_leaves() -> None:
    """As in openenv-gym list --all | head -1."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "openenv_gym.cli", "list", "--all"],
            env=ENVIRONMENT,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=100.0,
        )
    finally:
        os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""
