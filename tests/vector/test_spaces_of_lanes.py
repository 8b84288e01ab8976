"""The Spaces of all lanes are drawn from as that of one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Space, Tuple
from gymnasium.vector.utils import batch_space

from openenv_gym.spaces.batch import space_of_lanes

INF = np.inf
INT = Box(-INF, INF, (2,), np.int64)


@pytest.mark.parametrize(
    ("space", "lowest", "highest"),
    [
        (INT, -99, 99),
        (Box(0, INF, (1,), np.int64), 0, 99),
        (Box(-INF, 5, (1,), np.int64), -99, 5),
        (Box(3, 7, (1,), np.int64), 3, 7),
        (Box(-INF, INF, (1,), np.float32), -99, 99),
        (Dict(a=INT, b=Tuple([INT, INT])), -99, 99),
    ],
)
def test_lanes_are_sampled_as_one(space: Space[Any], lowest: int, highest: int) -> None:
    lanes = space_of_lanes(space, 3)
    assert lanes == batch_space(space, 3)
    lanes.seed(0)
    drawn = np.concatenate([part for _ in range(20) for part in _arrays(lanes.sample())])
    assert drawn.min() >= lowest
    assert drawn.max() <= highest
    assert len(set(drawn.tolist())) > 2


def _arrays(value: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(value, dict):
        return [array for part in value.values() for array in _arrays(part)]
    if isinstance(value, tuple):
        return [array for part in value for array in _arrays(part)]
    return [value.ravel()]
