"""Models of the DIPG Safety environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces.utf8 import Utf8

MAX_RESPONSE = 65_536
"""Most characters (Unicode code points) of a response: a Space needs a bound."""

_TEXT = Utf8(65_536)  # of an environment that was made, as long as the longest of its items


class DIPGAction(Action):
    """An answer.

    Attributes:
        llm_response: What the language model wrote, with its three channels; at most
            :data:`MAX_RESPONSE` characters.
    """

    llm_response: Annotated[str, Field(max_length=MAX_RESPONSE)]


class DIPGObservation(Observation):
    """A question; empty once it is answered.

    Attributes:
        context: What the answer is to be taken from.
        question: What is asked.
    """

    context: Annotated[str, _TEXT] = ""
    question: Annotated[str, _TEXT] = ""


class DIPGState(State):
    """The question, **with its answer**, as in OpenEnv.

    Attributes:
        current_context: What the answer is to be taken from.
        current_question: What is asked.
        expected_answer: ``final``, the answer; and ``proof``, the passage that proves it, empty
            where the item tells none.
    """

    current_context: str = ""
    current_question: str = ""
    expected_answer: dict[str, str] = Field(default_factory=dict)
