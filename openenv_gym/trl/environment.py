"""TRL: environments that ``GRPOTrainer`` makes its rollouts in.

::

    from openenv_gym.trl import environment_factory

    GRPOTrainer(
        model="Qwen/Qwen3-0.6B",
        train_dataset=dataset,
        environment_factory=environment_factory("openenv/Connect4-v0", opponent="random"),
    )

The model acts by calling a tool that is made of the environment's action: its arguments are the
action's fields, with their types and what is said of them. It gives the observation as a text. What
such a class looks like is said in https://huggingface.co/docs/trl/openenv.
"""

from __future__ import annotations

import copyreg
import inspect
import json
import typing
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium.spaces import Box
from pydantic import TypeAdapter, ValidationError

from openenv_gym import REMOTE_ID, registry
from openenv_gym.client import EnvClient, StepResult, ToolClient, client_class
from openenv_gym.environment import Environment
from openenv_gym.errors import (
    ActionError,
    EpisodeError,
    OptionError,
    TransportError,
    missing_package,
)
from openenv_gym.models import hidden_fields
from openenv_gym.registry import Registered, registered
from openenv_gym.trl.tools import Tool, called_tool, has_ranges, tools_of

Content = str | list[dict[str, Any]]
"""Content of a message: a text, or blocks of text and images."""

Describe = Callable[[StepResult[Any]], Content]

_OVER = "The episode is over."

_BASE = frozenset({"done", "reward", "metadata", "truncated", "terminated"})
_TAKEN = frozenset({"reset", "get_reward", "reward", "done", "result"})


class _Recipe(NamedTuple):
    """What a class is made of."""

    id: str
    tool: str | None
    reset_options: tuple[str, ...]
    describe: Describe | None
    keywords: dict[str, Any]


class _Made(type):
    """Type of the classes that are made here: they pickle as what they are made of."""

    recipe: _Recipe


