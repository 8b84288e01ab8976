"""Models of the BrowserGym environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box
from pydantic import Field

from openenv_gym.models import Action, Array, Info, Observation, State

LONGEST_ACTION = 10_000
LONGEST_TEXT = 65_536
LONGEST_GOAL = 16_384
LONGEST_URL = 4_096
LONGEST_ERROR = 4_096
MINIWOB_SCREEN = (321, 498, 3)


class BrowserGymAction(Action):
    """One action or several, in BrowserGym's action language.

    Attributes:
        action_str: Calls such as ``click('13')`` or ``fill('15', 'Ada')``, one on each line. The
            ids of elements (``'13'``), called bids, are in the observation's ``text``.
    """

    action_str: Annotated[str, Field(max_length=LONGEST_ACTION)]


class BrowserGymObservation(Observation):
    """The page. A text that is longer than its Space is cut, with a note at its end.

    Attributes:
        text: The accessibility tree as text; the pruned HTML where no tree is observed.
        url: Address of the page.
        goal: The goal of the task.
        screenshot: (height, width, 3) uint8, RGB. (0, 0, 3) where none is observed.
        error: The reason why the last action failed; empty if it did not fail.
        last_action_error: Whether the last action failed.
        axtree_txt: The accessibility tree as text, if observed.
        pruned_html: The page's HTML without scripts, styles and bare containers, if observed.
    """

    text: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    url: Annotated[str, Field(max_length=LONGEST_URL)] = ""
    goal: Annotated[str, Field(max_length=LONGEST_GOAL)] = ""
    screenshot: Annotated[Array, Box(0, 255, MINIWOB_SCREEN, np.uint8)]
    error: Annotated[str, Field(max_length=LONGEST_ERROR)] = ""
    last_action_error: bool = False
    axtree_txt: Annotated[str, Info()] = ""
    pruned_html: Annotated[str, Info()] = ""


class BrowserGymState(State):
    """The episode so far.

    Attributes:
        benchmark: Name of the benchmark, such as ``"miniwob"``.
        task_name: Name of the task, such as ``"click-test"``.
        task_id: Name of both in BrowserGym: ``"miniwob.click-test"``.
        goal: The goal of the task.
        current_url: Address of the page.
        max_steps: Always None: the only limit is that of ``gymnasium.make``.
        cum_reward: Sum of the rewards.
    """

    benchmark: str = ""
    task_name: str = ""
    task_id: str | None = None
    goal: str = ""
    current_url: str = ""
    max_steps: int | None = None
    cum_reward: float = 0.0
