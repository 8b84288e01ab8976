"""Session: owns one environment and answers messages. It does no I/O.

The in-process transport and all faces of the server call the same :meth:`Session.handle`, so there
is one place where a step happens, and one where values of the Spaces become models.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter

from openenv_gym import registry
from openenv_gym.environment import Environment
from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    EpisodeError,
    OpenEnvGymError,
    OptionError,
    ProtocolError,
    RegistryError,
    SpaceError,
)
from openenv_gym.messages import (
    Close,
    Closed,
    Description,
    Frame,
    GetState,
    Open,
    Render,
    Reply,
    Request,
    Reset,
    Result,
    StateReply,
    Step,
)
from openenv_gym.options import check_allowed, checked
from openenv_gym.spaces.admit import admission
from openenv_gym.spaces.convert import IDENTITY, identity, table
from openenv_gym.spaces.derive import ModelSpace, derive
from openenv_gym.spaces.describe import describe

_log = logging.getLogger(__name__)

_NOT_OPTIONS = frozenset({"seed", "episode_id"})
_PLAIN = (str, int, float, bool)


class Session:
    """One environment, from :class:`Open` to :class:`Close`.

    Args:
        environment: Name of the one that is served here; None serves whatever is asked for.
        options: Options that the owner of the server sets; only the owner can override them.
        owner: The client is the owner.
        reveal: Tell the client what the environment's own errors say. Where clients are strangers
            it stays in the log.
    """

    def __init__(
        self,
        environment: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        owner: bool = True,
        reveal: bool = True,
    ) -> None:
        self._served = None if environment is None else registry.environment(environment)
        self._options = options or {}
        self._owner = owner
        self._reveal = reveal
        self._environment: Environment[Any, Any, Any] | None = None
        self._running = False  # an episode has begun
        self._over = False  # and ended
        self._closed = False
        self._handlers: dict[type[Request], Callable[[Any], Reply]] = {
            Open: self._open,
            Reset: self._reset,
            Step: self._step,
            Render: self._render,
            GetState: self._get_state,
            Close: self._close,
        }

    def handle(self, request: Request) -> Reply:
        """Carries out one request.

        Raises:
            OpenEnvGymError: It failed; the error says why.
        """
        return self._handlers[type(request)](request)

    @property
    def inline(self) -> bool:
        """The environment's steps are short and never block."""
        return self._environment is not None and self._environment.inline

    @property
    def is_open(self) -> bool:
        """There is an environment: it was made, and not closed yet."""
        return self._environment is not None

    def close(self) -> None:
        """Closes the environment; a second call does nothing."""
        self._closed = True
        environment, self._environment = self._environment, None
        if environment is not None:
            self._run(environment.close)

    def _open(self, request: Open) -> Description:
        if self._environment is not None or self._closed:
            raise ProtocolError("This session is open already; a session serves one environment.")
        entry = self._entry(request.environment)
        cls = registry.load(entry)
        if not issubclass(cls, Environment):
            raise RegistryError(
                f"{entry.target} is no openenv_gym.Environment. Derive it from that class.",
                target=entry.target,
            )
        if not self._owner:
            check_allowed(cls, request.options, self._options, entry.name)
        options = checked(cls, {**self._options, **request.options}, entry.name)
        environment: Environment[Any, Any, Any] = self._run(lambda: cls(**options))
        try:
            return self._describe(entry.name, environment, request.render_mode)
        except BaseException:
            environment.close()
            raise

    def _entry(self, wanted: str | None) -> registry.Entry:
        served = self._served
        entry = served if wanted is None else registry.environment(wanted)
        if entry is None:
            raise OptionError("No environment was named, and this session serves any: name one.")
        if served is not None and entry.target != served.target:
            raise RegistryError(
                f"This server has the environment {served.name!r}, not {entry.name!r}. "
                f"Connect to another, or start one: openenv-gym serve {entry.name}.",
                served=served.name,
                wanted=entry.name,
            )
        return entry

    def _describe(
        self, name: str, environment: Environment[Any, Any, Any], render_mode: str | None
    ) -> Description:
        """Derives the Spaces and compiles what a step needs of them."""
        environment.render_mode = self._render_mode(environment, render_mode)
        overrides = self._run(environment.spaces)
        self._actions = derive(type(environment).action_type, overrides)
        self._observations = derive(type(environment).observation_type, overrides)
        self._admits = admission(self._actions.space)
        self._from_space = self._actions.from_space
        # What Model(**fields) calls, without the frame around it.
        self._action = self._actions.model.__pydantic_validator__.validate_python
        self._to_space = self._observations.to_space
        self._info = _info_getters(self._observations)
        self._mask = _mask_maker(self._actions, self._observations)
        self._environment = environment
        return Description(
            name,
            describe(self._actions.space),
            describe(self._observations.space),
            dict(self._run(environment.metadata)),
            self._mask is not None,
        )

    def _render_mode(
        self, environment: Environment[Any, Any, Any], wanted: str | None
    ) -> str | None:
        """The mode to render in: for a human, who sits at the other end, the first there is."""
        if wanted != "human":
            return wanted
        modes = [m for m in self._run(environment.metadata)["render_modes"] if m != "human"]
        return modes[0] if modes else None

    def _ready(self) -> Environment[Any, Any, Any]:
        if self._environment is None:
            raise EpisodeError(
                "The environment is closed: make a new one."
                if self._closed
                else "The session has no environment yet: the first request is Open.",
                closed=self._closed,
            )
        return self._environment

    def _reset(self, request: Reset) -> Result:
        environment = self._ready()
        options = request.options or {}
        accepted = inspect.signature(environment.reset).parameters
        keywords = checked(
            type(environment).reset,
            {name: value for name, value in options.items() if name not in _NOT_OPTIONS},
            f"{self._name()}'s reset",
            reserved=_NOT_OPTIONS,
        )
        if "seed" in accepted:
            keywords["seed"] = request.seed
        if "episode_id" in accepted:
            keywords["episode_id"] = options.get("episode_id")
        self._running = False
        if request.seed is not None:
            environment.seed(request.seed)
        result = self._run(lambda: self._result(environment.reset(**keywords)))
        self._running = True
        self._over = False  # whatever a reset says of it: its caller could not see it
        return cast("Result", result)

    def _step(self, request: Step) -> Result:
        environment = self._environment
        if environment is None or not self._running:
            self._ready()
            raise EpisodeError("There is no running episode: call reset() before step().")
        if self._over and not environment.steps_after_end:
            raise EpisodeError("The episode is over: call reset() before the next step().")
        action = request.action
        try:
            admitted = self._admits(action)
        except Exception:  # contains() of a strange value may raise anything
            admitted = False
        if not admitted:
            raise _action_error(action, self._actions)
        try:
            return self._result(environment.step(self._action(self._from_space(action))))
        except Exception as error:
            # Nobody knows what state a failure left behind.
            self._running = environment.steps_after_end
            raise self._failed(error) from error

    def _result(self, observation: Any) -> Result:
        truncated = observation.truncated
        terminated = observation.terminated
        done = observation.done
        if terminated is None:
            terminated = done and not truncated
        self._over = done or truncated or terminated
        info = observation.metadata
        for name, get in self._info:
            info[name] = get(getattr(observation, name))
        if self._mask is not None:
            info["action_mask"] = self._mask(observation)
        reward = observation.reward
        return Result(
            self._to_space(observation),
            0.0 if reward is None else reward,
            terminated,
            truncated,
            info,
        )

    def _render(self, request: Render) -> Frame:
        environment = self._ready()
        if environment.render_mode is None:
            raise EpisodeError(
                "render() needs a render mode: give render_mode= to gymnasium.make, one of "
                f"{list(self._run(environment.metadata).get('render_modes', []))}."
            )
        if not self._running:
            raise EpisodeError("There is nothing to render yet: call reset() before render().")
        return Frame(self._run(environment.render))

    def _get_state(self, request: GetState) -> StateReply:
        environment = self._ready()
        return StateReply(self._run(lambda: environment.state.model_dump()))

    def _close(self, request: Close) -> Closed:
        self.close()
        return Closed()

    def _name(self) -> str:
        return self._served.name if self._served else type(self._environment).__name__

    def _run(self, call: Callable[[], Any]) -> Any:
        """Calls the environment's own code."""
        try:
            return call()
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> OpenEnvGymError:
        """The error that tells of one raised by the environment's code."""
        if isinstance(error, OpenEnvGymError) and not isinstance(error, SpaceError):
            return error
        kind = type(error).__name__
        if not self._reveal:
            _log.exception("the environment raised", exc_info=error)
            return EnvironmentFailedError(
                f"The environment raised {kind}. What it said is in the server's log; start the "
                "server with --debug to see it here.",
                error=kind,
            )
        return EnvironmentFailedError(
            f"The environment raised {kind}: {error}",
            error=kind,
            traceback="".join(traceback.format_exception(error)),
        )


