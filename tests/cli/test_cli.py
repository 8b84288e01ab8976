"""The command: what it lists, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from openenv_gym.cli import _COMMANDS, main
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


def test_a_command_whose_packages_are_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openenv_gym.cli.benchmark.suite", None)
    monkeypatch.delattr("openenv_gym.cli.benchmark.suite", raising=False)
    assert main(["bench"]) == 1
    assert 'pip install "openenv-gym[bench]"' in capsys.readouterr().err


def test_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in told["environments"]] == list(ENVIRONMENTS)
    assert [entry["name"] for entry in told["transports"]] == list(TRANSPORTS)
    assert all(entry["id"] == ENVIRONMENTS[entry["name"]].id for entry in told["environments"])


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
        (["serve", "echo", "--max-sessions", "0"], "--max-sessions 0 is no limit"),
        (["serve", "echo", "--pipe", "{tmp}", "--max-sessions", "-1"], "above 0"),
        (["serve", "echo", "--idle-timeout", "nan"], "--idle-timeout nan is no limit"),
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


@pytest.mark.parametrize("words", [["list", "--no-such"], ["no-such"], [], ["serve"]])
def test_wrong_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: openenv-gym" in capsys.readouterr().err


@pytest.mark.parametrize("command", _COMMANDS)
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
