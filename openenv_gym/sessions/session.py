"""Session: owns one environment and answers messages. It does no I/O.

It is the link of the in-process transport, and what all faces of the server hold, so there is one
place where a step happens.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NoReturn, TypeVar

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode
from msgspec import structs

from openenv_gym import registry
from openenv_gym.errors import (
    ClosedError,
    EpisodeError,
    NotResetError,
    ProtocolError,
    SpaceError,
)
from openenv_gym.registry import Entry
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.exports import reach_all
from openenv_gym.sessions.failures import action_error, failure
from openenv_gym.sessions.lanes import Lanes, check_alike
from openenv_gym.sessions.make import MakeAdapter, make_adapter, make_for
from openenv_gym.sessions.offer import Offer
from openenv_gym.sessions.snapshots import Episode, pack_episode, unpack_episode
from openenv_gym.spaces.action_check import admission
from openenv_gym.spaces.batch import Empty
from openenv_gym.spaces.describe import describe
from openenv_gym.transport import ImmediateLink
from openenv_gym.wire.messages import (
    Answer,
    Call,
    Called,
    Close,
    Closed,
    Description,
    Frame,
    GetState,
    Open,
    OpenVector,
    Query,
    Render,
    Reply,
    Request,
    Reset,
    ResetVector,
    Restore,
    Restored,
    Result,
    Snapshot,
    Snapshotted,
    StateReply,
    Step,
    StepOutcome,
    StepVector,
    VectorResult,
)

T = TypeVar("T")

_SHORT_STEP = 1e-3  # seconds; many lanes may take longer, however short the step of each


class Session(ImmediateLink):
    """One environment, from :class:`Open` to :class:`Close`.

    Args:
        environment: The one that is served here, or its name; None serves whatever is asked for.
        options: Options that the owner of the server sets; only the owner can override them.
        owner: The client is the owner.
        reveal: Send the client the texts of the environment's own errors. Where clients are
            strangers they stay in the log.
        make_adapter: Makes the host of an environment. Another than the usual one gives actions and
            observations another form than values of the Spaces.
        make_json_adapter: The same where a request asks for JSON; None: it can't ask for that.
        offer: What may be made, instead of the first four.
        empty: Makes the arrays that batches of observations are written into, like
            ``numpy.empty``; by default in memory that is the caller's own.
    """

    description_follows = True

    def __init__(
        self,
        environment: str | Entry | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        owner: bool = True,
        reveal: bool = True,
        make_adapter: MakeAdapter = make_adapter,
        make_json_adapter: MakeAdapter | None = None,
        offer: Offer | None = None,
        empty: Empty = np.empty,
    ) -> None:
        if isinstance(environment, str):
            environment = registry.environment(environment)
        self._offer = offer or Offer(environment, options or {}, owner, reveal)
        self._owner = self._offer.owner  # less, where an Open is a stranger's
        self._make_json_adapter = make_json_adapter
        self._make_adapter = make_adapter
        self._empty = empty
        self._adapter: Adapter | None = None
        self._lanes: Lanes | None = None
        self._took = math.inf  # seconds of the last step of the lanes
        self._running = False  # the next step can be made
        self._over = False  # the episode has ended
        self._closed = False
        self._handlers: dict[type[Request], Callable[[Any], Reply]] = {
            Open: self._open,
            OpenVector: self._open_vector,
            Reset: self._reset,
            ResetVector: self._reset_vector,
            Step: self._step,
            StepVector: self._step_vector,
            Render: self._render,
            GetState: self._get_state,
            Query: self._query,
            Call: self._call,
            Snapshot: self._snapshot,
            Restore: self._restore,
            Close: self._close,
        }

    def handle(self, request: Request) -> Reply:
        """Carry out one request.

        Raises:
            OpenEnvGymError: It failed; the error says why.
        """
        return self._handlers[type(request)](request)

    @property
    def inline(self) -> bool:
        """Steps are short and never block; those of lanes, if the last of them was short."""
        if self._lanes is not None:
            return self._took < _SHORT_STEP and all(
                adapter.inline for adapter in self._lanes.adapters
            )
        return self._adapter is not None and self._adapter.inline

    @property
    def is_open(self) -> bool:
        """There is an environment: it was made, and not closed yet."""
        return self._adapter is not None or self._lanes is not None

    @property
    def render_mode(self) -> str | None:
        """How the environment, or each of the lanes, is rendered."""
        adapter = self._adapter if self._lanes is None else self._lanes.adapters[0]
        return None if adapter is None else adapter.render_mode

    @property
    def is_closed(self) -> bool:
        """It was closed, and answers no more."""
        return self._closed

    def close(self) -> None:
        """Close the environment; a second call does nothing."""
        self._closed = True
        self._running = False
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            self._run(adapter.close)
        lanes, self._lanes = self._lanes, None
        if lanes is not None:
            lanes.close(self._run)

    def _open(self, request: Open) -> Description:
        entry = self._entry(request)
        self._owner = self._offer.owner and request.for_stranger is None
        adapter = self._make(entry, request.options, request)
        self._parse = adapter.action_parser()
        self._admits = admission(adapter.action_space)
        self._carry_out = adapter.stepper()
        self._running = adapter.steps_before_reset
        self._adapter = adapter
        self.description = self._describe(adapter, entry)
        adapter.widened = self._widen
        return self.description

    def _widen(self) -> None:
        """Take over the Spaces of the environment, which became wider."""
        adapter = self._ready()
        self._admits = admission(adapter.action_space)
        self._take_spaces(adapter.action_space, adapter.observation_space)

    def _take_spaces(self, actions: Space[Any], observations: Space[Any]) -> None:
        self.description = structs.replace(
            self.description,
            action_space=describe(actions),
            observation_space=describe(observations),
        )

    def _describe(self, adapter: Adapter, entry: Entry) -> Description:
        description = adapter.description(entry.name)
        description.exports = adapter.exports().describe(owner=self._owner)
        return description

    def _open_vector(self, request: OpenVector) -> Description:
        entry = self._entry(request)
        adapters: list[Adapter] = []
        try:
            mode = AutoresetMode(request.autoreset_mode)
            for options in request.options:
                adapters.append(self._make(entry, options, request))
                check_alike(adapters[0], adapters[-1])
            limit = request.max_episode_steps
            self._lanes = Lanes(adapters, mode, limit, request.ended, request.first, self._empty)
        except BaseException:
            for adapter in adapters:
                with contextlib.suppress(Exception):  # why it failed is what matters
                    adapter.close()
            raise
        self.description = self._describe(adapters[0], entry)
        self._widen_lanes()
        self._lanes.widened = self._widen_lanes
        return self.description

    def _widen_lanes(self) -> None:
        """Take over the Spaces of the lanes, which became wider."""
        lanes = self._ready_lanes()
        self._take_spaces(lanes.action_space, lanes.observation_space)

    def _make(self, entry: Entry, given: Mapping[str, Any], request: Open | OpenVector) -> Adapter:
        options = self._offer.merge(entry, given)
        try:
            return make_for(request, entry, options, self._maker(request))
        except SpaceError:
            raise  # which says what to write in a model; in an episode it is the environment's
        except Exception as error:
            self._fail(error)

    def _maker(self, request: Open | OpenVector) -> MakeAdapter:
        if not isinstance(request, Open) or not request.as_json:
            return self._make_adapter
        return self._make_json_adapter or self._make_adapter

    def _entry(self, request: Open | OpenVector) -> Entry:
        """Return what is to be made, in a session that has nothing yet."""
        if self.is_open or self._closed:
            raise ProtocolError("This session is open already; a session serves one environment.")
        return self._offer.entry(request)

    def _ready(self) -> Adapter:
        if self._closed:
            raise ClosedError("The environment is closed: make a new one.")
        if self._adapter is None:
            raise EpisodeError("The session has no environment yet: the first request is Open.")
        return self._adapter

    def _reset(self, request: Reset) -> Result:
        adapter = self._ready()
        self._running = False
        outcome = self._run(lambda: adapter.reset(request.seed, request.options or {}))
        self._running = True
        self._over = False  # whatever a reset says of it: its caller could not see it
        return Result(*outcome)

    def _reset_vector(self, request: ResetVector) -> VectorResult:
        lanes = self._ready_lanes()
        options = request.options or {}
        before = self.description
        result = self._run(lambda: lanes.reset(request.seeds, options, request.lanes))
        return self._with_spaces(result, before)

    def _with_spaces(self, result: VectorResult, before: Description) -> VectorResult:
        """Return a result with the lanes' Spaces, if these became wider with it."""
        if self.description is not before:
            result.widened = self._spaces()
        return result

    def _spaces(self) -> dict[str, Any]:
        found = self.description
        return {"action": found.action_space, "observation": found.observation_space}

    def _step_vector(self, request: StepVector) -> VectorResult:
        lanes = self._ready_lanes()
        begun, before = perf_counter(), self.description
        try:
            return self._with_spaces(lanes.step(request.actions, request.lanes), before)
        except Exception as error:
            self._fail(error, lanes.failed)
        finally:
            self._took = perf_counter() - begun

    def _ready_lanes(self) -> Lanes:
        if self._lanes is None:
            self._ready()
            raise ProtocolError("This session has one environment, no lanes.")
        return self._lanes

    def _step(self, request: Step) -> Result:
        return Result(*self.step(request.action))

    def step(self, action: Any) -> StepOutcome:
        """Implements Link.step: no message is needed in the same process.

        Raises:
            OpenEnvGymError: It failed; the error says why.
        """
        if not self._running:
            self._ready()
            if self._over:
                raise EpisodeError("The episode is over: call reset() before the next step().")
            raise NotResetError("There is no running episode: call reset() before step().")
        if self._parse is not None:
            action = self._parse(action)
        else:
            try:
                admitted = self._admits(action)
            except Exception:  # contains() of a strange value may raise anything
                admitted = False
            if not admitted:
                raise action_error(action, self._ready().action_space)
        try:
            outcome = self._carry_out(action)
            _, _, terminated, truncated, _ = outcome
            if terminated is not False or truncated is not False:
                outcome = self._ended(outcome)
        except Exception as error:
            # Nobody knows what state a failure left behind.
            self._running, self._over = self._ready().steps_after_end, False
            self._fail(error)
        return outcome

    def _ended(self, outcome: StepOutcome) -> StepOutcome:
        """Notes the end of the episode, if it is that: the flags may be numpy's."""
        observation, reward, terminated, truncated, info = outcome
        terminated, truncated = bool(terminated), bool(truncated)
        if terminated or truncated:
            self._over, self._running = True, self._ready().steps_after_end
        return observation, reward, terminated, truncated, info

    def _render(self, request: Render) -> Frame:
        if self._lanes is not None:
            return Frame([self._picture(adapter) for adapter in self._lanes.adapters])
        return Frame(self._picture(self._ready()))

    def _picture(self, adapter: Adapter) -> Any:
        if adapter.render_mode is None:
            raise EpisodeError(
                "render() needs a render mode: give render_mode= to gymnasium.make, one of "
                f"{adapter.metadata.get('render_modes', [])}."
            )
        begun = self._running or self._over
        if not (begun or (self._lanes is not None and self._lanes.begun)):
            raise NotResetError("There is nothing to render yet: call reset() before render().")
        return self._run(adapter.render)

    def _get_state(self, request: GetState) -> StateReply:
        if self._lanes is not None:
            return StateReply(
                {"lanes": [self._run(adapter.state) for adapter in self._lanes.adapters]}
            )
        return StateReply(self._run(self._ready().state))

    def _query(self, request: Query) -> Answer:
        if request.subject == "spaces" and self._lanes is not None:
            return Answer(self._spaces())
        adapter = self._ready()
        if request.subject == "spaces":
            return Answer(self._spaces())
        return Answer(self._run(lambda: adapter.query(request.subject, request.arguments)))

    def _call(self, request: Call) -> Called:
        owner = self._owner
        if self._lanes is None:
            exports = self._ready().exports()
            return self._run(lambda: exports.reach(request, owner=owner))
        chosen = [adapter.exports() for adapter in self._lanes.adapters]
        if request.lanes is not None:
            chosen = [chosen[lane] for lane in request.lanes]
        return self._run(lambda: reach_all(chosen, request, owner=owner))

    def _snapshot(self, request: Snapshot) -> Snapshotted:
        adapter = self._ready()
        if not (self._running or self._over):
            raise NotResetError("There is no episode to save: call reset() before snapshot().")
        saved = self._run(adapter.snapshot)
        name = self.description.environment
        episode = Episode(saved, self._running, self._over)
        return Snapshotted(pack_episode(name, episode, owner=self._owner))

    def _restore(self, request: Restore) -> Restored:
        adapter = self._ready()
        name, owner = self.description.environment, self._owner
        episode = unpack_episode(name, request.data, owner=owner)
        self._running = self._over = False  # nobody knows what a failure would leave behind
        self._run(lambda: adapter.restore(episode.saved))
        self._running, self._over = episode.running, episode.over
        return Restored()

    def check_copy(self) -> None:
        """Implements Link.check_copy: it is in this process."""

    def _close(self, request: Close) -> Closed:
        self.close()
        return Closed()

    def _run(self, call: Callable[[], T]) -> T:
        """Call the environment's own code."""
        try:
            return call()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception, lane: int | None = None) -> NoReturn:
        """Raise the error that reports one raised by the environment's code."""
        reported = failure(error, reveal=self._offer.reveal, lane=lane)
        if reported is error:
            raise error  # with the cause that it has
        raise reported from error
