"""Folders whose ``server/app.py`` imports by several layouts: one package each, its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openenv_gym import registry
from openenv_gym.registry.folder import folder_entry

RELATIVE = "from ..models import ThingAction\nfrom .thing_environment import ThingEnvironment"
BARE = "from models import ThingAction\nfrom server.thing_environment import ThingEnvironment"
NAMED = (
    "from {0}thing_env.models import ThingAction\n"
    "from {0}thing_env.server.thing_environment import ThingEnvironment"
)
MODELS = """
from typing import Annotated
from gymnasium.spaces import Discrete
from openenv_gym import Action, Observation, State
class ThingAction(Action):
    x: Annotated[int, Discrete(2)]
class ThingObservation(Observation):
    x: Annotated[int, Discrete(2)] = 0
"""
ENVIRONMENT = """
from openenv_gym import Environment, State
try:
    from ..models import ThingAction, ThingObservation
except ImportError:
    from models import ThingAction, ThingObservation
class ThingEnvironment(Environment[ThingAction, ThingObservation, State]):
    def reset(self): return ThingObservation()
    def step(self, action): return ThingObservation(x=action.x)
    @property
    def state(self): return State()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "thing_env"
    (made / "server").mkdir(parents=True)
    (made / "openenv.yaml").write_text("name: thing\n")
    (made / "models.py").write_text(MODELS)
    (made / "server" / "thing_environment.py").write_text(ENVIRONMENT)
    yield made
    for name in [name for name in sys.modules if name.partition(".")[0] == "thing_env"]:
        del sys.modules[name]


def indented(text: str) -> str:
    return "    " + text.replace("\n", "\n    ")


LAYOUTS = [
    (RELATIVE, BARE),
    (BARE, RELATIVE),
    (RELATIVE, NAMED.format("envs.")),
    (NAMED.format(""), BARE),
    (BARE, NAMED.format("envs.")),
]


@pytest.mark.parametrize(("first", "second"), LAYOUTS)
def test_a_folder_is_its_own_package(first: str, second: str, folder: Path) -> None:
    (folder / "server" / "app.py").write_text(
        f"try:\n{indented(first)}\nexcept ImportError:\n{indented(second)}\n"
        "app = create_app(ThingEnvironment, ThingAction, env_name='thing')\n"
    )
    entry = folder_entry(str(folder))
    assert entry.target == "thing_env.server.thing_environment:ThingEnvironment"
    assert entry.models == {"action": "thing_env.models:ThingAction"}
    made = registry.load(entry)
    assert made.__module__ == "thing_env.server.thing_environment"
    assert not {"models", "server"} & sys.modules.keys()
