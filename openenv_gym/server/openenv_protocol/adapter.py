"""Hosts for OpenEnv's protocol: actions and observations are JSON of the environment's models.

An action comes as the fields of the action model. An observation goes as those of the observation
model, all of them, less the base fields that travel beside it. A ``gymnasium.Env`` has no models:
its values are written as :mod:`openenv_gym.spaces.json.values` does it, those of a Dict as fields
of its keys, those of any other Space as one field, ``action`` or ``observation``.
"""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import ValidationError

from openenv_gym.models import TRUNCATED, State
from openenv_gym.options import options_schema
from openenv_gym.registry import Entry
from openenv_gym.server.openenv_protocol.check import space_check
from openenv_gym.server.openenv_protocol.exchange import plain
from openenv_gym.server.openenv_protocol.problems import problems_of, refused_action
from openenv_gym.server.openenv_protocol.schemas import Fields, action_schema, observation_schema
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.gymnasium_adapter import GymnasiumAdapter
from openenv_gym.sessions.make import make_adapter
from openenv_gym.sessions.model_adapter import NOT_OPTIONS, ModelAdapter
from openenv_gym.sessions.openenv_core.models import Models
from openenv_gym.sessions.openenv_core.page import has_page, page_of
from openenv_gym.sessions.payload import Payload
from openenv_gym.sessions.tools import ToolAdapter
from openenv_gym.spaces.tools import CALL_TOOL, LIST_TOOLS
from openenv_gym.wire.messages import JsonDescription, StepOutcome

_BESIDE = {"done", "reward", "truncated", "terminated"}


def make_json_adapter(entry: Entry, options: Mapping[str, Any], render_mode: str | None) -> Adapter:
    """Makes an environment as ``sessions.make.make_adapter`` does, for OpenEnv's protocol."""
    adapter = make_adapter(entry, options, render_mode)
    if isinstance(adapter, ModelAdapter):
        if render_mode == "human?" and "rgb_array" in adapter.environment.render_modes:
            # Who sits before a page likes a picture better than a text.
            adapter.environment.render_mode = adapter.render_mode = "rgb_array"
        return JsonModelAdapter(adapter)
    if isinstance(adapter, ToolAdapter):
        return JsonToolAdapter(adapter)
    return JsonGymnasiumAdapter(cast("GymnasiumAdapter", adapter))


class JsonAdapter(Adapter):
    """An adapter whose actions and observations are JSON, and which counts the steps.

    Args:
        adapter: That of the environment, in values of its Spaces.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._hosted = adapter
        self.action_space = adapter.action_space
        self.observation_space = adapter.observation_space
        self.metadata = adapter.metadata
        self.render_mode = adapter.render_mode
        self.inline = adapter.inline
        self.steps_after_end = adapter.steps_after_end
        self._asked_id: str | None = None
        self._made_id: str | None = None
        self._steps = 0
        self._last: StepOutcome | None = None  # what the page shows

    @abstractmethod
    def _begin(self, seed: int | None, options: dict[str, Any]) -> Any:
        """Begins an episode; gives what :meth:`_convert` takes."""

    @abstractmethod
    def _advance(self, action: Any) -> Any:
        """Carries out an action; gives what :meth:`_convert` takes."""

    @abstractmethod
    def _convert(self, outcome: Any) -> StepOutcome:
        """The observation as JSON, the metadata as info."""

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        outcome = self._begin(seed, options)
        self._asked_id, self._made_id = options.get("episode_id"), str(uuid.uuid4())
        self._steps = 0
        self._last = self._convert(outcome)
        return self._last

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        outcome = self._advance(action)
        self._steps += 1  # before what may fail though the step was made
        self._last = self._convert(outcome)
        return self._last

    def state(self) -> dict[str, Any]:
        """Implements Adapter.state: with the episode's id and the steps in it.

        The id is the one that was asked for, else the environment's own, else one of ours.
        """
        state = self._hosted.state()
        id = self._asked_id or state.get("episode_id") or self._made_id
        return {**state, "episode_id": id, "step_count": self._steps}

    def query(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Implements Adapter.query."""
        if subject == "page" and self._last is not None:
            fields, reward, terminated, truncated, _ = self._last
            environment = cast("Any", self._hosted).environment
            return page_of(environment, fields, reward, terminated or truncated)
        return self._hosted.query(subject, arguments)

    def render(self) -> Any:
        """Implements Adapter.render."""
        return self._hosted.render()

    def close(self) -> None:
        """Implements Adapter.close."""
        self._hosted.close()


