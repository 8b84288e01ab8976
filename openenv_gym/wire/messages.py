"""Messages between the adapter and the session: requests and replies.

They carry values of the Spaces (arrays, numbers, strings, and tuples and dicts of them), never
models: the session converts, so that a client needs neither the environment's package nor its
dependencies. In process they are handed over as they are; :mod:`openenv_gym.wire.codec` turns them
into bytes for every other transport.
"""

from __future__ import annotations

from typing import Any

import msgspec

from openenv_gym.errors import OpenEnvGymError, from_name, printable, show_traceback

StepOutcome = tuple[Any, Any, bool, bool, dict[str, Any]]
"""What ``gymnasium.Env.step`` gives: observation, reward, terminated, truncated, info."""


ACTION_FORMS = ("oneof", "json")
"""Forms of actions that call tools, of which a user can choose one."""


class Request(msgspec.Struct, array_like=True, tag=True, kw_only=True):
    """Base of what a client asks.

    Attributes:
        id: Number of the request in its session, from 1. The reply carries the same, so that a
            late reply is never taken for another's, and a repeated request runs only once.
        timed: The reply reports where the time went at the other end.
    """

    id: int = 0
    timed: bool = False


class Open(Request):
    """Makes the environment; the first request of every session.

    Attributes:
        environment: Its name, or ``module:Class``; None for the one that the server has.
        options: Keywords of the environment's constructor.
        render_mode: ``"ansi"``, ``"rgb_array"`` or another that the environment gives; or None.
            ``"ansi?"``: as text, if the environment gives that.
        spaces: Descriptions of the Spaces of fields that the environment's models do not bound;
            None sends a field to ``info``. Only the owner of a server can give them.
        action_space: Description of the whole action space, likewise.
        observation_space: Description of the whole observation space, likewise.
        actions: Form of actions that call tools: ``"oneof"``, ``"json"``, or None to choose by the
            tools.
        as_json: Actions and observations are JSON of the environment's models, as in OpenEnv's own
            protocol: a server asks that of the process in which its session runs.
        for_stranger: A server opens the session in another process, for a client who is not its
            owner, and who gave these descriptions of Spaces: another Space is an error, and what
            the client may reach and restore later is limited like at the server. None: for the
            owner.
    """

    environment: str | None
    options: dict[str, Any]
    render_mode: str | None = None
    spaces: dict[str, Any] | None = None
    action_space: dict[str, Any] | None = None
    observation_space: dict[str, Any] | None = None
    actions: str | None = None
    as_json: bool = False
    for_stranger: dict[str, Any] | None = None


class OpenVector(Request):
    """Makes several environments at once, the lanes; answered by Description.

    Attributes:
        environment: Name of the environment; None for the one that the server has.
        options: Keywords of the constructor, for each lane.
        render_mode: As with :class:`Open`.
        autoreset_mode: Value of gymnasium's ``AutoresetMode``.
        max_episode_steps: After so many steps an episode is truncated.
        ended: The lanes take the place of ones that were lost in the midst of an episode: the next
            step resets them, as if their episodes had just ended.
        first: Number of the first lane, for errors: other sessions may have those before.
        spaces: As with :class:`Open`.
        action_space: As with :class:`Open`.
        observation_space: As with :class:`Open`.
        actions: As with :class:`Open`.
        for_stranger: As with :class:`Open`.
    """

    environment: str | None
    options: list[dict[str, Any]]
    render_mode: str | None = None
    autoreset_mode: str = "NextStep"
    max_episode_steps: int | None = None
    ended: bool = False
    first: int = 0
    spaces: dict[str, Any] | None = None
    action_space: dict[str, Any] | None = None
    observation_space: dict[str, Any] | None = None
    actions: str | None = None
    for_stranger: dict[str, Any] | None = None


class ResetVector(Request):
    """Begins an episode in some lanes; answered by VectorResult, of all lanes.

    Attributes:
        seeds: For each lane.
        options: Keywords of the environment's reset.
        lanes: Which lanes; None for all.
    """

    seeds: Any
    options: dict[str, Any] | None = None
    lanes: list[int] | None = None


class StepVector(Request):
    """Carries out one action in each of some lanes; answered by VectorResult, of these.

    Attributes:
        actions: An array with a row for each lane, or a list.
        lanes: Which lanes; None for all.
    """

    actions: Any
    lanes: list[int] | None = None


class Reset(Request):
    """Begins an episode.

    Attributes:
        seed: Of its randomness: an int of any size, not negative; or None.
        options: Keywords of the environment's reset.
    """

    seed: Any  # msgpack's own integers have 64 bits
    options: dict[str, Any] | None = None


class Step(Request):
    """Carries out one action, a value of the action space."""

    action: Any


class Render(Request):
    """Asks for the picture, in the mode given on opening."""


class GetState(Request):
    """Asks for the environment's state."""


class Query(Request):
    """Asks the environment for something beside its episode; answered by :class:`Answer`.

    Attributes:
        subject: What for: ``"spaces"``, as they are now; ``"tools"``; ``"mcp_tools"`` and
            ``"call_tool"``, as MCP has them; or the methods of a provider of tasks:
            ``"list_splits"``, ``"list_tasks"``, ``"num_tasks"``, ``"get_task"``,
            ``"get_task_range"``; ``"page"``, what it shows on the page at ``/web``.
        arguments: Keywords of the question.
    """

    subject: str
    arguments: dict[str, Any] = {}


