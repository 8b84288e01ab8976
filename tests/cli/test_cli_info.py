"""``openenv-gym info`` and ``doctor``: what an environment has, and what works here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openenv_gym import registry
from openenv_gym.cli import INCOMPLETE, doctor, main
from openenv_gym.cli.info import describe
from openenv_gym.errors import MissingDependencyError
from openenv_gym.registry import ENVIRONMENTS, TRANSPORTS, Entry


def test_of_chess(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "chess", "--option", "opponent=self"]) == 0
    said = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0].startswith("openenv/Chess-v0: ")
    assert "action Discrete(1968)" in lines
    assert "action mask yes" in lines
    assert "opponent Literal['random', 'greedy', 'stockfish', 'self'] = 'random'" in lines
    assert "packages stockfish" in lines


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "openenv/Atari-v0", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["action_space"]["type"] == "Discrete"
    assert len(info["variants"]) == 104
    options: dict[str, Any] = {option["name"]: option for option in info["options"]}
    assert options["game"] == {
        "name": "game",
        "type": "str",
        "required": False,
        "default": "pong",
    }


def test_of_a_variant(capsys: pytest.CaptureFixture[str]) -> None:
    info = describe("openenv/OpenSpiel.tic_tac_toe-v0", {})
    assert info["stands_for"] == {"game": "tic_tac_toe"}
    assert info["action_space"]["n"] == 9


def test_what_cannot_be_made_without_options(capsys: pytest.CaptureFixture[str]) -> None:
    """Its options are shown all the same, and why it has no Spaces."""
    assert main(["info", "gymnasium"]) == 0
    said = capsys.readouterr().out
    assert "'env_id' must be given" in said
    assert "env_id               str required" in said


def test_of_ones_own() -> None:
    info = describe("tests.environments:Counting", {})
    assert info["target"] == "tests.environments:Counting"
    assert info["variants"] == []
    assert info["container"] == {}


def test_of_no_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "ches"]) == 1
    assert "Did you mean 'chess'?" in capsys.readouterr().err


class TestDoctor:
    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not all environments are imported, which takes long."""
        some = {name: ENVIRONMENTS[name] for name in ("coding", "echo", "chess")}
        monkeypatch.setattr(registry, "ENVIRONMENTS", some)

    def findings(self, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        code = main(["doctor", "--json"])
        found = json.loads(capsys.readouterr().out)
        assert (code == 0) is all(one["works"] for one in found)
        assert code in (0, INCOMPLETE)
        return {one["what"]: one for one in found}

    def test_all_that_there_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = self.findings(capsys)
        things = {"Docker engine", "base image", "extra server", "extra docker"}
        things |= {f"transport {name}" for name in TRANSPORTS}
        things |= {f"environment {name}" for name in ("coding", "echo", "chess")}
        assert things <= found.keys()
        assert found["environment echo"]["works"]

    def test_without_an_engine(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/engine.sock")
        found = self.findings(capsys)
        assert not found["Docker engine"]["works"]
        assert "apt-get install docker.io" in found["Docker engine"]["text"]

    def test_without_a_program(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.which", lambda name, *_: None)
        found = self.findings(capsys)
        assert "apt-get install stockfish" in found["environment chess"]["text"]

    def test_without_packages(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(entry: Entry) -> Any:
            raise MissingDependencyError(f"{entry.name} needs more.")

        monkeypatch.setattr(registry, "load", load)
        monkeypatch.setattr(doctor, "_extras", lambda: {"bench": ["no-such-package"]})
        assert main(["doctor"]) == INCOMPLETE
        said = capsys.readouterr().out
        assert "echo needs more." in said
        assert 'pip install "openenv-gym[bench]"' in said
        assert "work here" in said.splitlines()[-1]
