"""Models of the Echo environment; field names are those of OpenEnv's guide."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openenv_gym.models import Action, Info, Observation

MAX_LENGTH = 4096
"""Most characters (Unicode code points) of a message, since a Space needs a bound."""

Text = Annotated[str, Field(max_length=MAX_LENGTH)]


class EchoAction(Action):
    """A message.

    Attributes:
        message: Any Unicode text of at most :data:`MAX_LENGTH` characters, which may be empty.
    """

    message: Text


class EchoObservation(Observation):
    """The message that came back.

    Attributes:
        echoed_message: The message, unchanged; a greeting after a reset.
        message_length: Its length in characters (Unicode code points); 0 after a reset.
    """

    echoed_message: Text
    message_length: Annotated[int, Info()] = 0
