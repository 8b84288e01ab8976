"""OpenEnvGym: the ``gymnasium.Env`` that every environment is, over every transport."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from openenv_gym.env.closed_link import ClosedLink
from openenv_gym.env.guesses import Guesses, warn_of_guesses
from openenv_gym.env.human import HumanView
from openenv_gym.env.keyword_types import check_keywords, check_reset_options
from openenv_gym.env.keywords import resolve_keywords
from openenv_gym.env.remote import RemoteEnv
from openenv_gym.errors import (
    CodecError,
    EpisodeError,
    ExchangeTimeoutError,
    OptionError,
    SessionLostError,
    TransportError,
)
from openenv_gym.sessions.failures import action_error
from openenv_gym.spaces.action_check import fits
from openenv_gym.spaces.describe import parse
from openenv_gym.transport import (
    STEP_TIMEOUT,
    Link,
    LinkSettings,
    Transport,
    expect,
)
from openenv_gym.wire.messages import (
    Answer,
    Description,
    Frame,
    GetState,
    Open,
    Query,
    Render,
    Reply,
    Request,
    Reset,
    Result,
    StateReply,
    StepOutcome,
)
from openenv_gym.wire.time_limits import TimeLimits
from openenv_gym.wire.timing import Stopwatch, Timing

_INTERRUPTED = 2.0
"""Seconds that the next step waits for one that was interrupted, and is then refused."""


class OpenEnvGym(RemoteEnv):
    """An OpenEnv environment as a ``gymnasium.Env``.

    Made by ``gymnasium.make("openenv/Chess-v0", transport="docker")``; the same seeds and actions
    give the same trajectory over every transport.

    Args:
        environment: Short name, id or ``module:Class`` of the environment, or its class. None takes
            whatever the server at ``url`` has.
        render_mode: ``"human"``, ``"ansi"``, ``"rgb_array"``, or None. ``"ansi?"`` is ``"ansi"``
            where the environment has that, else None.
        transport: Name of a transport, or a Transport object, which any number of environments
            can use. By default what the variable ``OPENENV_GYM_TRANSPORT`` names, else
            ``"inprocess"``.
        url: A server that runs already, or a list of several, of which the first that takes the
            session has it; without it the transport starts one and owns it. Where no transport is
            named its scheme names one.
        image: Image of the container, for ``transport="docker"``; by default that of the
            environment. One of OpenEnv's own will do.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there; by default 60.
        reset_timeout: Seconds that a reset may take; by default ``timeout``.
        step_timeout: Seconds that a step may take; by default ``timeout``. One that takes longer is
            a :class:`~openenv_gym.errors.StepTimeoutError`. Where the process or container was
            started for this environment it is ended, and :meth:`reset` goes on with a fresh one. A
            call in this process has no limit.
        render_timeout: Seconds that a picture, or any other question, may take; by default
            ``timeout``.
        close_timeout: Seconds that the environment has to close, before what runs it is ended; by
            default 5.
        require_isolation: What must be between the environment and this host, or it is not made:
            ``"container"``, or names of guarantees such as ``{"network", "read_only"}``; see
            :func:`~openenv_gym.wire.isolation.guarantees`. A server's own word is not taken.
        timing: Measure where the time of each step goes; see :attr:`last_timing`.
        transport_options: Further keywords of the transport.
        action_space: The action space, or its description as JSON (of
            :func:`~openenv_gym.spaces.describe.describe`), for a server of OpenEnv's own make that
            does not bound it.
        observation_space: Likewise of the observation space.
        spaces: Likewise of single fields, by name; also of an environment of ``openenv.core`` whose
            models do not bound them. None in place of a description sends a field of the
            observation to ``info``, and leaves one of the action to its default. Where the other
            end has Spaces of its own, as a server of ours has, what is given must be the same.
            Fields that nobody bounds get a default (:mod:`openenv_gym.spaces.json.default_reader`),
            and one warning lists them; ``spaces="strict"``, or ``"*": "strict"`` in the dict, is an
            error that lists them instead.
        actions: Form of actions that call tools, as those of OpenEnv's ``MCPEnvironment`` do:
            ``"oneof"``, a ``OneOf`` with a Dict of arguments for each tool, or ``"json"``,
            ``Dict(tool=Discrete, arguments=JsonText)`` with the arguments as JSON. By default the
            first where all arguments are bounded; where there is one tool only, the Dict of its
            arguments.
        options: Options of the environment, of any name.
        **further: Options of the environment whose names are not those of keywords above. Any that
            has masks takes ``mask_in_observation=True``: its observations are then
            ``Dict(observations=..., action_mask=...)``.

    Attributes:
        transport: How the environment is reached.
        request: What opened the session.
        link: The open session; after :meth:`close` one that refuses all calls.
        observation_space: As the environment's models and options say.
        action_space: As the environment's models and options say.
        metadata: ``render_modes`` and ``render_fps`` of this environment.

    Raises:
        OptionError: An option is unknown or wrong.
        RegistryError: There is no such environment or transport.
        MissingDependencyError: A package that they need is not installed.
        TransportError: The transport could not be started or connected.
    """

    _view: HumanView | None = None  # a copy has no window

    # What gymnasium.make() checks a render mode against, before there is an environment to ask.
    metadata = {"render_modes": ["human", "ansi", "rgb_array"]}  # noqa: RUF012  # as gymnasium has it

    def __init__(
        self,
        environment: str | Callable[..., Any] | None = None,
        *,
        render_mode: str | None = None,
        transport: str | Transport | None = None,
        url: str | Sequence[str] | None = None,
        image: str | None = None,
        token: str | None = None,
        timeout: float | None = STEP_TIMEOUT,
        start_timeout: float | None = None,
        reset_timeout: float | None = None,
        step_timeout: float | None = None,
        render_timeout: float | None = None,
        close_timeout: float | None = None,
        require_isolation: str | Collection[str] | None = None,
        timing: bool = False,
        transport_options: dict[str, Any] | None = None,
        action_space: gymnasium.Space[Any] | dict[str, Any] | None = None,
        observation_space: gymnasium.Space[Any] | dict[str, Any] | None = None,
        spaces: dict[str, Any] | str | None = None,
        actions: Any = None,
        options: Mapping[str, Any] | None = None,
        **further: Any,
    ) -> None:
        self.link: Link = ClosedLink()
        self._failure: BaseException | None = None
        self._mask: NDArray[np.int8] | None = None
        check_keywords({"render_mode": render_mode, "timing": timing})
        asked = resolve_keywords(
            environment,
            further,
            options=options,
            transport=transport,
            url=url,
            image=image,
            token=token,
            timeout=timeout,
            start_timeout=start_timeout,
            limits=TimeLimits(reset_timeout, step_timeout, render_timeout, close_timeout),
            require_isolation=require_isolation,
            transport_options=transport_options,
            action_space=action_space,
            observation_space=observation_space,
            spaces=spaces,
            actions=actions,
            own={"timing": timing or None},
        )
        self.transport = asked.transport
        self._stopwatch = Stopwatch() if timing else None
        self.request = Open(asked.environment, asked.options, render_mode, **asked.spaces)
        self._settings = LinkSettings(self._stopwatch, limits=asked.limits)
        self.link = self.transport.open(self.request, self._settings)
        try:
            self._take(self.link.description, render_mode)
        except BaseException:
            self.close()
            raise

    def _take(self, description: Description, render_mode: str | None) -> None:
        """Take over what the link says of the environment."""
        self.action_space = parse(description.action_space)
        self.observation_space = parse(description.observation_space)
        modes = [*description.metadata.get("render_modes", [])]
        if "human" not in modes and modes:
            modes.insert(0, "human")
        self.metadata = {**description.metadata, "render_modes": modes}
        self.render_mode = render_mode
        if self.render_mode is not None and self.render_mode.endswith("?"):
            wanted = self.render_mode.removesuffix("?")
            self.render_mode = wanted if wanted in modes else None
        self._has_mask = description.has_mask
        if render_mode == "human":
            self._view = HumanView(self.metadata.get("render_fps"))
        self._take_exports(description)
        self._uses_last = self.exported is not None and self.exported.uses_last
        warn_of_guesses(description)
        self._guesses = Guesses(self.link)
        self._watched = (
            self._has_mask or self._view is not None or self._uses_last or bool(self._guesses)
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Implements gymnasium.Env.reset; options are those of the environment's reset."""
        check_reset_options(options)
        super().reset(seed=seed)
        if self._failure is not None:
            self._renew()
        result = expect(Result, self._exchange(Reset(seed, options)))
        self._failure = None
        self._keep(result.observation, result.info)
        return result.observation, result.info

    def step(self, action: Any) -> StepOutcome:
        """Implements gymnasium.Env.step.

        Raises:
            ActionError: The action is not in the action space; nothing was stepped.
            EpisodeError: There is no running episode, or the last step's outcome is lost.
            EnvironmentFailedError: The environment's own code raised.
            TransportError: Whether the step was carried out is not known: call reset().
        """
        if self._failure is not None:
            if isinstance(self._failure, KeyboardInterrupt | SystemExit):
                self.link.ready(_INTERRUPTED)  # it may still be carried out
            raise EpisodeError(
                "The last step's outcome was lost on the way, so the episode cannot go on: call "
                "reset()."
            ) from self._failure
        try:
            outcome = self.link.step(action)
        except CodecError as error:
            if fits(self.action_space, action):
                raise
            raise action_error(action, self.action_space) from error  # as in this process
        except TransportError as error:
            self._lose(error)
            raise
        except (KeyboardInterrupt, SystemExit) as error:  # what the step gave is lost
            self._failure = error
            raise
        if self._watched:
            self._keep(outcome[0], outcome[4])
        return outcome

    def _exchange(self, request: Request) -> Reply:
        try:
            return self.link.exchange(request)
        except TransportError as error:
            self._lose(error)
            raise
        except (KeyboardInterrupt, SystemExit) as error:
            self._failure = error
            raise

    def _lose(self, error: TransportError) -> None:
        """Note that an outcome is lost; end what does not answer, where it was started for this."""
        self._failure = error
        if isinstance(error, ExchangeTimeoutError) and self.link.renewable:
            self.link.kill("It did not answer in time.")

    def _renew(self) -> None:
        """Begin a fresh session, where the last one is lost and was started for this alone."""
        lost = isinstance(self._failure, ExchangeTimeoutError | SessionLostError)
        if lost and self.link.renewable:
            self.link.close()
            self.link = self.transport.open(self.request, self._settings)
            self._guesses.link = self.link

    def _keep(self, observation: Any, info: dict[str, Any]) -> None:
        """Keep what this end needs of an outcome, and show the picture to a human."""
        if self._guesses:
            self._guesses.follow(self, observation, info)
        if self._uses_last:
            self._last = observation, info
        if self._has_mask:
            self._mask = info["action_mask"]
        if self._view is not None:
            self._view.show(self._frame())

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal now; all, where the environment does not report them.

        Answered from the last observation, without a round trip, as MaskablePPO wants it.

        Returns:
            One bool for each action of the Discrete action space.

        Raises:
            EpisodeError: The action space is not Discrete, or there was no reset yet.
        """
        if self._mask is not None:
            return self._mask.astype(np.bool_)
        if not isinstance(self.action_space, gymnasium.spaces.Discrete):
            raise EpisodeError(
                f"There are masks for Discrete actions, not for {self.action_space}.",
                action_space=str(self.action_space),
            )
        if self._has_mask:
            raise EpisodeError("There is no mask before the first reset().")
        return np.ones(int(self.action_space.n), np.bool_)

    def _own_state(self) -> dict[str, Any]:
        """Like the base method, with the mask."""
        return {**super()._own_state(), "mask": self._mask}

    def _restore_own(self, saved: dict[str, Any]) -> None:
        """Like the base method, with the mask."""
        super()._restore_own(saved)
        self._mask = saved["mask"]
        self._failure = None

    def state(self) -> dict[str, Any]:
        """The environment's state beside the observation, by the names of its state model."""
        return expect(StateReply, self._exchange(GetState())).state

    def tools(self) -> list[Any]:
        """Return the tools that the actions call, as they are now.

        Returns:
            A :class:`~openenv_gym.spaces.tools.ToolSpec` for each.

        Raises:
            OptionError: The actions of this environment do not call tools.
        """
        from openenv_gym.spaces.tools import read_tool

        return [read_tool(tool) for tool in self._query("tools")]

    def tasks(self, split: str | None = None) -> Any:
        """Return the tasks that ``reset(options={"split": ..., "index": ...})`` begins.

        Args:
            split: Of which split, such as ``"train"``; None for all.

        Returns:
            A list of tasks, whatever the environment says of each; for all splits a dict of them.

        Raises:
            OptionError: The environment has no tasks, or no such split.
        """
        try:
            if split is not None:
                return self._query("list_tasks", split=split)
            splits = [one["name"] for one in self._query("list_splits")]
            return {name: self._query("list_tasks", split=name) for name in splits}
        except OptionError as error:
            if "unsupported" not in error.fields:
                raise
            raise OptionError(
                f"{error}: it has no tasks. Begin its episodes by reset(seed=...), without split "
                "and index.",
                **error.fields,
            ) from error

    def _query(self, subject: str, **arguments: Any) -> Any:
        return expect(Answer, self._exchange(Query(subject, arguments))).value

    def render(self) -> Any:
        """Implements gymnasium.Env.render; None in the mode "human", which shows each step."""
        return None if self._view is not None else self._frame()

    def _frame(self) -> Any:
        return expect(Frame, self._exchange(Render())).frame

    @property
    def last_timing(self) -> Timing | None:
        """Where the time of the last exchange went, in nanoseconds.

        None unless the environment was made with ``timing=True``: it is never in ``info``, which is
        the same for the same seed.
        """
        return None if self._stopwatch is None else self._stopwatch.last

    @property
    def isolation(self) -> dict[str, Any]:
        """What is between the environment and this process, as found, not as asked for."""
        return {"transport": self.transport.name, **self.link.isolation}

    @property
    def space_sources(self) -> dict[str, str]:
        """Where the bounds of each leaf of the Spaces came from, at a server of OpenEnv's own make.

        By field, such as ``"action.column"``: ``"model"`` (known here by the id), ``"schema"`` (of
        the server), ``"probe"`` (seen in one observation), ``"default"`` (nobody bounds it) or
        ``"given"`` (to ``make``). Empty where the other end described the Spaces itself and guessed
        none.
        """
        return self.link.space_sources

    def close(self) -> None:
        """Implements gymnasium.Env.close; ends what the transport started. May be called twice."""
        link = self.link
        if isinstance(link, ClosedLink):
            return
        self.link = ClosedLink(link)
        if self._view is not None:
            self._view.close()
        link.close()
