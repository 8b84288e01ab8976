"""The JSON fields of every bundled environment are those of OpenEnv's, which its clients read.

What OpenEnv has is in each environment's ``contract.py``, as ``OPENENV``; an environment of which
OpenEnv has no counterpart has none there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import demo_episode
from openenv_gym_envs.openenv_fields import Kinds
from tests.bundled import contract_module, environments
from tests.servers import serving

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


@pytest.mark.parametrize("name", environments())
def test_fields(name: str) -> None:
    contract = getattr(contract_module(name), "OPENENV", None)
    if contract is None:
        assert name == "gymnasium", "only this one may be any environment at all"
        return
    options = demo_episode(ENVIRONMENTS[name]).options
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
    assert begun["reward"] == contract.reset_reward
    assert config.status_code == (200 if contract.config else 404)
    assert ("/config" in paths) == bool(contract.config)
    if contract.config:
        check(contract.config, config.json())
        assert config.json().keys() == contract.config.keys()
    both = contract.metadata
    for reported, metadata in ((begun, both), (stepped.json(), {**both, **contract.stepped})):
        assert reported.keys() == {"observation", "reward", "done", "metadata"}
        observation = reported["observation"]
        check(contract.observation, observation)
        check(metadata, observation["metadata"])
        assert (reported["metadata"] or {}) == observation["metadata"]
        assert observation.keys() == {*contract.observation, "metadata"}
    check(contract.state, state)
    assert (state["episode_id"], state["step_count"]) == ("ep", 1)


def _length(schema: Any) -> int:
    assert schema["minItems"] == schema["maxItems"]
    return int(schema["minItems"])
