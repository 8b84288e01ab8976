"""The bundled environments, as tests find them: by their folders."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest

from openenv_gym import registry
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import EnvironmentContract


def contract_module(name: str) -> ModuleType:
    """The ``contract.py`` in the folder of an environment."""
    found = registry.part(ENVIRONMENTS[name], "contract")
    assert found is not None, f"envs/openenv_gym_envs/{name}/contract.py is missing"
    return found


def whole_contract(name: str) -> type[EnvironmentContract]:
    """The class in it that holds the environment to the whole contract."""
    classes = [
        cls
        for _, cls in inspect.getmembers(contract_module(name), inspect.isclass)
        if issubclass(cls, EnvironmentContract) and cls is not EnvironmentContract
    ]
    assert len(classes) == 1, f"{name}/contract.py has {len(classes)} EnvironmentContracts"
    return classes[0]


def environments() -> list[Any]:
    """Their names, as parameters with the marks of what their tests need, such as a browser."""
    return [
        pytest.param(name, marks=getattr(whole_contract(name), "pytestmark", ()), id=name)
        for name in ENVIRONMENTS
    ]
