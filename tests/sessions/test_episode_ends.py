"""One rule for terminated, truncated and done, whoever says it."""

from __future__ import annotations

import pytest

from openenv_gym.models import TRUNCATED, is_terminated
from openenv_gym.sessions.payload import outcome


@pytest.mark.parametrize(
    ("done", "said", "truncated", "terminated"),
    [
        (False, None, False, False),
        (True, None, False, True),
        (True, None, True, False),
        (True, True, True, True),
        (True, False, False, False),
        (False, True, False, True),
    ],
)
def test_the_rule(done: bool, said: bool | None, truncated: bool, terminated: bool) -> None:
    assert is_terminated(done=done, terminated=said, truncated=truncated) is terminated
    observation = {"x": 1} if said is None else {"x": 1, "terminated": said}
    payload = {"observation": observation, "done": done, "metadata": {TRUNCATED: truncated}}
    got = outcome(payload)
    assert (got.terminated, got.truncated) == (terminated, truncated)
