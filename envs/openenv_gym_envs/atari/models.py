"""Models of the Atari environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from pydantic import computed_field, field_serializer, model_validator

from openenv_gym.models import Action, Array, Info, LegalActions, Observation, State

ACTIONS = 18
"""Actions of the full action set; most games use fewer."""


class AtariAction(Action):
    """Holds the joystick for as many frames as ``frameskip`` says.

    The other fields are OpenEnv's, where nothing reads them either: the game is an option of the
    environment.

    Attributes:
        action_id: Index into the game's actions, which ``metadata["action_meanings"]`` names.
        game_name: Not used.
        obs_type: Not used.
        full_action_space: Not used.
    """

    action_id: Annotated[int, Discrete(ACTIONS)]
    game_name: Annotated[str, Info()] = "pong"
    obs_type: Annotated[str, Info()] = "rgb"
    full_action_space: Annotated[bool, Info()] = False


class AtariObservation(Observation):
    """What is on the screen, or in memory.

    In JSON the screen is flat, as in OpenEnv, and ``screen_shape`` beside it; arrays keep their
    shape.

    Attributes:
        screen: uint8: (height, width, 3), (height, width) or (128,), as ``obs_type`` says.
        legal_actions: All actions of the game; all are legal, always.
        lives: Those that are left; 0 in games that have none.
        episode_frame_number: Frames since the reset.
        frame_number: Frames since the last seeded reset.
    """

    screen: Annotated[Array, Box(0, 255, (210, 160, 3), np.uint8)]
    legal_actions: Annotated[list[int], LegalActions()]
    lives: Annotated[int, Info()] = 0
    episode_frame_number: Annotated[int, Info()] = 0
    frame_number: Annotated[int, Info()] = 0

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def screen_shape(self) -> list[int]:
        """The screen's shape."""
        return list(self.screen.shape)

    @field_serializer("screen", when_used="json")
    def _flat(self, screen: Array) -> list[int]:
        pixels: list[int] = screen.ravel().tolist()
        return pixels

    @model_validator(mode="before")
    @classmethod
    def _in_shape(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "screen_shape" in fields:
            fields = dict(fields)
            shape = fields.pop("screen_shape")
            fields["screen"] = np.asarray(fields["screen"], np.uint8).reshape(shape)
        return fields


class AtariState(State):
    """The settings of the game.

    Attributes:
        game_name: As in the ids: ``"pong"``.
        obs_type: ``"rgb"``, ``"grayscale"`` or ``"ram"``.
        full_action_space: All 18 actions, whether the game uses them or not.
        mode: Of the game's switches; None for the game's default.
        difficulty: Of the game's switches; None for the game's default.
        repeat_action_probability: Chance that a frame repeats the action of the one before.
        frameskip: Frames of a step; two numbers where they are drawn.
        action_meanings: Names of the actions, in order.
    """

    game_name: str = "pong"
    obs_type: str = "rgb"
    full_action_space: bool = False
    mode: int | None = None
    difficulty: int | None = None
    repeat_action_probability: float = 0.25
    frameskip: int | tuple[int, int] = 4
    action_meanings: list[str]
