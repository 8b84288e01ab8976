"""Clients that speak JSON: dicts in place of models, for servers whose models are not known here.

They use OpenEnv's own protocol, which our servers speak too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from openenv_gym import registry
from openenv_gym.client.asynchronous import AsyncClient
from openenv_gym.client.typed import StepResult
from openenv_gym.errors import EnvironmentFailedError, OptionError
from openenv_gym.sessions.payload import Conversation, Payload, outcome
from openenv_gym.sessions.session import Session
from openenv_gym.spaces.tools import ToolSpec, read_tool
from openenv_gym.wire.messages import GetState, Open, Reset, Step

ActionT = TypeVar("ActionT")
ObservationT = TypeVar("ObservationT")
StateT = TypeVar("StateT")


class JsonClient(Generic[ActionT, ObservationT, StateT]):
    """A client that turns actions into JSON and JSON into results, as its subclass says.

    Args:
        base_url: A server, OpenEnv's own or ours: ``http://``, ``https://``, ``ws://``, ``wss://``,
            or ``hf://owner/name``, a Space of Hugging Face. Without it ``environment`` runs in this
            process.
        environment: Short name, id or ``module:Class``, where there is no ``base_url``.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds that the server may take to make the environment.
        headers: Headers of each request that something on the way to the server wants.
        **options: Options of the environment, where it runs in this process.

    Raises:
        OptionError: There is neither ``base_url`` nor ``environment``, or both.
        TransportError: There is no such server.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        environment: str | None = None,
        token: str | None = None,
        timeout: float | None = 60.0,
        start_timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        if (base_url is None) == (environment is None):
            raise OptionError("Give base_url= of a server, or environment=; one of them.")
        if environment is not None:
            self._conversation: Conversation = _Local(environment, options)
            return
        if options:
            raise OptionError(
                f"{', '.join(sorted(options))}: the environment of a server has its options from "
                "whoever serves it; leave them out.",
                options=sorted(options),
            )
        parts = urlsplit(base_url or "")
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        transport: Any = registry.load(registry.transport("websocket"))
        self._conversation = transport(
            url=urlunsplit(parts._replace(scheme=scheme)),
            token=token,
            headers=dict(headers or {}),
            timeout=timeout,
            start_timeout=start_timeout,
        ).converse()

    @classmethod
    def from_docker_image(
        cls, image: str, *, variables: Mapping[str, str] | None = None, **keywords: Any
    ) -> Self:
        """Return a client of a container that is started for it, and ends with it.

        Args:
            image: An image whose server listens on port 8000.
            variables: Environment variables of the server.
            **keywords: As of the constructor.
        """
        transport: Any = registry.load(registry.transport("docker"))
        owned, url, token = transport(image=image, variables=dict(variables or {})).serve()
        try:
            client = cls(url, **{"token": token, **keywords})
        except BaseException:
            owned.stop()
            raise
        client._owned = owned
        return client

    _owned: Any = None

    def _step_payload(self, action: ActionT) -> Payload:
        """Return the fields of an action."""
        raise NotImplementedError

    def _parse_result(self, payload: Payload) -> StepResult[ObservationT]:
        """Return the result that a reply holds."""
        raise NotImplementedError

    def _parse_state(self, payload: Payload) -> StateT:
        """Return the state that a reply holds."""
        raise NotImplementedError

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> StepResult[ObservationT]:
        """Begin an episode.

        Args:
            seed: Of its randomness.
            episode_id: What :meth:`state` is to call it.
            **options: Of the environment's reset.
        """
        given = {"seed": seed, "episode_id": episode_id}
        options |= {name: value for name, value in given.items() if value is not None}
        return self._parse_result(self._conversation.reset(options))

    def step(self, action: ActionT) -> StepResult[ObservationT]:
        """Carry out an action."""
        return self._parse_result(self._conversation.step(self._step_payload(action)))

    def state(self) -> StateT:
        """Return what the environment says beside the observation."""
        return self._parse_state(self._conversation.state())

    def list_tools(self) -> list[ToolSpec]:
        """Return the tools that the environment offers to clients of MCP."""
        return [read_tool(tool) for tool in self._conversation.rpc("tools/list", {})["tools"]]

    def call_tool(self, name: str, **arguments: Any) -> Any:
        """Call a tool by MCP, which is not a step where the environment has tools of its own.

        Returns:
            What the tool returned.

        Raises:
            EnvironmentFailedError: The tool failed, or there is none of that name.
        """
        result = self._conversation.rpc("tools/call", {"name": name, "arguments": arguments})
        return result.get("data", result)

    @classmethod
    def aio(cls, *arguments: Any, **keywords: Any) -> AsyncClient[Self]:
        """Return a client whose methods are awaited; the arguments are those of the constructor."""
        return AsyncClient(cls, *arguments, **keywords)

    def sync(self) -> Self:
        """Return the client itself: OpenEnv's own are asynchronous until they are asked."""
        return self

    def connect(self) -> Self:
        """Return the client itself, which is connected already."""
        return self

    def close(self) -> None:
        """End the session and what was started for it; a second call does nothing."""
        self._conversation.close()
        if self._owned is not None:
            self._owned.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class GenericClient(JsonClient[Mapping[str, Any], dict[str, Any], dict[str, Any]]):
    """A client whose actions, observations and states are dicts; as :class:`JsonClient`.

    ::

        with GenericClient("http://localhost:8000") as env:
            env.reset(seed=1)
            result = env.step({"column": 3})
            print(result.observation["legal_actions"], result.reward, result.done)
    """

    def _step_payload(self, action: Mapping[str, Any]) -> Payload:
        return dict(action)

    def _parse_result(self, payload: Payload) -> StepResult[dict[str, Any]]:
        seen = outcome(payload)
        reward = 0.0 if seen.reward is None else float(seen.reward)
        done = seen.terminated or seen.truncated
        return StepResult(seen.fields, reward, done, seen.truncated, seen.metadata)

    def _parse_state(self, payload: Payload) -> dict[str, Any]:
        return payload


@dataclass
class _Local:
    """A conversation with an environment in this process, in JSON as a server would write it.

    Attributes:
        environment: Name of the environment.
        options: Its options.
    """

    environment: str
    options: dict[str, Any]

    def __post_init__(self) -> None:
        from openenv_gym.server.openenv_protocol.adapter import make_json_adapter

        known = registry.registered(self.environment)
        self._session = Session(make_adapter=make_json_adapter)
        self._session.handle(Open(known.environment, {**known.options, **self.options}))

    def reset(self, data: Payload) -> Payload:
        """Implements Conversation.reset."""
        options = {name: value for name, value in data.items() if name != "seed"}
        return self._payload(Reset(data.get("seed"), options))

    def step(self, action: Payload) -> Payload:
        """Implements Conversation.step."""
        return self._payload(Step(action))

    def _payload(self, request: Any) -> Payload:
        from openenv_gym.server.openenv_protocol.exchange import result_data, written

        reply: Any = self._session.handle(request)
        payload: Payload = json.loads(written({**result_data(reply), "metadata": reply.info}))
        return payload

    def rpc(self, method: str, params: Payload) -> Payload:
        """Implements Conversation.rpc: there is no server that has methods of MCP."""
        raise EnvironmentFailedError(f"{method} is a method of a server: give base_url=.")

    def state(self) -> Payload:
        """Implements Conversation.state."""
        from openenv_gym.server.openenv_protocol.exchange import written

        reply: Any = self._session.handle(GetState())
        state: Payload = json.loads(written(reply.state))
        return state

    def close(self) -> None:
        """Implements Conversation.close."""
        self._session.close()
