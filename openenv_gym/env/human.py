"""What render mode "human" shows, at the user's end of every transport."""

from __future__ import annotations

from typing import Any

import numpy as np

from openenv_gym.errors import MissingDependencyError


class HumanView:
    """Shows frames: prints texts, and pictures in a window (by pygame).

    Args:
        fps: Frames per second at most; None does not wait.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._window: Any = None
        self._clock: Any = None

    def show(self, frame: Any) -> None:
        """Shows one frame: a text, or an array of (height, width, 3) uint8.

        Raises:
            MissingDependencyError: It is a picture, and pygame is not installed.
        """
        if isinstance(frame, np.ndarray):
            self._draw(frame)
        elif frame is not None:
            print(frame, flush=True)

    def _draw(self, frame: np.ndarray[Any, Any]) -> None:
        try:
            import pygame
        except ImportError as error:
            raise MissingDependencyError(
                'render_mode="human" shows pictures in a window, which needs pygame: '
                "pip install pygame-ce.",
                package="pygame",
            ) from error
        size = (frame.shape[1], frame.shape[0])
        if self._window is None or self._window.get_size() != size:
            pygame.display.init()
            self._window = pygame.display.set_mode(size)
            self._clock = pygame.time.Clock()
        surface = pygame.surfarray.make_surface(frame.swapaxes(0, 1))
        self._window.blit(surface, (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        if self._fps:
            self._clock.tick(self._fps)

    def close(self) -> None:
        """Closes the window."""
        if self._window is not None:
            import pygame

            pygame.display.quit()
            self._window = None
