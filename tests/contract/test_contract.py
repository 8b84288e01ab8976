"""The contract, for every environment that comes with the package, over every transport."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import pytest

from openenv_gym.testing import EnvironmentContract, TrajectoryContract, assert_checked
from openenv_gym_envs.gymnasium.every_space import SPACES

_EVERY_SPACE = "openenv_gym_envs.gymnasium.every_space:openenv-test/EverySpace-v0"


@pytest.fixture(autouse=True)
def _headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


class TestAtari(EnvironmentContract):
    id = "openenv/Atari-v0"


class TestAtariMemory(TrajectoryContract):
    id = "openenv/Atari.breakout-v0"
    options: ClassVar[dict[str, Any]] = {"obs_type": "ram", "frameskip": (2, 5)}


@pytest.mark.browser
class TestBrowserGym(EnvironmentContract):
    id = "openenv/BrowserGym-v0"
    steps = 6
    actions: ClassVar[list[str]] = [
        "mouse_move(60, 90)",
        "press('13', 'Tab')\nnoop(300)",
        "click('no such bid')",
        "click('13')",
    ]


class TestChat(EnvironmentContract):
    id = "openenv/Chat-v0"
    options: ClassVar[dict[str, Any]] = {
        "system_prompt": "You are kind.",
        "prompts": ["Hello!", "Hola", "やあ"],
        "max_tokens": 200,
    }


class TestChatInText(TrajectoryContract):
    id = "openenv/Chat-v0"
    options: ClassVar[dict[str, Any]] = {"mode": "text", "reply": ["Go on.", "<|im_end|>", "🌍"]}


class TestChess(EnvironmentContract):
    id = "openenv/Chess-v0"


class TestChessAsEitherColor(TrajectoryContract):
    id = "openenv/Chess-v0"
    options: ClassVar[dict[str, Any]] = {"opponent": "greedy", "agent_color": "random"}


class TestCoding(EnvironmentContract):
    """Of random code there is only the error to see, whose text another Python words otherwise."""

    id = "openenv/Coding-v0"
    steps = 12
    actions = (
        "import random, math\nx = [random.random() for _ in range(3)]\nx",
        "print('\U0001f30d', math.pi); {'a': x, 'b': None}",
        "import sys; print('there', file=sys.stderr); float('nan')",
        "def f(n):\n    return n / (len(x) - 3)\nf(1)",
        "if True print(1)",
        "import os; os.getcwd()",
        "raise ValueError('a\u0304\\ud800')",
        "hash('abc'), {*'abcdef'}, id",
        "exit(3)",
        "'x' * 100_000",
        "",
        "import os; os._exit(5)",
        "x",
    )


class TestCodingBySmolagents(TrajectoryContract):
    id = "openenv/Coding-v0"
    options: ClassVar[dict[str, Any]] = {"executor": "smolagents"}

    @pytest.fixture(scope="class", params=["inprocess", "http", "websocket", "process"])
    @classmethod
    def transport(cls, request: pytest.FixtureRequest) -> str:
        """All but docker: a container has the sandbox, and not smolagents."""
        name: str = request.param
        return name


class TestConnect4(EnvironmentContract):
    id = "openenv/Connect4-v0"


class TestConnect4AgainstMinimax(TrajectoryContract):
    id = "openenv/Connect4-v0"
    options: ClassVar[dict[str, Any]] = {"opponent": "minimax", "depth": 2}


class TestDIPGSafety(EnvironmentContract):
    id = "openenv/DIPGSafety-v0"


class TestEcho(EnvironmentContract):
    id = "openenv/Echo-v0"


class TestFinRL(EnvironmentContract):
    id = "openenv/FinRL-v0"


class TestFinRLOfOneShare(TrajectoryContract):
    """With its last day among the steps."""

    id = "openenv/FinRL-v0"
    options: ClassVar[dict[str, Any]] = {"tickers": ["IBM"], "start": "2013-02-01"}


def _git(command: str = "", kind: int = 2, name: str = "", folder: str = "bookshop") -> Any:
    texts = {"repo_name": name, "target_dir": "", "command": command, "working_dir": folder}
    return {"action_type": kind, **texts, "stdin": ""}


class TestGit(EnvironmentContract):
    """Hashes of commits are in what is compared."""

    id = "openenv/Git-v0"
    options: ClassVar[dict[str, Any]] = {"task_id": "rebase-and-push"}
    steps = 14
    actions = (
        _git(kind=0),
        _git(kind=1, name="bookshop"),
        _git("switch basket"),
        _git("log --stat --graph --all"),
        _git("rebase main"),
        _git("stash list --unknown"),
        _git("rev-parse --show-toplevel HEAD"),
        _git("fsck --unreachable --no-reflogs"),
        _git("gc"),
        _git("commit --allow-empty -m 'Nothing\u0301'"),
        _git("reflog --date=iso --all"),
        _git("push", folder="/workspace/bookshop"),
        _git("reset --hard HEAD~1"),
        _git("push --force origin basket"),
    )


class TestCartPole(EnvironmentContract):
    id = "openenv/Gymnasium-v0"
    options: ClassVar[dict[str, Any]] = {"env_id": "CartPole-v1"}


class TestSumoRL(EnvironmentContract):
    id = "openenv/SumoRL-v0"


class TestSumoRLOfAllJunctions(TrajectoryContract):
    id = "openenv/SumoRL-v0"
    options: ClassVar[dict[str, Any]] = {"net": "2x2grid", "reward_fn": "pressure"}


class TestOpenSpielBoardGame(EnvironmentContract):
    id = "openenv/OpenSpiel.connect_four-v0"


class TestOpenSpielWithChance(TrajectoryContract):
    id = "openenv/OpenSpiel.backgammon-v0"
    options: ClassVar[dict[str, Any]] = {"agent_player": "random"}


class TestOpenSpielInText(TrajectoryContract):
    id = "openenv/OpenSpiel-v0"
    options: ClassVar[dict[str, Any]] = {"game": "leduc_poker", "observation": "text"}


class TestOpenSpielAllAtOnce(TrajectoryContract):
    id = "openenv/OpenSpiel.goofspiel-v0"


class TestOpenSpielInAllSeats(TrajectoryContract):
    id = "openenv/OpenSpiel-v0"
    options: ClassVar[dict[str, Any]] = {"game": "goofspiel(players=3)", "opponent": "self"}


class TestOpenSpielSearch(TrajectoryContract):
    id = "openenv/OpenSpiel.tic_tac_toe-v0"
    options: ClassVar[dict[str, Any]] = {"opponent": "mcts", "simulations": 50}


class TestTextArena(EnvironmentContract):
    id = "openenv/TextArena-v0"


class TestTextArenaWithOthers(TrajectoryContract):
    id = "openenv/TextArena-v0"
    options: ClassVar[dict[str, Any]] = {"env_id": "Poker-v0", "num_players": 3, "agent_player": 1}


class _EverySpace(TrajectoryContract):
    id = "openenv/Gymnasium-v0"
    steps = 25

    def test_checker(self) -> None:
        env = gymnasium.make(self.id, **self.options)
        assert_checked(env)
        env.close()


for _kind in SPACES:
    _name = f"Test{_kind.title().replace('.', '')}Space"
    _options = {"env_id": _EVERY_SPACE, "env_kwargs": {"kind": _kind}}
    globals()[_name] = type(_name, (_EverySpace,), {"options": _options})
