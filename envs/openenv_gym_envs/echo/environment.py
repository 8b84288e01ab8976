"""The Echo environment of OpenEnv's guide, the smallest one that shows a whole step."""

from __future__ import annotations

from typing import Any

from openenv_gym.environment import Environment
from openenv_gym.models import State
from openenv_gym_envs.echo.models import EchoAction, EchoObservation

GREETING = "Echo environment ready!"
REWARD_PER_CHARACTER = 0.1


class EchoEnvironment(Environment[EchoAction, EchoObservation, State]):
    """Returns each message; the reward is 0.1 for each of its characters.

    An episode never ends. Nothing is random. The rules are those of the echo
    environment in OpenEnv's guide (its later namesake is driven by tool calls instead).
    """

    render_modes = ("ansi",)
    inline = True

    def __init__(self) -> None:
        self._state = State()
        self._last = GREETING

    def reset(self, episode_id: str | None = None) -> EchoObservation:
        """Begin an episode.

        Args:
            episode_id: Name of the episode in :attr:`state`.
        """
        self._state = State(episode_id=episode_id)
        self._last = GREETING
        return EchoObservation(echoed_message=GREETING, reward=0.0)

    def step(self, action: EchoAction) -> EchoObservation:
        """Implements Environment.step."""
        self._state.step_count += 1
        self._last = action.message
        length = len(action.message)
        return EchoObservation(
            echoed_message=action.message,
            message_length=length,
            reward=REWARD_PER_CHARACTER * length,
            metadata={
                "original_message": action.message,
                "step": self._state.step_count,
            },
        )

    def save(self) -> Any:
        """Implements Environment.save."""
        return [self._state.step_count, self._state.episode_id, self._last]

    def load(self, saved: Any) -> None:
        """Implements Environment.load."""
        steps, episode_id, self._last = saved
        self._state = State(step_count=steps, episode_id=episode_id)

    @property
    def state(self) -> State:
        """The episode's name and the number of its steps."""
        return self._state.model_copy()

    def render(self) -> str:
        """Return the last message."""
        return self._last
