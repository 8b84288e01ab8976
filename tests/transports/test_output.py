"""What an environment prints and raises elsewhere is seen here, by its owner."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from openenv_gym.errors import EnvironmentFailedError
from tests.environments import FAIL, SECRET, THREADED
from tests.servers import Served
from tests.transports.clients import make

PROGRAM = """
import gymnasium as gym, sys

class Talking(gym.Env):
    observation_space = action_space = gym.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        print("for standard output: \\N{LATIN SMALL LETTER E WITH ACUTE}")
        print("for standard error", file=sys.stderr)
        return 0, {}

    def step(self, action):
        print("without an end", end="")
        return 0, 0.0, False, False, {}

if __name__ == "__main__":
    import openenv_gym

    transport, output = sys.argv[1:]
    openenv_gym.register_environment("test/Talking-v0", "talking:Talking")
    options = {"output": output == "True"}
    env = gym.make("test/Talking-v0", transport=transport, transport_options=options)
    env.reset()
    env.step(0)
    env.close()
    print("the end")
"""


@pytest.mark.parametrize("output", [True, False])
@pytest.mark.parametrize("name", ["process", "websocket"])
def test_output_goes_to_the_program(name: str, output: bool, tmp_path: Path) -> None:
    (tmp_path / "talking.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "talking.py", name, str(output)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60.0,
        check=True,
    )
    lines, errors = done.stdout.splitlines(), done.stderr.splitlines()
    assert lines.pop() == "the end"
    if not output:
        assert lines == errors == []
        return
    ends = ["for standard output: \u00e9", "without an end"]
    assert [line.partition("] ")[2] for line in lines] == ends
    assert [line.partition("] ")[2] for line in errors] == ["for standard error"]
    assert all(line.startswith("[talking:Talking ") for line in lines + errors)


def raised(name: str, **keywords: str) -> EnvironmentFailedError:
    env = make(THREADED, name, **keywords)
    env.reset()
    with pytest.raises(EnvironmentFailedError) as caught:
        env.step(FAIL)
    env.close()
    return caught.value


@pytest.mark.parametrize("name", ["inprocess", "process", "websocket", "http"])
def test_traceback_of_the_environment(name: str) -> None:
    """Once, under the error, also where the error came from another process."""
    error = raised(name)
    for one in (error, pickle.loads(pickle.dumps(error))) if name != "inprocess" else (error,):
        shown = "".join(traceback.format_exception(one))
        assert shown.count("tests/environments.py") == 1
        assert SECRET in shown
        assert ("The environment's own traceback:" in shown) == (name != "inprocess")


def test_strangers_see_no_traceback(transport: str, server: Served) -> None:
    error = raised(transport, url=server.url(transport))
    assert SECRET not in "".join(traceback.format_exception(error))
