"""The executor of OpenEnv's own environment: smolagents' interpreter. No security boundary.

``import smolagents`` in here is the library: imports are absolute.
"""

from __future__ import annotations

import ast
import json
import math
import random

from smolagents.local_python_executor import InterpreterError, LocalPythonExecutor

from openenv_gym_envs.coding.executors import Executor, Outcome, together
from openenv_gym_envs.sandbox.inside.capture import cut


class SmolagentsExecutor(Executor):
    """Interprets code in this process, by a subset of Python that smolagents walks itself.

    Its limit of time cannot interrupt a single call, and there is no limit of memory.

    Args:
        timeout_s: Seconds until a step is given up.
        max_output: Most characters of each output.
    """

    def __init__(self, timeout_s: float, max_output: int) -> None:
        self._timeout = math.ceil(timeout_s)
        self._output = max_output

    def begin(self, seed: int) -> None:
        """Implements Executor.begin."""
        self._random = random.Random(seed).getstate()
        self._interpreter = LocalPythonExecutor([], timeout_seconds=self._timeout)
        self._interpreter.send_tools({})

    def run(self, code: str) -> Outcome:
        """Implements Executor.run."""
        syntax_error = _is_no_python(code)
        others = random.getstate()
        random.setstate(self._random)  # the code has the module of this process
        try:
            done = self._interpreter(code)
        except InterpreterError as error:
            return Outcome("", cut(f"{error}\n", self._output), 1, syntax_error)
        except Exception as error:
            reported = f"{type(error).__name__}: {error}\n"
            return Outcome("", cut(reported, self._output), 1, syntax_error)
        finally:
            self._random = random.getstate()
            random.setstate(others)
        reported = together(done.logs, None if done.output is None else _to_text(done.output))
        return Outcome(cut(reported, self._output), "", 0, syntax_error)

    def close(self) -> None:
        """Implements Executor.close; there is nothing to end."""


def _is_no_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return True
    except (ValueError, MemoryError, RecursionError):
        return False
    return False


def _to_text(value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
