"""The contract tests of Coding, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"code": "str!"},
    observation={"stdout": "str", "stderr": "str", "exit_code": "int"},
    sample={"code": "print(1)"},
    state={"last_exit_code": "int"},
    stepped={"last_code": "str"},
)


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
