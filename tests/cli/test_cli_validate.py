"""``openenv-gym validate``: what it finds in good and in faulty environments and servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.cli import main
from tests.openenv.peers import peer_server, requires_peers
from tests.servers import serving

GOOD = "tests.faulty:Lamp"


def findings(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the checks that are not ok, by what they check."""
    code = main(["validate", *arguments, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is (code == 0)
    assert report["checks"]
    return code, {one["check"]: one for one in report["checks"] if one["verdict"] != "ok"}


@pytest.mark.parametrize(
    "arguments", [[GOOD], ["chess"], ["gymnasium", "--option", "env_id=CartPole-v1"]]
)
def test_a_good_environment(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert findings(capsys, *arguments) == (0, {})


def test_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "tests.faulty:Greedy"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "ok    the same seed gives the same episode" in said
    assert "FAIL  an unknown option is refused" in said
    assert said[-1] == "8 checks, 1 failed"


SAME = "the same seed gives the same episode"
FAULTS = [
    ("Unseeded", SAME, "observation of step 0"),
    ("TooBright", "observations, rewards and flags are what they must be", "not in Box"),
    (
        "Unrewarding",
        "observations, rewards and flags are what they must be",
        "nan, which is not",
    ),
    ("Greedy", "an unknown option is refused", "no_such_option=1 was accepted"),
    ("Broken", SAME, "ZeroDivisionError: there is no lamp"),
    ("Invisible", "it renders ansi", "render() returns None"),
    ("Unbounded", "it can be made, and has Spaces", "EndlessAction.number"),
    ("Local", "in another process it is the same, bit for bit", "observation of step 0"),
    ("NoSuch", "it can be made, and has Spaces", "has no NoSuch"),
]


@pytest.mark.parametrize(("name", "check", "reason"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_faulty_environment(
    name: str, check: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = findings(capsys, f"tests.faulty:{name}")
    assert code == 1
    assert found[check]["verdict"] == "failed"
    assert reason in found[check]["reason"]


def test_what_is_no_environment(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = findings(capsys, str(tmp_path_factory.mktemp("empty")))
    assert code == 1
    assert "openenv.yaml is missing there" in found["it is found"]["reason"]


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_server_of_ours(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving("connect4", token="right") as served:
        url = f"{scheme}://127.0.0.1:{served.port}/"
        assert findings(capsys, "--url", url, "--token", "right") == (0, {})
        code, found = findings(capsys, "--url", url, "--token", "wrong")
        assert code == 1
        assert "401" in found["GET /metadata has a name and a description"]["reason"]


def test_options_are_for_the_sessions_at_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    with serving("connect4") as served:
        url = served.url("http")
        assert findings(capsys, "--url", url, "--option", "opponent=random") == (0, {})
        code, found = findings(capsys, "--url", url, "--option", "opponent=nobody")
    assert code == 1
    assert "opponent" in found["its Spaces are known, and an episode can be played"]["reason"]


def test_a_server_for_one_client(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(GOOD, max_sessions=1) as served:
        code, found = findings(capsys, "--url", served.url("http"))
    assert code == 0
    (warning,) = found.values()
    assert warning["verdict"] == "warning"
    assert "sessions" in warning["reason"]


@requires_peers
def test_a_server_of_openenvs_own_make(capsys: pytest.CaptureFixture[str]) -> None:
    with peer_server("tests.openenv.environments:nested") as server:
        assert findings(capsys, "--url", server.url) == (0, {})


def test_what_is_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = findings(capsys, "--url", "http://127.0.0.1:9")
    assert code == 1
    assert "GET /health says that it is healthy" in found


@pytest.mark.parametrize("arguments", [[], ["echo", "--url", "http://127.0.0.1:9"]])
def test_one_of_both_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", *arguments]) == 1
    assert "one of them" in capsys.readouterr().err


HANGS = """
import re, time, gymnasium
class Sleeps(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}
    def step(self, action):
        time.sleep(1000)
class NeverMade(Sleeps):
    def __init__(self):
        while True: pass
class HoldsTheInterpreter(Sleeps):
    def step(self, action):
        re.match("(a+)+b", 100 * "a")
class Dies(Sleeps):
    def step(self, action):
        import os; os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(
    ("name", "check", "reason"),
    [
        ("Sleeps", "observations, rewards and flags are what they must be", "within 12 s"),
        ("HoldsTheInterpreter", "observations, rewards and flags are what they", "within 12 s"),
        ("NeverMade", "it can be made, and has Spaces", "within 12 s"),
        ("Dies", "observations, rewards and flags are what they must be", "SIGKILL"),
    ],
)
def test_an_environment_that_hangs_or_dies(
    name: str,
    check: str,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    monkeypatch.syspath_prepend(tmp_path)
    code, found = findings(capsys, f"hangs:{name}", "--timeout", "12")
    assert code == 1
    ((what, finding),) = found.items()
    assert what.startswith(check)
    assert reason in finding["reason"]


def test_what_the_environment_prints_is_not_in_the_report(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prints.py").write_text(
        "from tests.faulty import Lamp\nclass Prints(Lamp):\n"
        "    def reset(self):\n        print('a lamp')\n        return super().reset()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["validate", "prints:Prints", "--json"]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["passed"]
    assert "a lamp" in captured.err


@pytest.mark.parametrize("limit", ["0", "-1", "nan"])
def test_a_limit_that_is_not_valid(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", GOOD, "--timeout", limit]) == 1
    assert f"--timeout {float(limit)}" in capsys.readouterr().err
