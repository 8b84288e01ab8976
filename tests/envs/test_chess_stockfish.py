"""The engine; whatever needs the real one is skipped where it is not installed."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openenv_gym.errors import EnvironmentFailedError, EpisodeError, MissingDependencyError
from openenv_gym_envs.chess import uci_engine
from openenv_gym_envs.chess.environment import ChessEnvironment
from openenv_gym_envs.chess.models import ChessAction

ROOT = Path(__file__).parents[2]

try:
    uci_engine.find(None)
    FOUND = True
except MissingDependencyError:
    FOUND = False

needs_engine = pytest.mark.skipif(
    not FOUND, reason="Stockfish is not installed: apt-get install stockfish"
)


@pytest.fixture
def make():
    made = []

    def make(**options):
        env = ChessEnvironment(opponent="stockfish", **options)
        made.append(env)
        env.seed(0)
        return env

    yield make
    for env in made:
        env.close()


@pytest.fixture
def program(tmp_path):
    """Writes a program that answers as a UCI engine, then runs these lines of Python."""

    def write(lines):
        path = tmp_path / "engine"
        path.write_text(
            f"#!{sys.executable}\n"
            "import os, sys, time\n"
            "def say(text): print(text, flush=True)\n"
            "for line in sys.stdin:\n"
            "    word = line.split()[0]\n"
            "    if word == 'uci': say('id name x'); say('uciok')\n"
            "    if word == 'isready': say('readyok')\n"
            f"    if word == 'go': {lines}\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


def process_of(env):
    return env._opponent._process


def alive(pid):
    """Whether the process runs, and is not merely waiting to be collected."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pid):
    limit = time.monotonic() + 5
    while alive(pid) and time.monotonic() < limit:
        time.sleep(0.01)
    return not alive(pid)


def game(env, steps=8):
    """A short game in which the agent plays its first legal move."""
    observation = env.reset()
    for _ in range(steps):
        if observation.done:
            break
        observation = env.step(ChessAction(move=observation.legal_moves[0]))
    return env.state.move_history


@needs_engine
class TestEngine:
    @pytest.mark.parametrize(
        "options",
        [{}, {"stockfish_depth": 4}, {"stockfish_nodes": 500}],
        ids=str,
    )
    def test_same_game_same_answers(self, make, options):
        env = make(**options)
        first = game(env)
        # Again on the engine that has seen the game, and on one that has not.
        assert game(env) == first
        assert game(make(**options)) == first

    def test_as_white_it_moves_in_the_reset(self, make):
        env = make(agent_color="black")
        env.reset()
        assert env.state.step_count == 1

    def test_starts_from_a_fen(self, make):
        env = make(fen="6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1", agent_color="black")
        observation = env.reset()
        assert observation.result == "1-0"
        assert env.state.move_history == ["a1a8"]

    def test_it_mates_where_it_can(self, make):
        env = make(fen="r5k1/8/8/8/8/8/P4PPP/6K1 w - - 0 1")
        env.reset()
        observation = env.step(ChessAction(move="a2a3"))
        assert not observation.done
        env = make(fen="4r1k1/8/8/8/8/8/P4PPP/6K1 w - - 0 1")
        env.reset()
        observation = env.step(ChessAction(move="a2a3"))
        assert (observation.reward, observation.result) == (-1.0, "0-1")

    def test_is_not_run_on_the_event_loop(self, make):
        assert not make().inline

    def test_starts_at_the_first_game_only(self, make):
        env = make()
        assert process_of(env) is None
        env.reset()
        process = process_of(env)
        env.reset()
        assert process_of(env) is process

    def test_close_ends_the_process(self, make):
        env = make()
        env.reset()
        process = process_of(env)
        assert alive(process.pid)
        env.close()
        assert process.returncode == 0
        env.close()

    def test_a_forgotten_environment_ends_the_process(self):
        env = ChessEnvironment(opponent="stockfish")
        env.reset()
        process = process_of(env)
        del env
        gc.collect()
        assert process.poll() is not None

    @pytest.mark.parametrize("end", ["sys.exit()", "os.kill(os.getpid(), 9)"])
    def test_ends_with_the_interpreter(self, end):
        code = (
            "import os, sys; sys.path[:0] = ['.', 'envs']\n"
            "from openenv_gym_envs.chess.environment import ChessEnvironment\n"
            "env = ChessEnvironment(opponent='stockfish')\n"
            "env.reset()\n"
            "print(env._opponent._process.pid, flush=True)\n" + end
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=250, cwd=ROOT)
        assert done.returncode in (0, -signal.SIGKILL)
        assert wait_for_end(int(done.stdout))

    def test_a_killed_engine_is_an_error_and_starts_again(self, make):
        env = make()
        observation = env.reset()
        pid = process_of(env).pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EnvironmentFailedError, match="next reset starts it again"):
            env.step(ChessAction(move=observation.legal_moves[0]))
        # It is the engine's turn: the agent must not move for it.
        with pytest.raises(EpisodeError, match="call reset"):
            env.step(ChessAction(move="e7e5"))
        assert len(game(env)) == 16


class TestWithoutTheEngine:
    def test_without_it_the_package_is_named(self, monkeypatch):
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(uci_engine, "_DEBIAN", "/nowhere/stockfish")
        with pytest.raises(MissingDependencyError, match="apt-get install stockfish"):
            ChessEnvironment(opponent="stockfish")

    def test_found_where_debian_puts_it(self, monkeypatch, program):
        path = program("say('bestmove e7e5')")
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(uci_engine, "_DEBIAN", path)
        assert uci_engine.find(None) == path

    def test_named_path_is_missing(self):
        with pytest.raises(MissingDependencyError, match="/nowhere/at/all") as caught:
            ChessEnvironment(opponent="stockfish", stockfish_path="/nowhere/at/all")
        assert caught.value.fields["path"] == "/nowhere/at/all"

    def test_any_uci_engine_will_do(self, make, program):
        env = make(stockfish_path=program("say('info x'); say('bestmove e7e5')"))
        env.reset()
        env.step(ChessAction(move="e2e4"))
        assert env.state.move_history == ["e2e4", "e7e5"]

    def test_a_silent_engine_is_killed_in_time(self, make, program):
        env = make(stockfish_path=program("time.sleep(100)"), stockfish_timeout=5)
        env.reset()
        process = process_of(env)
        began = time.monotonic()
        with pytest.raises(EnvironmentFailedError, match="within 5"):
            env.step(ChessAction(move="e2e4"))
        assert time.monotonic() - began < 60
        assert process.returncode == -signal.SIGKILL

    def test_an_engine_that_dies_is_an_error_with_its_status(self, make, program):
        env = make(stockfish_path=program("os._exit(3)"))
        env.reset()
        with pytest.raises(EnvironmentFailedError, match="exit status 3") as caught:
            env.step(ChessAction(move="e2e4"))
        assert caught.value.fields["returncode"] == 3
        env.reset()  # starts another

    def test_program_that_is_no_engine(self, make):
        env = make(stockfish_path=sys.executable, stockfish_timeout=0.5)
        with pytest.raises(EnvironmentFailedError, match="uciok"):
            env.reset()
        assert process_of(env) is None

    def test_engine_that_does_not_quit(self, make, program):
        env = make(stockfish_path=program("say('bestmove e7e5'); time.sleep(60)"))
        env.reset()
        env.step(ChessAction(move="e2e4"))
        process = process_of(env)
        env.close()
        assert process.returncode == -signal.SIGKILL