class ToolEnvironment(metaclass=_Made):
    """The environment of one rollout. Subclasses have the tools: their public methods, but reset.

    It has a session of its own from its first reset on, which ends when nothing refers to it.

    Attributes:
        reward: Sum of the rewards since the reset.
        done: The episode is over.
        result: What the last reset or step gave; None before the first.
    """

    _client_class: ClassVar[type[EnvClient[Any, Any, Any]]]
    _keywords: ClassVar[dict[str, Any]]
    _max_steps: ClassVar[int | None]
    _tools: ClassVar[list[Tool]]

    def __init__(self) -> None:
        self.reward = 0.0
        self.done = False
        self.result: StepResult[Any] | None = None
        self._steps = 0
        self._client: EnvClient[Any, Any, Any] | None = None

    def get_reward(self) -> float:
        """Return the sum of the rewards since the reset, for which TRL asks after a rollout."""
        return self.reward

    def reset(self, **columns: Any) -> Content:
        """Begins an episode.

        Args:
            **columns: Of the dataset: ``seed``, ``episode_id`` and those named as ``reset_options``
                are used, the others are the trainer's affair.

        Returns:
            The first observation, which TRL adds to the prompt: a text, or blocks of content if
            ``render_mode="rgb_array"`` was given.
        """
        names = ("seed", "episode_id", *type(self).recipe.reset_options)
        options = {name: columns[name] for name in names if columns.get(name) is not None}
        if "seed" in options:
            options["seed"] = int(options["seed"])
        self.reward, self.done, self._steps = 0.0, False, 0
        fresh = self._client is None
        client = self._opened()
        try:
            result = client.reset(**options)
        except TransportError:
            if fresh:
                raise
            # A session that was lost, in a pause between two batches say, costs no training run.
            self._close()
            client = self._opened()
            result = client.reset(**options)
        return self._describe(client, result)

    def _opened(self) -> EnvClient[Any, Any, Any]:
        if self._client is None:
            self._client = self._client_class(**self._keywords)
            self._end = weakref.finalize(self, self._client.close)
        return self._client

    def _close(self) -> None:
        if self._client is not None:
            self._client = None
            self._end()

    def _call(self, tool: Tool, arguments: Mapping[str, Any]) -> Content:
        """Carry out an action; TRL shows the model what it raises."""
        client = self._client
        if client is None or self.result is None:
            raise EpisodeError(f"There is no running episode: call reset() before {tool.name}().")
        if self.done:
            raise EpisodeError(f"The episode is over: {tool.name}() has no effect any more.")
        try:
            action = tool.action(arguments)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()
            )
            raise ActionError(f"{tool.name}() was not carried out: {wrong}.") from error
        result = client.step(action)
        self._steps += 1
        self.reward += result.reward or 0.0
        self.done = result.done or self._steps == self._max_steps
        return self._describe(client, result)

    def _describe(self, client: EnvClient[Any, Any, Any], result: StepResult[Any]) -> Content:
        self.result = result
        describe = type(self).recipe.describe
        reported = _content(client, result) if describe is None else describe(result)
        if not self.done:
            return reported
        if isinstance(reported, str):
            return f"{reported}\n{_OVER}"
        return [*reported, _text_block(_OVER)]


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image_block(picture: Any) -> dict[str, Any]:
    """Return a picture, an array of height, width and colours, as TRL takes images.

    Raises:
        MissingDependencyError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_package("pictures in TRL's messages", "pillow", None) from error
    return {"type": "image", "image": Image.fromarray(picture)}


def _content(client: EnvClient[Any, Any, Any], result: StepResult[Any]) -> Content:
    """The fields of an observation; in place of arrays the picture, if it can be drawn."""
    if isinstance(client, ToolClient):
        seen = result.observation
        return _line(seen.result) if seen.error is None else f"Error: {seen.error}"
    unseen = _BASE | hidden_fields(client.observation_type)
    fields = {
        name: value
        for name, value in result.observation
        if name not in unseen and value is not None
    }
    arrays = {
        name
        for name, part in client.observations.fields.items()
        if isinstance(part.space, Box) and part.space.shape not in ((), (1,))
    }
    lines = []
    mode = client.env.render_mode
    if mode == "rgb_array" or (arrays and mode == "ansi"):
        fields = {name: value for name, value in fields.items() if name not in arrays}
    if mode == "rgb_array":
        texts = "\n".join(f"{name}: {_line(value)}" for name, value in fields.items())
        return [_image_block(client.env.render()), *([_text_block(texts)] if texts else [])]
    if arrays and mode == "ansi":
        lines.append(str(client.env.render()).rstrip())
    elif len(fields) == 1 and isinstance(text := next(iter(fields.values())), str):
        return text
    return "\n".join([*lines, *(f"{name}: {_line(value)}" for name, value in fields.items())])


def _line(value: Any) -> str:
    """A field's value: a text as it is, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return json.dumps(_JSON.dump_python(value, mode="json"), ensure_ascii=False)


_JSON = TypeAdapter[Any](Any)


