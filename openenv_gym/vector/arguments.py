"""What a vector environment is given, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from openenv_gym.errors import OptionError, shown


def check_counts(
    num_envs: int, workers: int, lane_options: Sequence[Any] | None, on_failure: str
) -> None:
    """Check what ``make_vec`` is given.

    Raises:
        OptionError: It does not fit together.
    """
    if num_envs < 1:
        raise OptionError(f"num_envs={num_envs} makes no lane: give 1 or more.", num_envs=num_envs)
    if not 1 <= workers <= num_envs:
        raise OptionError(
            f"workers={workers} cannot share num_envs={num_envs} lanes: 1 to {num_envs} can.",
            workers=workers,
            num_envs=num_envs,
        )
    if lane_options is not None and len(lane_options) != num_envs:
        raise OptionError(
            f"lane_options= has {len(lane_options)} items for {num_envs} lanes: give a dict for "
            "each, an empty one where there is nothing to add.",
            lane_options=len(lane_options),
            num_envs=num_envs,
        )
    if not isinstance(on_failure, str) or on_failure not in ("raise", "restart"):
        raise OptionError(
            f"on_failure={shown(on_failure)}: take 'raise' or 'restart'.", on_failure=on_failure
        )


def autoreset(wanted: str | AutoresetMode) -> AutoresetMode:
    """The mode of that value.

    Raises:
        OptionError: There is none.
    """
    try:
        return AutoresetMode(wanted)
    except (ValueError, TypeError):
        known = ", ".join(repr(mode.value) for mode in AutoresetMode)
        raise OptionError(
            f"autoreset_mode={shown(wanted)}: take one of {known}.", autoreset_mode=wanted
        ) from None


def reset_mask(mask: Any, num_envs: int) -> NDArray[np.bool_] | None:
    """The mask of the lanes to reset, if one is given.

    Raises:
        OptionError: It is invalid.
    """
    if mask is None:
        return None
    if (
        not isinstance(mask, np.ndarray)
        or mask.dtype != np.bool_
        or mask.shape != (num_envs,)
        or not mask.any()
    ):
        raise OptionError(
            f"reset_mask must be a bool array of shape ({num_envs},) that is true somewhere, not "
            f"{mask!r}.",
            reset_mask=mask,
            num_envs=num_envs,
        )
    return mask


def seeds_of(seed: int | list[int | None] | None, num_envs: int) -> list[int | None]:
    """The seed of each lane.

    Raises:
        OptionError: There are not as many as lanes.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int | np.integer):
        return [int(seed) + lane for lane in range(num_envs)]
    if len(seed) != num_envs:
        raise OptionError(
            f"{len(seed)} seeds for {num_envs} lanes: give one for each.",
            seeds=len(seed),
            num_envs=num_envs,
        )
    return list(seed)
