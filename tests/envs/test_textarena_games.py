"""All of TextArena's games: each plays, the same for the same seed, or says why it does not."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import play

VARIANTS = ENVIRONMENTS["textarena"].variants
SWEEP = Path(__file__).with_name("textarena_sweep.py")


def swept(hash_seed: str, *arguments: str) -> dict[str, Any]:
    """What the sweep tells, in a process that puts sets of texts in an order of its own."""
    done = subprocess.run(
        [sys.executable, str(SWEEP), *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reported: dict[str, Any] = json.loads(done.stdout)
    return reported


@pytest.fixture(scope="module")
def sweep() -> dict[str, Any]:
    return swept("1")


def test_every_game_plays_or_says_why_not(sweep: dict[str, Any]) -> None:
    reasons = {game: reported["error"] for game, reported in sweep.items() if "error" in reported}
    expected = {
        "Python 3.12": [
            "Checkers",
            "Chess",
            "IteratedStagHunt",
            "Klondike",
            "ReverseTicTacToe",
            "UltimateTexasHoldem",
        ],
        "OPENROUTER_API_KEY": ["Debate", "GuessWho", "ScenarioPlanning", "TwentyQuestions"],
        "the package gym": ["BabyAiText"],
        "the package textarena lacks": ["ScorableGames", "UsedCarNegotiation"],
        "cannot be played": ["CharacterConclave", "MarketEntryGame"],
    }
    if sys.version_info >= (3, 12):
        del expected["Python 3.12"]
    assert len(sweep) == 95
    assert sorted(reasons) == sorted(itertools.chain(*expected.values()))
    for reason, games in expected.items():
        for game in games:
            assert reason in reasons[game]
            assert game in reasons[game]


def test_a_seed_decides_every_game(sweep: dict[str, Any]) -> None:
    """Twice in the process, with another episode between; and in another process."""
    played = {game: reported for game, reported in sweep.items() if "error" not in reported}
    assert [
        game for game, reported in played.items() if reported["first"] != reported["again"]
    ] == []
    assert [game for game, reported in played.items() if reported["outside"]] == []
    other = swept("2", "--once")
    assert [game for game in played if played[game]["first"] != other[game]["first"]] == []


def test_no_game_touches_the_process_own_random_numbers(sweep: dict[str, Any]) -> None:
    assert [game for game, reported in sweep.items() if reported.get("touched")] == []


@pytest.mark.parametrize("game", VARIANTS)
def test_every_id(game: str) -> None:
    env = gymnasium.make(f"openenv/TextArena.{game}-v0")
    for transition in play(env, seed=1, steps=4, actions=("[1]", "[crane]")):
        assert env.observation_space.contains(transition.observation)
    assert env.unwrapped.state()["env_id"] == f"{game}-v0"  # type: ignore[attr-defined]
    env.close()


def test_ids_are_all_the_games_for_one(sweep: dict[str, Any]) -> None:
    """In the sweep a game has as few players as it takes."""
    alone = {game for game, reported in sweep.items() if reported.get("players") == 1}
    assert alone - {"PublicGoodsGame"} == set(VARIANTS)  # it takes one, but is for more
