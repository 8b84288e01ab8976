"""The contract tests of OpenSpiel, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"action_id": "int!", "game_name": "str", "game_params": "obj"},
    observation={
        "info_state": "[num]",
        "legal_actions": "[int]",
        "game_phase": "str",
        "current_player_id": "int",
        "opponent_last_action": "int?",
    },
    sample={"action_id": 0},
    state={
        "game_name": "str",
        "agent_player": "int",
        "opponent_policy": "str",
        "game_params": "obj",
        "num_players": "int",
    },
    reset_reward=None,
)


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
