"""Models of the Coding environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces.utf8 import Utf8

MAX_CODE = 65_536
"""Most characters (Unicode code points) of the code of one step: a Space needs a bound."""

MAX_OUTPUT = 16_384
"""Most characters of each output of one step, unless option ``max_output`` says otherwise."""


class CodeAction(Action):
    """What to run.

    Attributes:
        code: Python statements, at most :data:`MAX_CODE` characters.
    """

    code: Annotated[str, Field(max_length=MAX_CODE)]


class CodeObservation(Observation):
    """What came of it.

    Attributes:
        stdout: What was printed; then the value of the last statement, if that is an expression
            other than None, as JSON or else by its repr.
        stderr: What was written there; then the traceback, or what became of the process.
        exit_code: 0: it ran through. 1: it raised. 124: it took too long. 128 + n: it was killed by
            signal n. Else what it exited with.
    """

    stdout: Annotated[str, Utf8(MAX_OUTPUT)] = ""
    stderr: Annotated[str, Utf8(MAX_OUTPUT)] = ""
    exit_code: Annotated[int, Field(ge=0, le=255)] = 0


class CodeState(State):
    """The episode so far.

    Attributes:
        last_exit_code: Of the last step.
    """

    last_exit_code: int = 0
