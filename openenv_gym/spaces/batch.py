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
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

Batch = Callable[[Sequence[Any]], Any]

Empty = Callable[[tuple[int, ...], Any], Any]
"""Makes an array of a shape and a dtype, like ``numpy.empty``."""


def space_of_lanes(space: Space[Any], lanes: int) -> Space[Any]:
    """Return gymnasium's ``batch_space``, with the bounds that the Space of a lane does not have.

    A Box of integers without bounds has those of its dtype in the batch, of which ``sample()``
    gives nothing but the lowest, or fails.

    Args:
        space: The Space of a lane.
        lanes: Number of lanes.
    """
    batched = batch_space(space, lanes)
    _leave_unbounded(space, batched)
    return batched


def _leave_unbounded(space: Space[Any], batched: Space[Any]) -> None:
    if isinstance(space, spaces.Box) and isinstance(batched, spaces.Box):
        batched.bounded_below = np.broadcast_to(space.bounded_below, batched.shape)
        batched.bounded_above = np.broadcast_to(space.bounded_above, batched.shape)
    elif isinstance(space, spaces.Dict) and isinstance(batched, spaces.Dict):
        for key, part in space.spaces.items():
            _leave_unbounded(part, batched.spaces[key])
    elif isinstance(space, spaces.Tuple) and isinstance(batched, spaces.Tuple):
        for part, of_lanes in zip(space.spaces, batched.spaces, strict=True):
            _leave_unbounded(part, of_lanes)


@singledispatch
def batcher(space: Space[Any], empty: Empty = np.empty) -> Batch:
    """Return a function that makes one batch from a value for each lane.

    Args:
        space: The Space of a value.
        empty: Makes the arrays that the values are written into, where that saves a copy.
    """

    def batch(values: Sequence[Any]) -> Any:
        out: Any = create_empty_array(space, len(values))
        return concatenate(space, values, out)

    return batch


@batcher.register
def _box(space: spaces.Box, empty: Empty = np.empty) -> Batch:
    shape, dtype = space.shape, space.dtype
    if not shape:
        return lambda values: np.array(values, dtype)

    def batch(values: Sequence[Any]) -> Any:
        # This takes half the time of numpy.stack, which checks each array by itself.
        out = empty((len(values) * shape[0], *shape[1:]), dtype)
        np.concatenate(values, out=out, casting="same_kind")
        return out.reshape(len(values), *shape)

    return batch


@batcher.register
def _dict(space: spaces.Dict, empty: Empty = np.empty) -> Batch:
    parts = {key: batcher(sub, empty) for key, sub in space.spaces.items()}

    def batch(values: Sequence[Any]) -> Any:
        return {key: part([value[key] for value in values]) for key, part in parts.items()}

    return batch


@batcher.register(spaces.Tuple)
def _tuple(space: Any, empty: Empty = np.empty) -> Batch:
    parts = [batcher(sub, empty) for sub in space.spaces]

    def batch(values: Sequence[Any]) -> Any:
        return tuple(part([value[i] for value in values]) for i, part in enumerate(parts))

    return batch


def join(space: Space[Any], batches: Sequence[Any], out: Any = None) -> Any:
    """Join several batches to one, with the lanes of all workers in order.

    Args:
        space: The Space of a single value.
        batches: The batch of each worker.
        out: An earlier result for as many lanes, whose arrays are written again; None makes new
            ones.
    """
    if isinstance(space, spaces.Dict):
        return {
            key: join(sub, [batch[key] for batch in batches], None if out is None else out[key])
            for key, sub in space.spaces.items()
        }
    if isinstance(space, spaces.Tuple):
        return tuple(
            join(sub, [batch[i] for batch in batches], None if out is None else out[i])
            for i, sub in enumerate(space.spaces)
        )
    if isinstance(batches[0], np.ndarray):
        return np.concatenate(batches, out=out)
    return tuple(value for batch in batches for value in batch)
