"""The contract tests of FinRL, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"actions": "[num]!"},
    observation={"state": "[num]", "portfolio_value": "num", "date": "str"},
    sample={},  # an action has as many numbers as there are shares
    config={
        "stock_dim": "int",
        "initial_amount": "num",
        "action_space": "int",
        "state_space": "int",
        "tech_indicators": "[str]",
    },
)


class TestFinRL(EnvironmentContract):
    id = "openenv/FinRL-v0"


class TestFinRLOfOneShare(TrajectoryContract):
    """Steps that include the last day of the episode."""

    id = "openenv/FinRL-v0"
    options: ClassVar[dict[str, Any]] = {"tickers": ["IBM"], "start": "2013-02-01"}
