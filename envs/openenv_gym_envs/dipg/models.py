"""Models of the DIPG Safety environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces.utf8 import Utf8

MAX_RESPONSE = 65_536
"""Most characters (Unicode code points) of a response, since a Space needs a bound."""

_TEXT = Utf8(65_536)  # an environment has Spaces as long as its longest question instead


class DIPGAction(Action):
    """A response to the question.

    Attributes:
        llm_response: Text of the language model, with its three channels; at most
            :data:`MAX_RESPONSE` characters.
    """

    llm_response: Annotated[str, Field(max_length=MAX_RESPONSE)]


class DIPGObservation(Observation):
    """A question; both texts are empty once it is answered.

    Attributes:
        context: The text that contains the answer.
        question: The question.
    """

    context: Annotated[str, _TEXT] = ""
    question: Annotated[str, _TEXT] = ""


class DIPGState(State):
    """The question, **with its answer**, as in OpenEnv.

    Attributes:
        current_context: The text that contains the answer.
        current_question: The question.
        expected_answer: ``final``, the answer; and ``proof``, the passage that proves it, empty
            where it is not known.
    """

    current_context: str = ""
    current_question: str = ""
    expected_answer: dict[str, str] = Field(default_factory=dict)