def environment_factory(
    id: str,
    *,
    tool: str | None = None,
    reset_options: Iterable[str] = (),
    describe: Describe | None = None,
    **keywords: Any,
) -> type[ToolEnvironment]:
    """The class that TRL takes as ``environment_factory``.

    TRL makes an instance for each rollout of a batch. Each has a session of its own: a server at
    ``url`` must have as many, which ``openenv-gym serve --max-sessions`` sets.

    Args:
        id: As ``gymnasium.make`` takes it, short name, or ``module:Class``; or
            ``openenv/Remote-v0`` with ``url=`` of a server whose environment has tools. Such tools
            are the methods; the environment is made once to ask for them, and likewise where its
            options may decide the ranges of its action's numbers.
        tool: Name of the tool; by default that of the action model: of ``GuessAction`` it is
            ``guess``. Where the action is one of several models, each is a tool by its own name.
        reset_options: Columns of the dataset that are options of the environment's reset. ``seed``
            and ``episode_id`` always are. The completions of a group begin alike if their row has a
            seed.
        describe: Describes a result to the model; by default the fields of the observation, and in
            place of arrays the picture where the environment draws one as text. With
            ``render_mode="rgb_array"``, for models that see, the picture and the other fields as
            blocks of content.
        **keywords: As of ``gymnasium.make``: ``transport``, ``url``, ``token``, ``timeout``,
            ``transport_options``; all others are options of the environment.

    Raises:
        OptionError: A name is not that of a method, or the environment declares no models.
        TransportError: The environment could not be asked for its tools or ranges.
        RegistryError: There is no such environment.
    """
    recipe = _Recipe(id, tool, tuple(reset_options), describe, keywords)
    if id == REMOTE_ID:
        known, client = Registered(id, {}, None), type("RemoteEnv", (ToolClient,), {})
    else:
        known = registered(id)
        client = client_class(known.environment)
    given = {**known.options, **keywords}
    if "url" in given:
        given["base_url"] = given.pop("url")
    methods: dict[str, Any] = {}
    tools = _tools(client, given, tool)
    for found in tools:
        if not found.name.isidentifier() or found.name.startswith("_") or found.name in _TAKEN:
            raise OptionError(f"{found.name!r} cannot be the name of a tool: give tool= another.")
        methods[found.name] = _method(found)
    made: Any = _Made(
        client.__name__,
        (ToolEnvironment,),
        {
            **methods,
            "__doc__": f"{id} for TRL.",
            "_client_class": client,
            "_tools": tools,
            "_keywords": {"render_mode": "ansi?", **given},
            "_max_steps": known.max_episode_steps,
        },
    )
    made.recipe = recipe
    return typing.cast("type[ToolEnvironment]", made)


def _tools(
    client: type[EnvClient[Any, Any, Any]], keywords: dict[str, Any], name: str | None
) -> list[Tool]:
    """Return the tools: those of the environment if its actions call tools, else its action."""
    if issubclass(client, ToolClient):
        with client(**keywords) as made:
            return [called_tool(spec) for spec in made.list_tools()]
    if not (has_ranges(client.action_type) and _may_differ(client)):
        return tools_of(client.action_type, name)
    with client(**keywords) as made:
        return tools_of(client.action_type, name, made.action_spaces)


def _may_differ(client: type[EnvClient[Any, Any, Any]]) -> bool:
    """Return whether options may decide the ranges of actions; the bundled are not loaded."""
    entry = registry.environment(client.environment or "")
    if entry.name in registry.ENVIRONMENTS:
        return True
    spaces = getattr(registry.load(entry), "spaces", None)
    if spaces is Environment.spaces:
        return False
    # To make one for nothing may be slow: spaces() that names fields of the observation alone
    # decides nothing of actions.
    constants = getattr(getattr(spaces, "__code__", None), "co_consts", ())
    named = {name for one in constants for name in (one if isinstance(one, tuple) else (one,))}
    return bool(named & client.action_type.model_fields.keys()) or not (
        named & client.observation_type.model_fields.keys()
    )


def _method(tool: Tool) -> Callable[..., Content]:
    """The tool as a method, with the signature and docstring that TRL makes its schema of."""
    receiver = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([receiver, *tool.parameters], return_annotation=str)

    def method(self: ToolEnvironment, *positional: Any, **named: Any) -> Content:
        try:
            given = signature.bind(self, *positional, **named).arguments
        except TypeError as error:
            raise ActionError(f"{tool.name}() was not carried out: {error}.") from error
        del given["self"]
        return self._call(tool, given)

    method.__name__ = method.__qualname__ = tool.name
    method.__doc__ = f"{tool.doc}\n\nReturns:\n    What is seen then."
    method.__annotations__ = {p.name: p.annotation for p in tool.parameters} | {"return": str}
    method.__signature__ = signature  # type: ignore[attr-defined]
    return method


def _make(recipe: _Recipe) -> type[ToolEnvironment]:
    return environment_factory(
        recipe.id,
        tool=recipe.tool,
        reset_options=recipe.reset_options,
        describe=recipe.describe,
        **recipe.keywords,
    )


def _reduce(made: _Made) -> str | tuple[Any, ...]:
    return made.__qualname__ if made is ToolEnvironment else (_make, (made.recipe,))


# TRL's asynchronous trainers send the factory to another process.
copyreg.pickle(_Made, _reduce)