class Call(Request):
    """Reaches what an environment exports; answered by :class:`Called`.

    Attributes:
        path: Name of an attribute or method, with dots where it is of an object.
        what: ``"get"``, ``"call"`` or ``"set"``.
        arguments: Of the method; or the value to set.
        keywords: Of the method.
        lanes: In which lanes, where there are several; None for all. :class:`Called` has a list
            then.
    """

    path: str
    what: str = "get"
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    lanes: list[int] | None = None


class Snapshot(Request):
    """Asks for the episode as bytes."""


class Restore(Request):
    """Goes on with the episode of a snapshot.

    Attributes:
        data: What :class:`Snapshotted` has.
    """

    data: bytes


class Close(Request):
    """Ends the session."""


class Reply(msgspec.Struct, array_like=True, tag=True, kw_only=True):
    """Base of what a session answers.

    Attributes:
        id: That of the request.
        spent: Where the time of a timed request went, in nanoseconds: until the session took it up,
            and in the session.
    """

    id: int = 0
    spent: tuple[int, int] | None = None


class Description(Reply):
    """Answers :class:`Open`: all that a client has to know of the environment.

    Attributes:
        environment: Its name, as it is served.
        action_space: As JSON (:mod:`openenv_gym.spaces.describe`).
        observation_space: As JSON.
        metadata: For ``env.metadata``: render modes, frames per second.
        has_mask: Its infos carry ``action_mask``.
        exports: What :class:`Call` reaches, by name (:mod:`openenv_gym.wire.exports`).
        max_episode_steps: After so many steps it truncates an episode itself; None: never.
        sources: Where the bounds of each leaf of its Spaces came from, where some are guesses.
    """

    environment: str
    action_space: dict[str, Any]
    observation_space: dict[str, Any]
    metadata: dict[str, Any]
    has_mask: bool = False
    exports: dict[str, Any] = {}
    max_episode_steps: int | None = None
    sources: dict[str, str] = {}


class JsonDescription(Description):
    """Answers :class:`Open` of a session whose values are JSON of the environment's models.

    The Spaces of the description are the JSON schemas of actions and observations.

    Attributes:
        state_schema: JSON schema of the state.
        reset_schema: JSON schema of what a reset takes beside seed and id of the episode.
        config: What ``/config`` shows; None: there is no such route.
        calls_tools: The actions call tools, which the environment has itself.
        page: What the page at ``/web`` needs beside the schemas: ``legal_actions``, the field of
            observations that lists these; ``unused``, fields of actions without a Space;
            ``action_names`` of a Discrete action; ``drawn``, whether the environment draws itself
            there.
    """

    state_schema: dict[str, Any] = {}
    reset_schema: dict[str, Any] = {}
    config: dict[str, Any] | None = None
    calls_tools: bool = False
    page: dict[str, Any] = {}


class Result(Reply):
    """Answers :class:`Reset` and :class:`Step`.

    Attributes:
        observation: Value of the observation space.
        reward: Reward of the step; 0.0 after a reset.
        terminated: The episode ended by the rules of the task.
        truncated: The episode was cut off.
        info: What is beside the observation, the action mask among it.
    """

    observation: Any
    reward: Any
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def outcome(self) -> StepOutcome:
        """What ``gymnasium.Env.step`` returns."""
        return self.observation, self.reward, self.terminated, self.truncated, self.info


class VectorResult(Reply):
    """Answers :class:`ResetVector` and :class:`StepVector`.

    Attributes:
        observations: Value of the batched observation space: one array for each leaf.
        rewards: (lanes,) float64.
        terminations: (lanes,) bool.
        truncations: (lanes,) bool.
        infos: As gymnasium's vector infos; a list where these have an array of objects.
        widened: The lanes' Spaces, as their description has them, if they are wider than before.
    """

    observations: Any
    rewards: Any
    terminations: Any
    truncations: Any
    infos: dict[str, Any]
    widened: dict[str, Any] | None = None


class Frame(Reply):
    """Answers :class:`Render`: an array, a text, or None."""

    frame: Any


class StateReply(Reply):
    """Answers :class:`GetState`: the fields of the environment's state."""

    state: dict[str, Any]


class Answer(Reply):
    """Answers :class:`Query`: a value of JSON."""

    value: Any


class Called(Reply):
    """Answers :class:`Call`.

    Attributes:
        kind: ``"value"``; ``"pairs"``: keys and values of a dict; ``"method"`` or ``"object"``,
            which do not travel; ``"lanes"``: a list of kinds and values.
        value: The attribute, or what the method returned.
        filled: Arrays among the arguments that the method has changed, by their place.
    """

    kind: str
    value: Any = None
    filled: dict[int, Any] | None = None


class Snapshotted(Reply):
    """Answers :class:`Snapshot`.

    Attributes:
        data: The episode.
    """

    data: bytes


class Restored(Reply):
    """Answers :class:`Restore`."""


class Closed(Reply):
    """Answers :class:`Close`."""


class Failure(Reply):
    """Answers any request that failed: an error of :mod:`openenv_gym.errors`, in encoded form.

    Attributes:
        kind: Name of its class.
        message: Its message.
        fields: Its fields.
    """

    kind: str
    message: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, error: OpenEnvGymError) -> Failure:
        """Return the failure that reports an error."""
        return cls(type(error).__name__, str(error), error.fields)

    def error(self) -> OpenEnvGymError:
        """Return the error that was reported."""
        return show_traceback(from_name(self.kind, printable(self.message), self.fields))
