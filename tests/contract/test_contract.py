"""The contract, for every environment that comes with the package, over every transport.

The classes are those of the ``contract.py`` in each environment's folder.
"""

from __future__ import annotations

import inspect

import pytest

from openenv_gym.registry import ENVIRONMENTS
from tests.bundled import contract_module


@pytest.fixture(autouse=True)
def _headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


for _environment in ENVIRONMENTS:
    for _name, _class in inspect.getmembers(contract_module(_environment), inspect.isclass):
        if _name.startswith("Test"):
            assert _name not in globals(), f"{_name} is in two folders"
            globals()[_name] = _class
