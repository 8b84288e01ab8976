"""Recovery: what happens when a worker of a vector environment is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode

from openenv_gym.errors import TransportError
from openenv_gym.spaces.batch import batcher
from openenv_gym.transport import expect
from openenv_gym.vector.workers import Worker
from openenv_gym.wire.messages import ResetVector, VectorResult


class Recovery:
    """Starts lost workers anew, as often as it may.

    Args:
        restarts: How often; 0 where a loss is an error.
        enabled: Losses are not errors.
    """

    def __init__(self, restarts: int, *, enabled: bool) -> None:
        self.enabled = enabled
        self._left = restarts

    def start_anew(self, worker: Worker, lost: TransportError, lanes: list[int]) -> None:
        """Start a worker anew.

        Its lanes count as ended: the next step resets them, where steps do that.

        Args:
            worker: The worker.
            lost: Why it is lost.
            lanes: Those whose loss can be reported by what is returned now.

        Raises:
            TransportError: It cannot be started anew, or is not to be.
        """
        why = ""
        if self.enabled and self._left <= 0:
            why = " The budget of restarts is spent."
        elif self.enabled and len(lanes) < len(worker.lanes):
            why = f" Only the lanes {lanes} could be truncated now: it was they that were sent."
        elif self.enabled:
            self._left -= 1
            try:
                worker.restart()
                return
            except TransportError as error:
                why = f" Their worker could not be started anew: {error}"
        raise type(lost)(
            f"The lanes {list(worker.lanes)} are lost.{why} {lost}",
            **{**lost.fields, "lanes": list(worker.lanes)},
        ) from lost


def substitute(
    worker: Worker, reason: str, last: Sequence[Any], space: Space[Any], mode: AutoresetMode
) -> VectorResult:
    """What takes the place of the result of a step that was lost: the lanes are truncated.

    Args:
        worker: That of the lanes, started anew.
        reason: Why it was lost.
        last: The observations before the step.
        space: Their Space.
        mode: What happens when an episode ends.
    """
    count = len(last)
    all_lanes = np.ones(count, np.bool_)
    failure = {"failure": [reason] * count, "_failure": all_lanes}
    infos: dict[str, Any] = dict(failure)
    if mode is AutoresetMode.SAME_STEP:
        began = expect(VectorResult, worker.ask(ResetVector([None] * count)))
        infos |= {"final_obs": list(last), "_final_obs": all_lanes}
        infos |= {"final_info": failure, "_final_info": all_lanes, **began.infos}
        observations = began.observations
    else:
        observations = batcher(space)(last)
    return VectorResult(observations, np.zeros(count), ~all_lanes, all_lanes.copy(), infos)