def _action_error(action: Any, actions: ModelSpace) -> ActionError:
    shown = repr(action)
    if isinstance(action, np.ndarray):
        shown = f"array of shape {action.shape}, dtype {action.dtype}: {shown}"
    space = repr(actions.space)
    return ActionError(
        f"The action {shown[:200]} ({type(action).__name__}) is not in the action space "
        f"{space[:200]}; the environment was not stepped. env.action_space.sample() shows one "
        "that is.",
        action=shown[:1000],
        space=space[:1000],
    )


def _info_getters(observations: ModelSpace) -> list[tuple[str, Callable[[Any], Any]]]:
    """How each Info field is read: plain values as they are, models and enums dumped."""
    getters: list[tuple[str, Callable[[Any], Any]]] = []
    for name in observations.info_fields:
        annotation: Any = observations.model.model_fields[name].annotation
        plain = annotation in _PLAIN
        getters.append((name, identity if plain else TypeAdapter(annotation).dump_python))
    return getters


def _mask_maker(
    actions: ModelSpace, observations: ModelSpace
) -> Callable[[BaseModel], NDArray[np.int8]] | None:
    """How the list of legal actions becomes a mask over the action space."""
    name = observations.legal_actions
    if name is None:
        return None
    space = actions.space
    if not isinstance(space, Discrete):
        raise SpaceError(
            f"{observations.model.__name__}.{name} lists legal actions, which needs a Discrete "
            f"action space, not {space}.",
            field=name,
        )
    size, start = int(space.n), int(space.start)
    converter = next(iter(actions.fields.values())).converter
    index: Callable[[Any], int] = converter.to_space
    if converter is IDENTITY:
        index = table(range(start, start + size), start, name).to_space

    def mask(observation: BaseModel) -> NDArray[np.int8]:
        flags = np.zeros(size, np.int8)
        legal = [index(value) - start for value in getattr(observation, name)]
        flags[legal] = 1
        return cast("NDArray[np.int8]", flags)

    return mask
