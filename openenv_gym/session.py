"""Session: owns one environment and answers messages. It does no I/O.

The in-process transport and all faces of the server call the same :meth:`Session.handle`, so there
is one place where a step happens.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from gymnasium.spaces import Space

from openenv_gym import registry
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
from openenv_gym.host import Host, host
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
from openenv_gym.options import check_allowed
from openenv_gym.spaces.admit import admission
from openenv_gym.spaces.describe import describe

T = TypeVar("T")

_log = logging.getLogger(__name__)


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
        self._host: Host | None = None
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
        return self._host is not None and self._host.inline

    @property
    def is_open(self) -> bool:
        """There is an environment: it was made, and not closed yet."""
        return self._host is not None

    def close(self) -> None:
        """Closes the environment; a second call does nothing."""
        self._closed = True
        hosted, self._host = self._host, None
        if hosted is not None:
            self._run(hosted.close)

    def _open(self, request: Open) -> Description:
        if self._host is not None or self._closed:
            raise ProtocolError("This session is open already; a session serves one environment.")
        entry = self._entry(request.environment)
        if not self._owner:
            check_allowed(registry.load(entry), request.options, self._options, entry.name)
        options = {**self._options, **request.options}
        hosted = self._run(lambda: host(entry, options, request.render_mode))
        self._admits = admission(hosted.action_space)
        self._host = hosted
        return Description(
            entry.name,
            describe(hosted.action_space),
            describe(hosted.observation_space),
            hosted.metadata,
            hosted.has_mask,
        )

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

    def _ready(self) -> Host:
        if self._host is None:
            raise EpisodeError(
                "The environment is closed: make a new one."
                if self._closed
                else "The session has no environment yet: the first request is Open.",
                closed=self._closed,
            )
        return self._host

    def _reset(self, request: Reset) -> Result:
        hosted = self._ready()
        self._running = False
        result = self._run(lambda: hosted.reset(request.seed, request.options or {}))
        self._running = True
        self._over = False  # whatever a reset says of it: its caller could not see it
        return result

    def _step(self, request: Step) -> Result:
        hosted = self._host
        if hosted is None or not self._running:
            self._ready()
            raise EpisodeError("There is no running episode: call reset() before step().")
        if self._over and not hosted.steps_after_end:
            raise EpisodeError("The episode is over: call reset() before the next step().")
        action = request.action
        try:
            admitted = self._admits(action)
        except Exception:  # contains() of a strange value may raise anything
            admitted = False
        if not admitted:
            raise _action_error(action, hosted.action_space)
        try:
            result = hosted.step(action)
        except Exception as error:
            # Nobody knows what state a failure left behind.
            self._running = hosted.steps_after_end
            raise self._failed(error) from error
        self._over = result.terminated or result.truncated
        return result

    def _render(self, request: Render) -> Frame:
        hosted = self._ready()
        if hosted.render_mode is None:
            raise EpisodeError(
                "render() needs a render mode: give render_mode= to gymnasium.make, one of "
                f"{hosted.metadata.get('render_modes', [])}."
            )
        if not self._running:
            raise EpisodeError("There is nothing to render yet: call reset() before render().")
        return Frame(self._run(hosted.render))

    def _get_state(self, request: GetState) -> StateReply:
        return StateReply(self._run(self._ready().state))

    def _close(self, request: Close) -> Closed:
        self.close()
        return Closed()

    def _run(self, call: Callable[[], T]) -> T:
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


def _action_error(action: Any, action_space: Space[Any]) -> ActionError:
    shown = repr(action)
    if isinstance(action, np.ndarray):
        shown = f"array of shape {action.shape}, dtype {action.dtype}: {shown}"
    space = repr(action_space)
    return ActionError(
        f"The action {shown[:200]} ({type(action).__name__}) is not in the action space "
        f"{space[:200]}; the environment was not stepped. env.action_space.sample() shows one "
        "that is.",
        action=shown[:1000],
        space=space[:1000],
    )