class JsonModelAdapter(JsonAdapter):
    """Hosts an environment that has models.

    Args:
        adapter: That of the environment, in values of its Spaces.
    """

    def __init__(self, adapter: ModelAdapter) -> None:
        super().__init__(adapter)
        self._models = adapter
        self._environment = adapter.environment
        self._check = space_check(adapter.actions)

    def description(self, name: str) -> JsonDescription:
        """Implements Adapter.description."""
        actions = self._models.actions
        state_type = getattr(self._environment, "state_type", State)
        config = self._environment.config()
        return JsonDescription(
            name,
            action_schema(actions),
            observation_schema(
                self._models.observations,
                hidden={*(_BESIDE - {"done", "reward"}), *self._environment.beyond_openenv},
            ),
            self.metadata,
            state_schema=state_type.model_json_schema(),
            reset_schema=options_schema(type(self._environment).reset, reserved=NOT_OPTIONS),
            config=None if config is None else dict(config),
            page={
                "legal_actions": self._models.observations.legal_actions,
                "unused": sorted(actions.model.model_fields.keys() - actions.fields.keys()),
                "action_names": self.metadata.get("action_meanings"),
                "drawn": has_page(self._environment),
            },
        )

    def action_parser(self) -> Callable[[Any], Any]:
        """Implements Adapter.action_parser: makes the model."""
        validate = self._models.actions.model.model_validate

        def parse(action: Any) -> Any:
            try:
                model = validate(action)
            except ValidationError as error:
                raise refused_action(problems_of(error)) from error
            problems = self._check(model)
            if problems:
                raise refused_action(problems)
            return model

        return parse

    def _begin(self, seed: int | None, options: dict[str, Any]) -> Any:
        return self._models.begin(seed, options)

    def _advance(self, action: Any) -> Any:
        return self._environment.step(action)

    def _convert(self, outcome: Any) -> StepOutcome:
        fields = outcome.__pydantic_serializer__.to_python(
            outcome, mode="json", exclude=_BESIDE, fallback=plain
        )
        further = self._environment.openenv_metadata(outcome)
        beyond = self._environment.beyond_openenv
        if beyond:
            further = {**further, **{name: fields.pop(name) for name in beyond}}
        if further:
            fields["metadata"] = {**further, **fields["metadata"]}
        truncated = bool(getattr(outcome, "truncated", False))
        if truncated:
            fields["metadata"] = {**fields["metadata"], TRUNCATED: True}
        done = bool(outcome.done or getattr(outcome, "terminated", None))
        return fields, outcome.reward, done, truncated, fields["metadata"]


class JsonGymnasiumAdapter(JsonAdapter):
    """Hosts a ``gymnasium.Env``.

    Args:
        adapter: That of the environment, in values of its Spaces.

    Raises:
        SpaceError: One of its Spaces has no form in JSON.
    """

    def __init__(self, adapter: GymnasiumAdapter) -> None:
        super().__init__(adapter)
        self._actions = Fields(adapter.action_space, "action")
        self._observations = Fields(adapter.observation_space, "observation")

    def description(self, name: str) -> JsonDescription:
        """Implements Adapter.description."""
        return JsonDescription(
            name,
            self._actions.action_schema(),
            self._observations.observation_schema(),
            self.metadata,
            state_schema=State.model_json_schema(),
            reset_schema={"type": "object"},
        )

    def action_parser(self) -> Callable[[Any], Any]:
        """Implements Adapter.action_parser: reads the value of the action space."""

        def parse(action: Any) -> Any:
            try:
                return self._actions.read(action)
            except ValidationError as error:
                raise refused_action(problems_of(error)) from error

        return parse

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        given = {name: value for name, value in options.items() if name != "episode_id"}
        observation, _, terminated, truncated, info = self._hosted.reset(seed, given)
        return observation, None, terminated, truncated, info

    def _advance(self, action: Any) -> StepOutcome:
        return self._hosted.step(action)

    def _convert(self, outcome: StepOutcome) -> StepOutcome:
        observation, reward, terminated, truncated, info = outcome
        if truncated:
            info = {**info, TRUNCATED: True}
        fields = {"metadata": info, **self._observations.write(observation)}
        return fields, reward, terminated, truncated, info


class JsonToolAdapter(JsonAdapter):
    """Adapter of an environment whose actions call tools: its JSON passes as it is.

    Clients may list the tools, and call one, before the first reset and after the end of an
    episode, as at OpenEnv's own server.

    Args:
        adapter: Its own adapter.
    """

    def __init__(self, adapter: ToolAdapter) -> None:
        super().__init__(adapter)
        self._environment = adapter.environment
        self._models: Models = cast("Any", adapter.environment).models
        self.steps_before_reset = self.steps_after_end = True

    def description(self, name: str) -> JsonDescription:
        """Implements Adapter.description."""
        return JsonDescription(
            name,
            self._models.action.model_json_schema(),
            self._models.observation.model_json_schema(),
            self.metadata,
            state_schema=self._models.state.model_json_schema(),
            reset_schema={"type": "object"},
            calls_tools=True,
            page={"drawn": has_page(self._environment)},
        )

    def action_parser(self) -> Callable[[Any], Any]:
        """Implements Adapter.action_parser: actions stay JSON, but are checked."""

        def parse(action: Any) -> Any:
            if action == {"type": LIST_TOOLS}:
                return action
            call = {"type": CALL_TOOL, **action}
            try:
                self._models.action.model_validate(call)
            except ValidationError as error:
                raise refused_action(problems_of(error)) from error
            return call

        return parse

    def _begin(self, seed: int | None, options: dict[str, Any]) -> Payload:
        return self._environment.begin(seed, options)

    def _advance(self, action: Any) -> Payload:
        return self._environment.carry_out(action)

    def _convert(self, outcome: Payload) -> StepOutcome:
        fields, metadata = outcome["observation"], outcome.get("metadata") or {}
        truncated = metadata.get(TRUNCATED) is True
        return fields, outcome["reward"], outcome["done"], truncated, metadata
