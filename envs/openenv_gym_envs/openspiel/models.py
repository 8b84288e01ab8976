"""Models of the OpenSpiel environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from pydantic import Field

from openenv_gym.models import Action, Array, Info, LegalActions, Observation, State


class OpenSpielAction(Action):
    """One action of the game.

    The other fields are part of OpenEnv's action, where nothing reads them either: the game is an
    option of the environment.

    Attributes:
        action_id: OpenSpiel's number of the action; ``state()`` names the legal ones. Its Space
            depends on the game; here it is that of ``catch``.
        game_name: Not used.
        game_params: Not used.
    """

    action_id: Annotated[int, Discrete(3)]
    game_name: Annotated[str, Info()] = "catch"
    game_params: Annotated[dict[str, Any], Info()] = Field(default_factory=dict)


class OpenSpielObservation(Observation):
    """The view of the player whose turn it is.

    Attributes:
        info_state: (n,) float32, OpenSpiel's tensor in one row, or the text where the game has no
            tensor or with ``observation="text"``. Its Space depends on the game; here it is that
            of ``catch``.
        legal_actions: The actions that are legal now, ascending; empty once the game is over.
        game_phase: ``"initial"`` after a reset, ``"terminal"`` once the game is over.
        current_player_id: Player whose turn it is, from 0; -4, as in OpenSpiel, once the game is
            over.
        opponent_last_action: Last action of an opponent since the previous step, if any. It is
            given even where the game hides it: in the info, not in the observation, and in no text
            for a player.
    """

    info_state: Annotated[
        str | Array, Field(union_mode="left_to_right"), Box(-np.inf, np.inf, (50,), np.float32)
    ]
    legal_actions: Annotated[list[int], LegalActions()]
    game_phase: Annotated[str, Info()] = "playing"
    current_player_id: Annotated[int, Info()] = 0
    opponent_last_action: Annotated[int | None, Info(hidden=True)] = None


class OpenSpielState(State):
    """The game and its actions.

    Attributes:
        game_name: Name of the game, as in the environments' ids: ``"tic_tac_toe"``.
        game_params: The parameters of the game that were given.
        num_players: Number of players.
        agent_player: The agent's seat in this episode; with ``opponent="self"`` the seat of the
            player whose turn it is.
        opponent_policy: The option ``opponent``.
        history: All actions since the reset, chance included, as OpenSpiel's ``State.history()``
            returns them. It shows what players do not see.
        legal_actions: The actions that are legal now.
        legal_action_names: OpenSpiel's names of these actions, in the same order.
        step_count: Moves since the reset, of all players.
    """

    game_name: str = "catch"
    game_params: dict[str, Any] = Field(default_factory=dict)
    num_players: int = 1
    agent_player: int = 0
    opponent_policy: str = "random"
    history: list[int] = Field(default_factory=list)
    legal_actions: list[int] = Field(default_factory=list)
    legal_action_names: list[str] = Field(default_factory=list)
