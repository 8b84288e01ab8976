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
    """The position of the joystick, for as many frames as ``frameskip`` says.

    The other fields are part of OpenEnv's action, where nothing reads them either: the game is an
    option of the environment.

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
    """The content of the screen, or of the memory.

    In JSON the screen is a flat list, as in OpenEnv, with ``screen_shape`` beside it; arrays keep
    their shape.

    Attributes:
        screen: uint8: (height, width, 3), (height, width) or (128,), as ``obs_type`` says.
        legal_actions: All actions of the game, which are always legal.
        lives: Lives that are left; 0 in games without lives.
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
        game_name: Name of the game, as in the environments' ids: ``"pong"``.
        obs_type: ``"rgb"``, ``"grayscale"`` or ``"ram"``.
        full_action_space: Whether all 18 actions exist, not only those that the game uses.
        mode: Position of the game's mode switch; None for the game's default.
        difficulty: Position of the game's difficulty switch; None for the game's default.
        repeat_action_probability: Chance that a frame repeats the previous frame's action.
        frameskip: Number of frames of a step; two numbers where each step draws one.
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
