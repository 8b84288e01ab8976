"""The contract tests of BrowserGym, which run over every transport, and its JSON fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from openenv_gym.testing import EnvironmentContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"action_str": "str!"},
    observation={
        "text": "str",
        "url": "str",
        "screenshot": "[[[int]]]?",
        "goal": "str",
        "axtree_txt": "str",
        "pruned_html": "str",
        "error": "str",
        "last_action_error": "bool",
    },
    sample={"action_str": "noop()"},
    state={
        "benchmark": "str",
        "task_name": "str",
        "task_id": "str?",
        "goal": "str",
        "current_url": "str",
        "max_steps": "int?",
        "cum_reward": "num",
    },
    metadata={"browsergym_obs": "obj", "browsergym_info": "obj"},
)


@pytest.mark.browser
class TestBrowserGym(EnvironmentContract):
    id = "openenv/BrowserGym-v0"
    steps = 6
    actions: ClassVar[Sequence[Any]] = [
        "mouse_move(60, 90)",
        "press('13', 'Tab')\nnoop(300)",
        "click('no such bid')",
        "click('13')",
    ]
