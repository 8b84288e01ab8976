"""Hosts for OpenEnv's protocol: actions and observations are JSON of the environment's models.

An action comes as the fields of the action model. An observation goes as those of the observation
model, all of them, less the base fields that travel beside it. A ``gymnasium.Env`` has no models:
its values are written as :mod:`openenv_gym.spaces.jsonvalues` does it, those of a Dict as fields of
its keys, those of any other Space as one field, ``action`` or ``observation``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import ValidationError

from openenv_gym.entry import Entry
from openenv_gym.host import NOT_OPTIONS, GymnasiumHost, Host, ModelHost
from openenv_gym.hosting import host
from openenv_gym.messages import Description, StepOutcome
from openenv_gym.models import TRUNCATED, State
from openenv_gym.options import options_schema
from openenv_gym.server.stock.answer import plain
from openenv_gym.server.stock.check import space_check
from openenv_gym.server.stock.problems import problems_of, refused_action
from openenv_gym.server.stock.schemas import Fields, action_schema, observation_schema

_BESIDE = {"done", "reward", "truncated", "terminated"}


class StockDescription(Description, kw_only=True):
    """What there is to know of an environment behind OpenEnv's protocol.

    The Spaces of the description are the JSON schemas of actions and observations.

    Attributes:
        state_schema: JSON schema of the state.
        reset_schema: JSON schema of what a reset takes beside seed and id of the episode.
        config: What ``/config`` tells; None: there is no such route.
    """

    state_schema: dict[str, Any]
    reset_schema: dict[str, Any]
    config: dict[str, Any] | None = None


def stock_host(entry: Entry, options: Mapping[str, Any], render_mode: str | None) -> Host:
    """Makes an environment, as :func:`openenv_gym.hosting.host` does, for OpenEnv's protocol."""
    hosted = host(entry, options, render_mode)
    if isinstance(hosted, ModelHost):
        if render_mode == "human?" and "rgb_array" in hosted.metadata.get("render_modes", []):
            # Who sits before a page likes a picture better than a text.
            hosted.environment.render_mode = hosted.render_mode = "rgb_array"
        return JsonModelHost(hosted)
    return JsonGymnasiumHost(cast("GymnasiumHost", hosted))


class JsonHost(Host):
    """A host whose actions and observations are JSON, and who counts the steps.

    Args:
        hosted: The environment's own host.
    """

    def __init__(self, hosted: Host) -> None:
        self._hosted = hosted
        self.action_space = hosted.action_space
        self.observation_space = hosted.observation_space
        self.metadata = hosted.metadata
        self.render_mode = hosted.render_mode
        self.inline = hosted.inline
        self.steps_after_end = hosted.steps_after_end
        self._episode_id: str | None = None
        self._steps = 0

    @abstractmethod
    def _begin(self, seed: int | None, options: dict[str, Any]) -> Any:
        """Begins an episode; gives what :meth:`_told` takes."""

    @abstractmethod
    def _advance(self, action: Any) -> Any:
        """Carries out an action; gives what :meth:`_told` takes."""

    @abstractmethod
    def _told(self, outcome: Any) -> StepOutcome:
        """The observation as JSON, the metadata as info."""

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Host.reset."""
        outcome = self._begin(seed, options)
        self._episode_id = options.get("episode_id")
        self._steps = 0
        return self._told(outcome)

    def step(self, action: Any) -> StepOutcome:
        """Implements Host.step."""
        outcome = self._advance(action)
        self._steps += 1  # before what may fail though the step was made
        return self._told(outcome)

    def state(self) -> dict[str, Any]:
        """Implements Host.state: with the episode's id as asked for, and the steps in it."""
        state = {"episode_id": None, **self._hosted.state(), "step_count": self._steps}
        if self._episode_id is not None:
            state["episode_id"] = self._episode_id
        return state

    def render(self) -> Any:
        """Implements Host.render."""
        return self._hosted.render()

    def close(self) -> None:
        """Implements Host.close."""
        self._hosted.close()


class JsonModelHost(JsonHost):
    """Hosts an environment that has models.

    Args:
        hosted: Its own host.
    """

    def __init__(self, hosted: ModelHost) -> None:
        super().__init__(hosted)
        self._models = hosted
        self._environment = hosted.environment
        self._check = space_check(hosted.actions)

    def description(self, name: str) -> StockDescription:
        """Implements Host.description."""
        state_type = getattr(self._environment, "state_type", State)
        config = self._environment.config()
        return StockDescription(
            name,
            action_schema(self._models.actions),
            observation_schema(self._models.observations, hidden=_BESIDE - {"done", "reward"}),
            self.metadata,
            state_schema=state_type.model_json_schema(),
            reset_schema=options_schema(type(self._environment).reset, reserved=NOT_OPTIONS),
            config=None if config is None else dict(config),
        )

    def admission(self) -> Callable[[Any], bool]:
        """Implements Host.admission."""

        def admits(action: Any) -> bool:
            try:
                model = self._model(action)
            except ValidationError as error:
                raise refused_action(problems_of(error)) from error
            problems = self._check(model)
            if problems:
                raise refused_action(problems)
            return True

        return admits

    def _model(self, action: Any) -> Any:
        return self._models.actions.model.model_validate(action)

    def _begin(self, seed: int | None, options: dict[str, Any]) -> Any:
        return self._models.begin(seed, options)

    def _advance(self, action: Any) -> Any:
        return self._environment.step(self._model(action))

    def _told(self, outcome: Any) -> StepOutcome:
        fields = outcome.__pydantic_serializer__.to_python(
            outcome, mode="json", exclude=_BESIDE, fallback=plain
        )
        further = self._environment.stock_metadata(outcome)
        if further:
            fields["metadata"] = {**further, **fields["metadata"]}
        truncated = bool(getattr(outcome, "truncated", False))
        if truncated:
            fields["metadata"] = {**fields["metadata"], TRUNCATED: True}
        done = bool(outcome.done or getattr(outcome, "terminated", None))
        return fields, outcome.reward, done, truncated, fields["metadata"]


class JsonGymnasiumHost(JsonHost):
    """Hosts a ``gymnasium.Env``.

    Args:
        hosted: Its own host.

    Raises:
        SpaceError: One of its Spaces has no form in JSON.
    """

    def __init__(self, hosted: GymnasiumHost) -> None:
        super().__init__(hosted)
        self._actions = Fields(hosted.action_space, "action")
        self._observations = Fields(hosted.observation_space, "observation")

    def description(self, name: str) -> StockDescription:
        """Implements Host.description."""
        return StockDescription(
            name,
            self._actions.action_schema(),
            self._observations.observation_schema(),
            self.metadata,
            state_schema=State.model_json_schema(),
            reset_schema={"type": "object"},
        )

    def admission(self) -> Callable[[Any], bool]:
        """Implements Host.admission."""

        def admits(action: Any) -> bool:
            try:
                self._actions.read(action)
            except ValidationError as error:
                raise refused_action(problems_of(error)) from error
            return True

        return admits

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        given = {name: value for name, value in options.items() if name != "episode_id"}
        observation, _, terminated, truncated, info = self._hosted.reset(seed, given)
        return observation, None, terminated, truncated, info

    def _advance(self, action: Any) -> StepOutcome:
        return self._hosted.step(self._actions.read(action))

    def _told(self, outcome: StepOutcome) -> StepOutcome:
        observation, reward, terminated, truncated, info = outcome
        if truncated:
            info = {**info, TRUNCATED: True}
        fields = {"metadata": info, **self._observations.write(observation)}
        return fields, reward, terminated, truncated, info
