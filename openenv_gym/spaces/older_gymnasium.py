"""All work-arounds for gymnasium before 1.4.

Each work-around says which versions need it, so that it can go when these are no longer supported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Discrete


def discrete(n: int, start: int = 0, dtype: Any = np.int64) -> Discrete[Any]:
    """Make a Discrete.

    gymnasium 1.1 has only int64 and no keyword ``dtype``; another dtype is a TypeError there.
    """
    kind = np.dtype(dtype)
    if kind == np.int64:
        return Discrete(n, start=start)
    return Discrete(n, start=start, dtype=kind.type)
