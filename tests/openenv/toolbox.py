"""Environments of ``openenv.core`` whose actions call tools, and the applications that serve them.

Only a peer's process can import this module.
"""

from __future__ import annotations

import random
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from fastmcp import FastMCP
from pydantic import Field

from openenv.core import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.mcp_types import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    Tool,
)
from openenv.core.env_server.types import Action, Observation, State
from openenv.core.rubrics import Rubric, WeightedSum

SESSIONS = 8


class _Toolbox(MCPEnvironment):
    """Counts steps, and observes no more than the base class does after a reset."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__(self.make_tools())
        self._state = State()
        self._random = random.Random(0)

    def make_tools(self) -> FastMCP[Any]:
        raise NotImplementedError

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> Observation:
        self._random = random.Random(seed)
        self._state = State(episode_id=episode_id)
        return Observation(metadata={"task": self.begin()})

    def begin(self) -> str:
        return ""

    def _step_impl(self, action: Action, timeout_s: float | None = None, **_: Any) -> Observation:
        return Observation(metadata={"error": f"{type(action).__name__} calls no tool"})

    def step(self, action: Action, timeout_s: float | None = None, **_: Any) -> Observation:
        raise AssertionError("the asynchronous one is to be called")

    async def step_async(
        self, action: Action, timeout_s: float | None = None, **keywords: Any
    ) -> Observation:
        self._state.step_count += 1
        return self.judge(action, await super().step_async(action, timeout_s, **keywords))

    def judge(self, action: Action, seen: Observation) -> Observation:
        return seen

    @property
    def state(self) -> State:
        return self._state


class Safe(_Toolbox):
    """A safe with three dials of three numbers: three tools, whose arguments are all bounded."""

    def begin(self) -> str:
        self._code = [self._random.randrange(3) for _ in range(3)]
        self._dials = [0, 0, 0]
        self._pulls = 0
        return "open the safe"

    def make_tools(self) -> FastMCP[Any]:
        server: FastMCP[Any] = FastMCP("safe")

        @server.tool
        def turn(
            dial: Annotated[int, Field(ge=0, le=2)], by: Annotated[int, Field(ge=-1, le=1)] = 1
        ) -> list[int]:
            """Turn a dial."""
            self._dials[dial] = (self._dials[dial] + by) % 3
            return list(self._dials)

        @server.tool
        def listen(at: Literal["dials", "door"], closely: bool = False) -> str:
            """Listen."""
            right = sum(map(int.__eq__, self._dials, self._code))
            return f"{right} clicks" if at == "dials" and closely else "nothing"

        @server.tool
        def pull() -> dict[str, Any]:
            """Pull at the door."""
            return {"open": self._dials == self._code, "dials": self._dials}

        return server

    def judge(self, action: Action, seen: Observation) -> Observation:
        if isinstance(action, CallToolAction) and action.tool_name == "pull":
            opened = self._dials == self._code
            self._pulls += 1
            seen.done = opened or self._pulls == 4
            seen.reward = 1.0 if opened else -0.25
        return seen


class Lever(_Toolbox):
    """One tool, whose argument is bounded."""

    def make_tools(self) -> FastMCP[Any]:
        server: FastMCP[Any] = FastMCP("lever")

        @server.tool
        def pull(arm: Annotated[int, Field(ge=0, le=3)]) -> float:
            """Pull an arm."""
            return self._random.random() * arm

        return server


class Desk(_Toolbox):
    """Tools that take any text, fail, or say nothing."""

    def make_tools(self) -> FastMCP[Any]:
        server: FastMCP[Any] = FastMCP("desk")

        @server.tool
        def echo(message: str, times: int = 1) -> str:
            """Say it again."""
            return message * times

        @server.tool
        def fail(reason: str) -> str:
            """Fail."""
            raise RuntimeError(reason)

        @server.tool
        def nothing() -> None:
            """Do nothing."""

        return server


class ScriptedAction(CallToolAction):
    """An action of its own kind, which OpenEnv's server lists no tools for."""


class Forge(Environment[ListToolsAction, ListToolsObservation, State]):
    """Lists tools without being an ``MCPEnvironment``, and has some from its reset on only."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state: State | None = None

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> Observation:
        self._state = State(episode_id=episode_id)
        return Observation(reward=0.0)

    def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Observation:
        if isinstance(action, ListToolsAction):
            made = (
                [] if self._state is None else [Tool(name="hit", description="", input_schema={})]
            )
            return ListToolsObservation(tools=made)
        return CallToolObservation(
            tool_name=action.tool_name, result={"hit": action.arguments}, done=True, reward=2
        )

    @property
    def state(self) -> State:
        return self._state or State()


class QuizAction(Action):
    answer: Annotated[int, Field(ge=0, le=18)]


class QuizObservation(Observation):
    question: Annotated[list[Annotated[int, Field(ge=0, le=9)]], Field(min_length=2, max_length=2)]


class Right(Rubric):
    def forward(self, action: Any, observation: Any) -> float:
        return float(action.answer == sum(observation.question))


class Near(Rubric):
    def forward(self, action: Any, observation: Any) -> float:
        return 1 - abs(action.answer - sum(observation.question)) / 18


class Quiz(Environment[QuizAction, QuizObservation, State]):
    """Sums, by tasks; a rubric grades the answers. One method of the provider is asynchronous."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__(rubric=WeightedSum([Right(), Near()], [0.75, 0.25]))
        self._state = State()

    def list_splits(self) -> list[Any]:
        return ["train", {"name": "held-out", "type": "test"}]

    async def list_tasks(self, split: str) -> list[Any]:
        return [self.get_task(split, index) for index in range(self.num_tasks(split))]

    def num_tasks(self, split: str) -> int:
        return {"train": 8, "held-out": 2}[split]

    def get_task(self, split: str, index: int) -> Any:
        if not 0 <= index < self.num_tasks(split):
            raise IndexError(index)
        return {"id": f"{split}-{index}", "sum": [index, 1 if split == "train" else 9]}

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str = "train",
        index: int | None = None,
    ) -> QuizObservation:
        self._state = State(episode_id=episode_id)
        chosen = random.Random(seed).randrange(8) if index is None else index
        self._question = self.get_task(split, chosen)["sum"]
        return QuizObservation(question=self._question)

    def step(self, action: QuizAction, timeout_s: float | None = None, **_: Any) -> QuizObservation:
        self._state.step_count += 1
        seen = QuizObservation(question=self._question)
        seen.reward = self._apply_rubric(action, seen)
        seen.done = seen.reward == 1.0
        return seen

    @property
    def state(self) -> State:
        return self._state


everything = FastAPI()
for _name, _kind, _action in (
    ("safe", Safe, CallToolAction),
    ("lever", Lever, CallToolAction),
    ("desk", Desk, CallToolAction),
    ("scripted", Desk, ScriptedAction),
    ("forge", Forge, CallToolAction),
):
    everything.mount(
        f"/{_name}",
        create_app(
            _kind, _action, CallToolObservation, env_name=_name, max_concurrent_envs=SESSIONS
        ),
    )

everything.mount(
    "/quiz",
    create_app(Quiz, QuizAction, QuizObservation, env_name="quiz", max_concurrent_envs=SESSIONS),
)
