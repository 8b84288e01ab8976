"""The Coding environment: Python code in, its output out, as in OpenEnv's ``coding_env``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from gymnasium.spaces import Space
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import MissingDependencyError, missing_package
from openenv_gym.models import ClientOption
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym_envs.coding.executors import Executor
from openenv_gym_envs.coding.models import MAX_OUTPUT, CodeAction, CodeObservation, CodeState
from openenv_gym_envs.coding.rewards import reward, safety_violation
from openenv_gym_envs.coding.sandboxed import SandboxExecutor
from openenv_gym_envs.coding.tasks import SPLITS, TASKS, Problem

# What a client of a server may ask for: limits that are no wider than the default ones.
_Seconds = Annotated[float, Field(gt=0, le=10)]
_Megabytes = Annotated[int, Field(ge=64, le=512)]
_CpuSeconds = Annotated[int, Field(ge=1, le=300)]
_Characters = Annotated[int, Field(ge=256, le=MAX_OUTPUT)]


class CodingEnvironment(Environment[CodeAction, CodeObservation, CodeState]):
    """Runs Python code, step by step, in a namespace that lasts for the episode.

    Rewards are OpenEnv's: -1 where the code looks unsafe, 0.1 where it has at most 100 characters,
    -0.2 where it is not valid Python, added up. An episode never ends, but for one with a task: the
    function that it asks for is checked after each step, and where it is right the reward is 1 more
    and the episode ends.

    Code that is killed, or ends its process, loses its namespace; the episode goes on.

    Args:
        executor: ``"sandbox"``: a process that sees no file, process or network of this host.
            ``"smolagents"``: the interpreter that OpenEnv uses, in this process, which is no
            security boundary.
        timeout_s: Seconds until a step is killed.
        memory_mb: Megabytes of memory (address space) that the code may use. Of the sandbox, as is
            what follows.
        cpu_s: Seconds of CPU time until the process of the code is killed, in all its steps.
        max_output: Most characters of ``stdout`` and of ``stderr`` in an observation.
        packages: Whether the code can import what is installed here beside numpy.

    Raises:
        MissingDependencyError: Bubblewrap, or smolagents, is not installed.
        EnvironmentFailedError: No sandbox can be made here.
    """

    render_modes = ("ansi",)

    def __init__(
        self,
        executor: Literal["sandbox", "smolagents"] = "sandbox",
        timeout_s: Annotated[float, Field(gt=0, le=3600), ClientOption(_Seconds)] = 10.0,
        memory_mb: Annotated[int, Field(ge=64), ClientOption(_Megabytes)] = 512,
        cpu_s: Annotated[int, Field(ge=1), ClientOption(_CpuSeconds)] = 300,
        max_output: Annotated[
            int, Field(ge=256, le=1 << 20), ClientOption(_Characters)
        ] = MAX_OUTPUT,
        packages: bool = False,
    ) -> None:
        self._executor: Executor
        if executor == "smolagents":
            self._executor = _smolagents(timeout_s, max_output)
        else:
            try:
                self._executor = SandboxExecutor(timeout_s, memory_mb, cpu_s, max_output, packages)
            except MissingDependencyError as error:
                raise MissingDependencyError(
                    f"{error} Or choose executor='smolagents', which is no security boundary.",
                    **error.fields,
                ) from error
        self._output = max_output
        self._state = CodeState()
        self._problem: Problem | None = None
        self._last = ""

    def spaces(self) -> Mapping[str, Space[Any]]:
        """The outputs are as long as the option says."""
        return {"stdout": Utf8(self._output), "stderr": Utf8(self._output)}

    def tasks(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Implements Environment.tasks: functions to write."""
        return TASKS

    def reset(
        self,
        split: str | None = None,
        index: int | None = None,
        episode_id: str | None = None,
    ) -> CodeObservation:
        """Begin an episode, with an empty namespace.

        Args:
            split: Split of the task, if there is one: what to write is in ``stdout`` then.
            index: Index of the task in its split.
            episode_id: Name of the episode in :attr:`state`.
        """
        task = self.chosen_task(split, index)
        self._problem = None if task is None else SPLITS[split or ""][index or 0]
        self._executor.begin(int(self.np_random.integers(1 << 63)))
        self._state = CodeState(episode_id=episode_id)
        self._last = ""
        prompt = "" if self._problem is None else self._problem.prompt
        return CodeObservation(stdout=prompt, reward=0.0)

    def step(self, action: CodeAction) -> CodeObservation:
        """Implements Environment.step."""
        code = action.code
        outcome = self._executor.run(code)
        violation = safety_violation(code)
        metadata = {"last_code": code}
        if violation is not None:
            metadata["safety_violation"] = violation
        self._state.step_count += 1
        self._state.last_exit_code = outcome.exit_code
        self._last = f"{code}\n---\n{outcome.stdout}{outcome.stderr}\n[{outcome.exit_code}]\n"
        solved = (
            self._problem is not None and self._executor.run(self._problem.check).exit_code == 0
        )
        return CodeObservation(
            stdout=outcome.stdout,
            stderr=outcome.stderr,
            exit_code=outcome.exit_code,
            reward=reward(code, violation, outcome.syntax_error) + solved,
            done=solved,
            metadata=metadata,
        )

    @property
    def state(self) -> CodeState:
        """The number of steps, and how the last one ended."""
        return self._state.model_copy()

    def render(self) -> str | None:
        """The code of the last step, what it wrote, and its exit code."""
        return self._last if self.render_mode == "ansi" else None

    def close(self) -> None:
        """End the sandbox."""
        self._executor.close()


def _smolagents(timeout_s: float, max_output: int) -> Executor:
    try:
        # Here, so that who does not want it need not have it.
        from openenv_gym_envs.coding.smolagents import SmolagentsExecutor
    except ImportError as error:
        raise missing_package("executor='smolagents'", "smolagents", "smolagents") from error
    return SmolagentsExecutor(timeout_s, max_output)
