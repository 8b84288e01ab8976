"""The typed API of the OpenEnv guide, over every transport.

::

    from openenv_gym_envs.echo import EchoAction, EchoEnv

    with EchoEnv(base_url="http://localhost:8000") as env:    # EchoEnv() runs it in this process
        env.reset()
        result = env.step(EchoAction(message="Hello!"))
        print(result.observation.echoed_message, result.reward, result.done)

A client is :class:`~openenv_gym.env.OpenEnvGym` in terms of the environment's models: they make the
values of the Spaces that travel, and are put together again of what comes back.
"""

from __future__ import annotations

import importlib
import types
import typing
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from gymnasium.spaces import Discrete
from pydantic import BaseModel, ValidationError

from openenv_gym import registry
from openenv_gym.client.asynchronous import AsyncClient
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import ActionError, OptionError, SpaceError
from openenv_gym.sessions.make import calls_tools
from openenv_gym.sessions.openenv_core.models import Models, is_openenv_class, models_of
from openenv_gym.spaces.derive import ModelSpace, fitted
from openenv_gym.spaces.tools import ToolSpec
from openenv_gym.transport import Transport

ActionT = TypeVar("ActionT", bound=BaseModel)
ObservationT = TypeVar("ObservationT", bound=BaseModel)
StateT = TypeVar("StateT", bound=BaseModel)
ResultT = TypeVar("ResultT")

_SCHEMES = {
    "websocket": {"http": "ws", "https": "wss"},
    "http": {"ws": "http", "wss": "https"},
}


_CLIENTS: dict[str, type[EnvClient[Any, Any, Any]]] = {}


@dataclass(frozen=True)
class StepResult(Generic[ResultT]):
    """What a reset or a step gave.

    Attributes:
        observation: The observation.
        reward: Reward of the step; 0.0 after a reset. Only a client of one's own may give None.
        done: The episode is over.
        truncated: It is over by a limit that is not part of the task.
        metadata: Of the observation.
    """

    observation: ResultT
    reward: float | None = None
    done: bool = False
    truncated: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)


