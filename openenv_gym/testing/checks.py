"""What ``openenv-gym validate`` checks: the contract of :mod:`openenv_gym.testing`, in short.

For an environment of one's own, by its name or folder; and for a server that runs, ours or one of
OpenEnv's own make, by its URL.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymnasium.spaces import Space

from openenv_gym import registry
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ActionError,
    EpisodeError,
    OpenEnvGymError,
    OpenEnvServerWarning,
    OptionError,
)
from openenv_gym.testing.trajectory import Transition, play, same
from openenv_gym.wire.names import (
    HEALTH_PATH,
    MCP_PATH,
    METADATA_PATH,
    OPENAPI_PATH,
    RESET_PATH,
    SCHEMA_PATH,
    STATE_PATH,
    STEP_PATH,
)
from openenv_gym.wire.token import sendable_token

STEPS = 30
"""Steps of the episodes that are played."""

_LIMIT = 30.0  # seconds for a reply over HTTP


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was checked.
        verdict: ``"ok"``, ``"warning"`` or ``"failed"``.
        reason: Why, unless it is ok.
    """

    check: str
    verdict: str
    reason: str = ""


class CheckError(Exception):
    """A check found something wrong."""


Make = Callable[..., OpenEnvGym]


Event = str | Finding | bool


class Findings:
    """What was found so far.

    Args:
        report: Is called with the name of each check as it begins, with True for each transition of
            an episode, and with the Finding at the end.

    Attributes:
        all: The findings.
    """

    def __init__(self, report: Callable[[Event], None] | None = None) -> None:
        self.all: list[Finding] = []
        self.report: Callable[[Event], None] = report or (lambda event: None)

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        self.all.append(finding)
        self.report(finding)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(finding.verdict != "failed" for finding in self.all)

    @contextmanager
    def check(self, what: str, *, otherwise: str = "failed") -> Iterator[None]:
        """Add whether the block raises, and why."""
        self.report(what)
        try:
            yield
        # An environment's own code may raise anything, also before there is a session around it.
        except (CheckError, OpenEnvGymError) as error:
            self.add(Finding(what, otherwise, str(error)))
        except Exception as error:
            self.add(Finding(what, otherwise, f"{type(error).__name__}: {error}"))
        else:
            self.add(Finding(what, "ok"))


def _hold(condition: Any, problem: str) -> None:
    if not condition:
        raise CheckError(problem)


# An environment


def check_environment(
    name: str, options: Mapping[str, Any], report: Callable[[Event], None] | None = None
) -> Findings:
    """Check an environment in this process.

    Args:
        name: Name, id, ``module:Class`` or folder.
        options: Options of the environment.
        report: Is called with what happens; see :class:`Findings`.
    """
    found = Findings(report)

    def make(**keywords: Any) -> OpenEnvGym:
        return OpenEnvGym(name, **{"transport": "inprocess", **keywords}, options=options)

    with found.check("it is found"):
        entry = registry.environment(name)
        if entry.folder is not None:
            _readme(Path(entry.folder))
    if found.passed:
        with found.check("it can be made, and has Spaces"), closing(make()) as env:
            for space in (env.action_space, env.observation_space):
                _hold(space.contains(space.sample()), f"{space} does not contain its own sample.")
    if found.passed:
        _check_episodes(found, make)
        _check_refusals(found, make)
        _check_pictures(found, make)
        with (
            found.check("in another process it is the same, bit for bit"),
            closing(make()) as here,
            closing(make(transport="process")) as there,
        ):
            _alike(_played(found, here), _played(found, there))
    return found


def _readme(folder: Path) -> None:
    _hold((folder / "README.md").is_file(), f"{folder} has no README.md.")


def _check_episodes(found: Findings, make: Make) -> None:
    with (
        found.check("observations, rewards and flags are what they must be"),
        closing(make()) as env,
    ):
        for number, one in enumerate(_played(found, env)):
            _check_transition(number, one, env.observation_space)
    with found.check("the same seed gives the same episode"), closing(make()) as env:
        first = _played(found, env)
        list(play(env, seed=8, steps=3))
        _alike(first, _played(found, env))


def _check_transition(number: int, one: Transition, space: Space[Any]) -> None:
    where = f"after {number} steps" if number else "after the reset"
    _hold(space.contains(one.observation), f"The observation {where} is not in {space}.")
    reward = one.reward
    _hold(
        isinstance(reward, int | float) and math.isfinite(reward),
        f"The reward {where} is {reward!r}, which is not a finite number.",
    )
    for flag in (one.terminated, one.truncated):
        _hold(isinstance(flag, bool), f"A flag {where} is {flag!r}, which is not a bool.")


def _check_refusals(found: Findings, make: Make) -> None:
    with found.check("an invalid action is refused"), closing(make()) as env:
        env.reset(seed=0)
        _hold(_raises(ActionError, lambda: env.step(object())), "step(object()) was carried out.")
    with found.check("a step before the reset is refused"), closing(make()) as env:
        step = env.action_space.sample()
        _hold(_raises(EpisodeError, lambda: env.step(step)), "It was carried out.")
    with found.check("an unknown option is refused"):
        unknown = "no_such_option"
        _hold(
            _raises(OptionError, lambda: make(**{unknown: 1}).close()),
            f"{unknown}=1 was accepted: a constructor with **keywords hides what is misspelt.",
        )


