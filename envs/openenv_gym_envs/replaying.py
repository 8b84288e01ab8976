"""Episodes that are saved as what happened in them, and restored by playing that again.

For games whose state is in a library that cannot write it down, and which the random numbers and
the actions decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openenv_gym.environment import Environment
from openenv_gym.errors import SnapshotError


class Replay:
    """What happened in an episode so far.

    Args:
        **options: Options of the environment by which the same actions are another episode. They
            are in the snapshot, which others may see.
    """

    def __init__(self, **options: str | int) -> None:
        self._kind = ", ".join(f"{name}={value!r}" for name, value in options.items())
        self._generator: dict[str, Any] = {}
        self._options: dict[str, Any] = {}
        self._actions: list[Any] = []

    def begin(self, environment: Environment[Any, Any, Any], **options: Any) -> None:
        """Begin to record, before the reset has drawn a number.

        Args:
            environment: Is reset.
            **options: Keywords of its reset.
        """
        self._generator = dict(environment.np_random.bit_generator.state)
        self._options = options
        self._actions = []

    def add(self, action: Any) -> None:
        """Record an action, as a plain value."""
        self._actions.append(action)

    def save(self) -> Any:
        """Return what was recorded."""
        return [self._kind, self._generator, self._options, list(self._actions)]

    def load(
        self, environment: Environment[Any, Any, Any], saved: Any, make_action: Callable[[Any], Any]
    ) -> None:
        """Play again what was recorded.

        Args:
            environment: Plays; it records as it does so.
            saved: What :meth:`save` returned.
            make_action: Makes the model of a plain action.

        Raises:
            SnapshotError: It was recorded with other options.
        """
        kind, generator, options, actions = saved
        if kind != self._kind:
            raise SnapshotError(
                f"This is a snapshot with {kind}, not with {self._kind}: restore it with the "
                "options that it was made with."
            )
        environment.np_random.bit_generator.state = generator
        environment.reset(**options)
        for action in actions:
            environment.step(make_action(action))
