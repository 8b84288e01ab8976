"""FinRL's own trading environment, loaded without the rest of FinRL and its dependencies.

Importing the package ``finrl`` imports clients of brokers that its wheel does not require. The one
module that is needed here also imports Matplotlib and Stable-Baselines3, for methods that are not
called, and switches Matplotlib to another backend. So this module executes FinRL's module alone,
with stand-ins for these two imports. Other modules do not see any of it: neither ``sys.modules``
nor Matplotlib's settings change, and imports elsewhere get the real packages.
"""

from __future__ import annotations

import builtins
import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_FILE = Path("meta", "env_stock_trading", "env_stocktrading.py")
_ABSENT = ("matplotlib", "stable_baselines3")
_STAND_IN = SimpleNamespace(use=lambda backend: None, pyplot=None, DummyVecEnv=None)


def _import(name: str, *details: Any) -> Any:
    """Implement the statement ``import`` of FinRL's module."""
    return _STAND_IN if name.startswith(_ABSENT) else builtins.__import__(name, *details)


def _load() -> Any:
    spec = importlib.util.find_spec("finrl")  # which does not import it
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'finrl'", name="finrl")
    file = Path(spec.submodule_search_locations[0]) / _FILE
    module = ModuleType(f"{__name__}.{file.stem}")
    # CPython looks up a module's built-in names here.
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    exec(compile(file.read_bytes(), file, "exec", dont_inherit=True), module.__dict__)
    return module.__dict__["StockTradingEnv"]


StockTradingEnv: Any = _load()
"""``finrl.meta.env_stock_trading.env_stocktrading.StockTradingEnv``."""