def _raises(kind: type[Exception], call: Callable[[], object]) -> bool:
    try:
        call()
    except kind:
        return True
    return False


def _check_pictures(found: Findings, make: Make) -> None:
    with closing(make()) as env:
        modes = [mode for mode in env.metadata["render_modes"] if mode != "human"]
    for mode in modes:
        with found.check(f"it renders {mode}"), closing(make(render_mode=mode)) as env:
            env.reset(seed=0)
            _hold(env.render() is not None, "render() returns None.")


def _played(found: Findings, env: OpenEnvGym) -> list[Transition]:
    transitions = []
    for transition in play(env, seed=7, steps=STEPS):
        found.report(True)
        transitions.append(transition)
    return transitions


def _alike(one: list[Transition], other: list[Transition]) -> None:
    for number, (a, b) in enumerate(zip(one, other, strict=True)):
        for field, left, right in zip(Transition._fields, a, b, strict=True):
            problem = f"{field} of step {number}: {left!r:.200} and {right!r:.200}."
            _hold(same(left, right), problem)


# A server


def check_server(
    url: str,
    token: str | None,
    show: Callable[[Finding], None] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Findings:
    """Check a server that runs.

    Args:
        url: ``http://``, ``https://``, ``ws://`` or ``wss://``.
        token: Its token.
        show: Is called with each finding, as soon as there is one.
        options: Options of the environment, for the sessions that check it.
    """

    def report(event: Event) -> None:
        if show is not None and isinstance(event, Finding):
            show(event)

    found = Findings(report)
    scheme, _, rest = url.rstrip("/").partition("://")
    secure = "s" if scheme in ("https", "wss") else ""
    server = _Server(f"http{secure}://{rest}", token)
    with found.check("GET /health says that it is healthy"):
        _hold(server.get(HEALTH_PATH).get("status") == "healthy", "It does not.")
    if not found.passed:
        return found
    with found.check("GET /openapi.json has a version and the routes of an episode"):
        document = server.get(OPENAPI_PATH)
        _hold(isinstance(document.get("info", {}).get("version"), str), "info.version is missing.")
        missing = {RESET_PATH, STEP_PATH, STATE_PATH} - document.get("paths", {}).keys()
        _hold(not missing, f"{', '.join(sorted(missing))} is missing.")
    with found.check("GET /metadata has a name and a description"):
        _texts(server.get(METADATA_PATH), "name", "description")
    with found.check("GET /schema has the schemas of actions, observations and states"):
        schema = server.get(SCHEMA_PATH)
        for name in ("action", "observation", "state"):
            _hold(isinstance(schema.get(name), dict), f"{name} is missing.")
    with found.check("POST /mcp answers as JSON-RPC"):
        _hold(server.post(MCP_PATH, {}).get("jsonrpc") == "2.0", "It does not.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OpenEnvServerWarning)  # that it is one is not a finding
        _check_served(found, f"ws{secure}://{rest}", token, options or {})
    return found


def _check_served(found: Findings, url: str, token: str | None, options: Mapping[str, Any]) -> None:
    def make() -> OpenEnvGym:
        return OpenEnvGym(None, transport="websocket", url=url, token=token, **options)

    def warn(what: str) -> AbstractContextManager[None]:
        return found.check(what, otherwise="warning")

    with (
        found.check("its Spaces are known, and an episode can be played"),
        closing(make()) as env,
    ):
        for number, one in enumerate(_played(found, env)):
            _check_transition(number, one, env.observation_space)
        _hold(isinstance(env.state(), dict), "The state is missing.")
    if not found.passed:
        return
    with warn("the same seed gives the same episode"), closing(make()) as env:
        _alike(_played(found, env), _played(found, env))
    with (
        warn("two clients at a time have an episode each"),
        closing(make()) as first,
        closing(make()) as second,
    ):
        first.reset(seed=0)
        second.reset(seed=0)


def _texts(reply: Mapping[str, Any], *names: str) -> None:
    for name in names:
        _hold(isinstance(reply.get(name), str), f"{name} is missing.")


class _Server:
    """A server over HTTP."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {sendable_token(token, 'token=')}"

    def get(self, path: str) -> dict[str, Any]:
        """Return the object that a GET returns."""
        return self._ask(path, None)

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Return the object that a POST returns."""
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path: str, body: bytes | None) -> dict[str, Any]:
        # Here, since only servers at a URL are asked.
        import httpx

        method = "GET" if body is None else "POST"
        try:
            reply = httpx.request(
                method, self._url + path, content=body, headers=self._headers, timeout=_LIMIT
            )
            if not reply.is_success:
                raise CheckError(
                    f"{self._url}{path} answered {reply.status_code} {reply.reason_phrase}."
                )
            read = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise CheckError(f"{self._url}{path}: {error}.") from error
        _hold(
            isinstance(read, dict),
            f"{self._url}{path} did not answer with a JSON object.",
        )
        return dict(read)
