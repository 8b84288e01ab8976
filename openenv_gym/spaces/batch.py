"""Batches of Space values, made from the values of lanes and from the batches of workers.

The result equals that of gymnasium's ``concatenate`` for any Space; arrays and dicts of arrays,
which nearly all observations are, take less time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from gymnasium.vector.utils import concatenate, create_empty_array

Batch = Callable[[Sequence[Any]], Any]


@singledispatch
def batcher(space: Space[Any]) -> Batch:
    """Return a function that makes one batch from a value for each lane."""

    def batch(values: Sequence[Any]) -> Any:
        empty: Any = create_empty_array(space, len(values))
        return concatenate(space, values, empty)

    return batch


@batcher.register
def _box(space: spaces.Box) -> Batch:
    shape, dtype = space.shape, space.dtype
    if not shape:
        return lambda values: np.array(values, dtype)

    def batch(values: Sequence[Any]) -> Any:
        # This takes half the time of numpy.stack, which checks each array by itself.
        flat = np.concatenate(values, dtype=dtype, casting="same_kind")
        return flat.reshape(len(values), *shape)

    return batch


@batcher.register
def _dict(space: spaces.Dict) -> Batch:
    parts = {key: batcher(sub) for key, sub in space.spaces.items()}

    def batch(values: Sequence[Any]) -> Any:
        return {key: part([value[key] for value in values]) for key, part in parts.items()}

    return batch


def join(space: Space[Any], batches: Sequence[Any]) -> Any:
    """Join several batches to one, with the lanes of all workers in order.

    Args:
        space: The Space of a single value.
        batches: The batch of each worker.
    """
    if len(batches) == 1:
        return batches[0]
    if isinstance(space, spaces.Dict):
        return {
            key: join(sub, [batch[key] for batch in batches]) for key, sub in space.spaces.items()
        }
    if isinstance(space, spaces.Tuple):
        return tuple(
            join(sub, [batch[i] for batch in batches]) for i, sub in enumerate(space.spaces)
        )
    if isinstance(batches[0], np.ndarray):
        return np.concatenate(batches)
    return tuple(value for batch in batches for value in batch)