class EnvClient(Generic[ActionT, ObservationT, StateT]):
    """An environment by its models; what OpenEnv's own typed clients are.

    A subclass names the models and the environment, and needs no more::

        class EchoEnv(EnvClient[EchoAction, EchoObservation, State], environment="echo"):
            pass

    Args:
        base_url: A server that runs already: ``http://``, ``https://``, ``ws://``, ``wss://``, or
            ``hf://owner/name`` of a Space, to which a WebSocket is made unless
            ``transport="http"`` is given; or ``unix://`` and the
            folder of a pipe. Without it the environment runs in this process, or where
            ``transport`` says.
        transport: Name of a transport, or a Transport object.
        **keywords: As of ``gymnasium.make``: ``token``, ``timeout``, ``render_mode``,
            ``transport_options``; all others are options of the environment.

    Attributes:
        env: The ``gymnasium.Env`` behind it, for all that this API has no word for: Spaces, action
            masks, rendering, isolation.
        observations: How its observations are made of values of the observation space.
        action_spaces: Spaces of the fields of its actions, by name.

    Raises:
        OpenEnvGymError: As of :class:`~openenv_gym.env.OpenEnvGym`.
        SpaceError: The environment has other models than this client.
    """

    environment: ClassVar[str | None] = None
    _begun = False
    _episode_id: str | None = None
    action_type: ClassVar[type[BaseModel]]
    observation_type: ClassVar[type[BaseModel]]
    state_type: ClassVar[type[BaseModel]]

    def __init_subclass__(cls, *, environment: str | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if environment is not None:
            cls.environment = environment
            _CLIENTS[environment] = cls
        for base in cls.__dict__.get("__orig_bases__", ()):
            models = typing.get_args(base)
            if typing.get_origin(base) is EnvClient and all(isinstance(m, type) for m in models):
                cls.action_type, cls.observation_type, cls.state_type = models

    def __init__(
        self,
        base_url: str | None = None,
        *,
        transport: str | Transport | None = None,
        **keywords: Any,
    ) -> None:
        if not hasattr(self, "action_type"):
            raise OptionError(
                f"{type(self).__name__} names no models. Derive it from EnvClient[ThingAction, "
                'ThingObservation, ThingState], environment="thing".',
                client=type(self).__name__,
            )
        url = base_url
        if base_url is not None and not isinstance(transport, Transport):
            scheme, _, rest = base_url.partition("://")
            transport = transport or ("process" if scheme == "unix" else "websocket")
            url = f"{_SCHEMES.get(transport, {}).get(scheme, scheme)}://{rest}"
        self.env = OpenEnvGym(self.environment, transport=transport, url=url, **keywords)
        # Fields that the caller sends to info: no Space shows which they are.
        self._without_space = frozenset(
            name.removeprefix("observation.")
            for name, space in (keywords.get("spaces") or {}).items()
            if space is None
        )
        try:
            self._bind()
        except BaseException:
            self.env.close()
            raise

    def _bind(self) -> None:
        """Fit the models to the Spaces of the environment."""
        actions = fitted(self.action_type, self.env.action_space)
        self.action_spaces = {name: part.space for name, part in actions.fields.items()}
        self.observations = fitted(
            self.observation_type, self.env.observation_space, self._without_space
        )
        self._to_space: Callable[[Any], Any] = actions.to_space
        self._fields = _fields_getter(self.observations, actions)

    @classmethod
    def from_docker_image(cls, image: str | None = None, **keywords: Any) -> Self:
        """A client of a container that is started for it, and ends with it.

        Args:
            image: The image; by default that of the environment, built at first use.
            **keywords: As of the constructor.
        """
        return cls(transport="docker", image=image, **keywords)

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> StepResult[ObservationT]:
        """Begins an episode.

        Args:
            seed: Of its randomness.
            episode_id: What :meth:`state` is to call it.
            **options: Of the environment's reset.
        """
        if episode_id is not None:
            options["episode_id"] = episode_id
        observation, info = self.env.reset(seed=seed, options=options or None)
        self._begun, self._episode_id = True, None
        return self._result(observation, 0.0, False, False, info)

    def step(self, action: ActionT) -> StepResult[ObservationT]:
        """Carries out an action. Its ``metadata`` does not travel.

        Raises:
            ActionError: It is not an action of this environment; nothing was stepped.
            SpaceError: The environment has other models than this client.
            EpisodeError: There is no running episode.
            EnvironmentFailedError: The environment's own code raised.
            TransportError: Whether the step was carried out is not known: call reset().
        """
        if not isinstance(action, self.action_type):
            raise ActionError(
                f"{type(self).__name__}.step() takes a {self.action_type.__name__}, not a "
                f"{type(action).__name__}; the environment was not stepped.",
                expected=self.action_type.__name__,
                given=type(action).__name__,
            )
        try:
            value = self._to_space(action)
        except SpaceError as error:
            raise ActionError(
                f"{error} The environment was not stepped.", **error.fields
            ) from error
        return self._result(*self.env.step(value))

    def _result(
        self, value: Any, reward: Any, terminated: bool, truncated: bool, info: dict[str, Any]
    ) -> StepResult[ObservationT]:
        done = terminated or truncated
        fields = {**self._fields(value, info), "done": done, "reward": reward}
        if "truncated" in self.observation_type.model_fields:  # OpenEnv's own have only done
            fields["truncated"] = truncated
            fields["terminated"] = True if terminated and truncated else None
        try:
            observation = self.observation_type.model_validate(fields)
        except ValidationError as error:
            raise SpaceError(
                f"What the environment observed makes no {self.observation_type.__name__}: "
                f"{error}. Take the models of this environment, of the same version at both ends.",
                model=self.observation_type.__name__,
            ) from error
        return StepResult(
            typing.cast("ObservationT", observation), reward, done, truncated, fields["metadata"]
        )

    def state(self) -> StateT:
        """Return what there is to know beside the observation.

        ``episode_id`` is the one that was given to :meth:`reset`, else the environment's own, else
        one that is made for the episode.
        """
        fields = self.env.state()
        if self._begun and fields.get("episode_id") is None:
            self._episode_id = self._episode_id or str(uuid.uuid4())
            fields = {**fields, "episode_id": self._episode_id}
        return typing.cast("StateT", self.state_type.model_validate(fields))

    def list_tools(self) -> list[ToolSpec]:
        """Return the action as a tool: ``step``, whose arguments are the fields of the action."""
        schema = self.action_type.model_json_schema()
        schema["properties"].pop("metadata", None)
        return [ToolSpec("step", (self.action_type.__doc__ or "").strip(), schema)]

    def call_tool(self, name: str, **arguments: Any) -> Any:
        """Carry out an action by the tool of :meth:`list_tools`.

        Returns:
            The observation.

        Raises:
            ActionError: There is no such tool, or the arguments are not an action.
        """
        if name != "step":
            raise ActionError(f"The tool {name!r} does not exist: there is 'step'.", tool=name)
        try:
            action = typing.cast("ActionT", self.action_type.model_validate(arguments))
        except ValidationError as error:
            raise ActionError(f"step() was not carried out: {error}.", tool=name) from error
        return self.step(action).observation

    @classmethod
    def aio(cls, *arguments: Any, **keywords: Any) -> AsyncClient[Self]:
        """Return a client whose methods are awaited; the arguments are those of the constructor."""
        return AsyncClient(cls, *arguments, **keywords)

    def sync(self) -> Self:
        """Itself: OpenEnv's own clients are asynchronous until they are asked for this."""
        return self

    def close(self) -> None:
        """Ends what was started for it; a second call does nothing."""
        self.env.close()

    async def __aenter__(self) -> AsyncClient[Self]:
        """Return the same client, whose methods are awaited."""
        return await AsyncClient(lambda: self).connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def client_class(id: str) -> type[EnvClient[Any, Any, Any]]:
    """The typed client of an environment: that of its package, else one made of its models.

    Args:
        id: Id, short name or ``module:Class``.

    Raises:
        RegistryError: There is no such environment.
        MissingDependencyError: A package that it needs is not installed.
        OptionError: It declares no models.
    """
    entry = registry.environment(registry.registered(id).environment)
    if entry.name in registry.ENVIRONMENTS:  # its package needs no more than the core
        importlib.import_module(entry.target.partition(":")[0].rpartition(".")[0])
    found = _CLIENTS.get(entry.name)
    if found is not None:
        return found
    made = registry.load(entry)
    if calls_tools(made, entry):
        from openenv_gym.client.tools import ToolClient

        return types.new_class(_client_name(made), (ToolClient,), {"environment": entry.name})
    models: list[Any] = [getattr(made, f"{kind}_type", None) for kind in Models._fields]
    if is_openenv_class(made):
        models = [*models_of(typing.cast("type", made), entry)]
    if None in models:
        raise OptionError(
            f"{entry.target} declares no models, so it has no typed client. Write one: class "
            "ThingEnv(EnvClient[ThingAction, ThingObservation, ThingState], "
            f"environment={entry.name!r}).",
            environment=entry.name,
        )
    bases = (EnvClient[models[0], models[1], models[2]],)  # type: ignore[valid-type]
    return types.new_class(_client_name(made), bases, {"environment": entry.name})


def _client_name(made: Any) -> str:
    return f"{made.__name__.removesuffix('Environment')}Env"


def _fields_getter(
    observations: ModelSpace, actions: ModelSpace
) -> Callable[[Any, dict[str, Any]], dict[str, Any]]:
    """How a value of the observation space and its info become the observation's fields."""
    from_space, in_info = observations.from_space, observations.info_fields
    legal, keys = observations.legal_actions, observations.keys
    beside = frozenset({*in_info, "action_mask"})

    def fields(value: Any, info: dict[str, Any]) -> dict[str, Any]:
        reported: dict[str, Any] = from_space(value)
        reported["metadata"] = {name: item for name, item in info.items() if name not in beside}
        reported.update({keys[name]: info[name] for name in in_info if name in info})
        if legal is not None and "action_mask" in info:
            reported[keys[legal]] = legal_values(info["action_mask"])
        return reported

    if legal is None:
        return fields
    # The host that made a mask saw to it that there is one field, and that it is Discrete.
    (only,) = actions.fields.values()
    first, action = int(typing.cast("Discrete", only.space).start), only.converter.from_space

    def legal_values(mask: Any) -> list[Any]:
        return [action(first + index) for index in np.flatnonzero(mask).tolist()]

    return fields
