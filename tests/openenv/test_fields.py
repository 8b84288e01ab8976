"""The JSON fields of every bundled environment are those of OpenEnv's, which its clients read.

What OpenEnv has is written down here by hand, from its models; where its clients hand an
observation to a model that takes no further fields, ours has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from openenv_gym import registry
from openenv_gym.cli.demo import EPISODES, Episode
from tests.servers import serving

Kinds = Mapping[str, str]


@dataclass(frozen=True)
class Contract:
    """Fields and their kinds: ``int``, ``str``, ``num``, ``bool``, ``obj``; ``[int]``; ``int?``.

    Attributes:
        action: Of an action; ``!`` behind the kind: required.
        observation: Of an observation.
        state: Of the state, beside ``episode_id`` and ``step_count``.
        metadata: Of the metadata, after a reset and after a step.
        stepped: Of the metadata after a step alone.
        exact: The observation has no further fields.
        sample: An action to step with, whose reply has the same fields.
        begun: The reward of a reset.
        config: What ``/config`` tells, where there is such a route.
    """

    action: Kinds
    observation: Kinds
    sample: dict[str, Any]
    state: Kinds = field(default_factory=dict)
    metadata: Kinds = field(default_factory=dict)
    stepped: Kinds = field(default_factory=dict)
    exact: bool = False
    begun: float | None = 0.0
    config: Kinds = field(default_factory=dict)


CONTRACTS: Mapping[str, Contract] = {
    "atari": Contract(
        {"action_id": "int!", "game_name": "str", "obs_type": "str", "full_action_space": "bool"},
        {
            "screen": "[int]",
            "screen_shape": "[int]",
            "legal_actions": "[int]",
            "lives": "int",
            "episode_frame_number": "int",
            "frame_number": "int",
        },
        {"action_id": 0},
        {
            "game_name": "str",
            "obs_type": "str",
            "full_action_space": "bool",
            "mode": "int?",
            "difficulty": "int?",
            "repeat_action_probability": "num",
            "frameskip": "int",
        },
        {"game_name": "str", "action_meanings": "[str]"},
    ),
    "browsergym": Contract(
        {"action_str": "str!"},
        {
            "text": "str",
            "url": "str",
            "screenshot": "[[[int]]]?",
            "goal": "str",
            "axtree_txt": "str",
            "pruned_html": "str",
            "error": "str",
            "last_action_error": "bool",
        },
        {"action_str": "noop()"},
        {
            "benchmark": "str",
            "task_name": "str",
            "task_id": "str?",
            "goal": "str",
            "current_url": "str",
            "max_steps": "int?",
            "cum_reward": "num",
        },
        {"browsergym_obs": "obj", "browsergym_info": "obj"},
    ),
    "chat": Contract(
        {"tokens": "[int]!"},
        {"messages": "[obj]", "tokens": "[int]"},
        {"tokens": [1]},
        {"history_messages": "[obj]", "history_tokens": "[[int]]"},
        begun=None,
    ),
    "chess": Contract(
        {"move": "str!"},
        {"fen": "str", "legal_moves": "[str]", "is_check": "bool", "result": "str?"},
        {"move": "e2e4"},
        {"fen": "str", "current_player": "str", "move_history": "[str]"},
        {"evaluation": "num", "fullmove_number": "int", "halfmove_clock": "int"},
    ),
    "coding": Contract(
        {"code": "str!"},
        {"stdout": "str", "stderr": "str", "exit_code": "int"},
        {"code": "print(1)"},
        {"last_exit_code": "int"},
        stepped={"last_code": "str"},
        exact=True,
    ),
    "connect4": Contract(
        {"column": "int!"},
        {"board": "[[int]]", "legal_actions": "[int]"},
        {"column": 3},
        {"board": "[[int]]", "next_player": "int"},
        {"next_player": "int"},
    ),
    "dipg": Contract(
        {"llm_response": "str!"},
        {"context": "str", "question": "str"},
        {"llm_response": "no"},
        {"current_context": "str", "current_question": "str", "expected_answer": "obj"},
        begun=None,
    ),
    # The form of OpenEnv's guide, for which users write their first client. In 0.10 its echo_env
    # has tools of MCP in place of an action: another environment, whose actions have no Space.
    "echo": Contract(
        {"message": "str!"},
        {"echoed_message": "str", "message_length": "int"},
        {"message": "Hello!"},
        stepped={"original_message": "str", "step": "int"},
    ),
    "finrl": Contract(
        {"actions": "[num]!"},
        {"state": "[num]", "portfolio_value": "num", "date": "str"},
        {},  # as many as there are stocks
        config={
            "stock_dim": "int",
            "initial_amount": "num",
            "action_space": "int",
            "state_space": "int",
            "tech_indicators": "[str]",
        },
    ),
    "git": Contract(
        {
            "action_type": "str",
            "repo_name": "str",
            "target_dir": "str?",
            "command": "str",
            "working_dir": "str",
        },
        {"success": "bool", "message": "str", "output": "str", "error": "str", "repos": "[obj]"},
        {"action_type": "list_repos"},
        {"gitea_ready": "bool", "workspace_path": "str"},
        begun=None,
    ),
    "openspiel": Contract(
        {"action_id": "int!", "game_name": "str", "game_params": "obj"},
        {
            "info_state": "[num]",
            "legal_actions": "[int]",
            "game_phase": "str",
            "current_player_id": "int",
            "opponent_last_action": "int?",
        },
        {"action_id": 0},
        {
            "game_name": "str",
            "agent_player": "int",
            "opponent_policy": "str",
            "game_params": "obj",
            "num_players": "int",
        },
        begun=None,
    ),
    "sumo": Contract(
        {"phase_id": "int!", "ts_id": "str"},
        {
            "observation": "[num]",
            "observation_shape": "[int]",
            "action_mask": "[int]",
            "sim_time": "num",
        },
        {"phase_id": 0},
        {
            "net_file": "str",
            "route_file": "str",
            "num_seconds": "int",
            "delta_time": "int",
            "yellow_time": "int",
            "min_green": "int",
            "max_green": "int",
            "reward_fn": "str",
            "sim_time": "num",
            "total_vehicles": "int",
            "total_waiting_time": "num",
            "mean_waiting_time": "num",
            "mean_speed": "num",
        },
        {"num_green_phases": "int", "system_info": "obj"},
        begun=None,
    ),
    "textarena": Contract(
        {"message": "str!"},
        {
            "prompt": "str",
            "messages": "[obj]",
            "current_player_id": "int",
            "legal_players": "[int]",
            "info": "obj",
        },
        {"message": "[crane]"},
        {
            "env_id": "str",
            "num_players": "int",
            "max_turns": "int?",
            "turn": "int",
            "last_reward": "num",
            "last_info": "obj",
            "raw_state": "obj",
        },
        {"env_id": "str", "turn": "int", "raw_messages": "[obj]"},
        {"reward_signals": "obj"},
    ),
}
NOT_OF_OPENENV = {"gymnasium"}  # OpenEnv has no environment that is any of gymnasium's

_PLAIN: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "num": (int, float),
    "str": (str,),
    "bool": (bool,),
    "obj": (dict,),
}


def fits(kind: str, value: Any) -> bool:
    if kind.endswith("?"):
        return value is None or fits(kind[:-1], value)
    if kind.startswith("["):
        return isinstance(value, list) and all(fits(kind[1:-1], item) for item in value)
    return isinstance(value, _PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))


def check(kinds: Kinds, fields: Mapping[str, Any]) -> None:
    assert not kinds.keys() - fields.keys(), "fields are missing"
    wrong = {name: fields[name] for name, kind in kinds.items() if not fits(kind, fields[name])}
    assert not wrong


def test_no_environment_is_left_out() -> None:
    assert registry.ENVIRONMENTS.keys() - NOT_OF_OPENENV == CONTRACTS.keys() & (
        registry.ENVIRONMENTS.keys()
    )


@pytest.mark.parametrize("name", sorted(CONTRACTS.keys() & registry.ENVIRONMENTS.keys()))
def test_fields(name: str) -> None:
    contract = CONTRACTS[name]
    options = EPISODES.get(name, Episode()).options
    with (
        serving(name, options=options) as served,
        httpx.Client(base_url=served.url("http"), timeout=60.0) as client,
    ):
        begun = client.post("/reset", json={"seed": 1, "episode_id": "ep"}).json()
        action = client.get("/schema").json()["action"]
        sample = contract.sample or {"actions": [0.0] * _length(action["properties"]["actions"])}
        stepped = client.post("/step", json={"action": sample})
        state = client.get("/state").json()
        config = client.get("/config")
        paths = client.get("/openapi.json").json()["paths"]
    assert stepped.status_code == 200, stepped.text
    assert {*contract.action, "metadata"} <= set(action["properties"])
    required = {field for field, kind in contract.action.items() if kind.endswith("!")}
    assert set(action.get("required", [])) == required
    assert begun["reward"] == contract.begun
    assert config.status_code == (200 if contract.config else 404)
    assert ("/config" in paths) == bool(contract.config)
    if contract.config:
        check(contract.config, config.json())
        assert config.json().keys() == contract.config.keys()
    both = contract.metadata
    for told, metadata in ((begun, both), (stepped.json(), {**both, **contract.stepped})):
        assert told.keys() == {"observation", "reward", "done", "metadata"}
        observation = told["observation"]
        check(contract.observation, observation)
        check(metadata, observation["metadata"])
        assert (told["metadata"] or {}) == observation["metadata"]
        if contract.exact:
            assert observation.keys() == {*contract.observation, "metadata"}
    check(contract.state, state)
    assert (state["episode_id"], state["step_count"]) == ("ep", 1)


def _length(schema: Any) -> int:
    assert schema["minItems"] == schema["maxItems"]
    return int(schema["minItems"])
