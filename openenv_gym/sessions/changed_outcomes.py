"""An environment whose outcomes are changed on their way, and nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gymnasium.spaces import Space

from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.exports import Exports
from openenv_gym.wire.messages import Description, StepOutcome


class ChangedOutcomes(Adapter):
    """Passes all on to an adapter, and changes each outcome that it returns.

    Args:
        adapter: The environment.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.action_space = adapter.action_space
        self.observation_space = adapter.observation_space
        self.metadata = adapter.metadata
        self.render_mode = adapter.render_mode
        self.has_mask = adapter.has_mask
        self.inline = adapter.inline
        self.steps_after_end = adapter.steps_after_end
        self.max_episode_steps = adapter.max_episode_steps
        self.steps_before_reset = adapter.steps_before_reset
        self.sources = adapter.sources
        adapter.widened = self._widen

    @abstractmethod
    def _change(self, outcome: StepOutcome) -> StepOutcome:
        """Return what takes the place of an outcome."""

    def _widen(self) -> None:
        """Take over the Spaces of the environment, which became wider."""
        self.action_space = self._adapter.action_space
        self.observation_space = self._adapter.observation_space
        self.widened()

    def action_parser(self) -> Callable[[Any], Any] | None:
        """Implements Adapter.action_parser."""
        return self._adapter.action_parser()

    def stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.stepper."""
        step, change = self._adapter.stepper(), self._change
        return lambda action: change(step(action))

    def prepared_stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.prepared_stepper."""
        step, change = self._adapter.prepared_stepper(), self._change
        return lambda prepared: change(step(prepared))

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Implements Adapter.field_spaces."""
        return self._adapter.field_spaces()

    def exports(self) -> Exports:
        """Implements Adapter.exports."""
        return self._adapter.exports()

    def snapshot(self) -> Any:
        """Implements Adapter.snapshot."""
        return self._adapter.snapshot()

    def restore(self, saved: Any) -> None:
        """Implements Adapter.restore."""
        self._adapter.restore(saved)

    def description(self, name: str) -> Description:
        """Implements Adapter.description."""
        return self._adapter.description(name)

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        return self._change(self._adapter.reset(seed, options))

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        return self._change(self._adapter.step(action))

    def prepared(self, actions: list[Any]) -> Sequence[Any]:
        """Implements Adapter.prepared."""
        return self._adapter.prepared(actions)

    def carry_out(self, prepared: Any) -> StepOutcome:
        """Implements Adapter.carry_out."""
        return self._change(self._adapter.carry_out(prepared))

    def render(self) -> Any:
        """Implements Adapter.render."""
        return self._adapter.render()

    def state(self) -> dict[str, Any]:
        """Implements Adapter.state."""
        return self._adapter.state()

    def query(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Implements Adapter.query."""
        return self._adapter.query(subject, arguments)

    def close(self) -> None:
        """Implements Adapter.close."""
        self._adapter.close()
