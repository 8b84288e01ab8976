"""Stockfish as an opponent, over UCI on the pipes of a child process.

python-chess has a client for engines as well, but it runs an event loop on a thread of
its own, and a program that forgets ``close()`` waits for that thread forever when it
exits. One question and one answer at a time need neither thread nor loop.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import weakref
from collections.abc import Iterator

import chess
import numpy as np

from openenv_gym.errors import EnvironmentFailedError, MissingDependencyError
from openenv_gym_envs.chess.game import Game
from openenv_gym_envs.chess.opponents import Opponent

# Debian puts games in a folder that the search path of a service does not include.
_DEBIAN = "/usr/games/stockfish"
_DEFAULT_DEPTH = 2
_CLOSE_SECONDS = 1.0


class StockfishOpponent(Opponent):
    """Plays the moves that Stockfish finds best.

    The same game gets the same answers: the engine has one thread, limits by depth or
    nodes instead of time, and a hash table that is cleared at each new game. Its lower
    skill levels are not used, as they choose at random without a seed.

    The process starts at the first game. It ends at :meth:`close`; without that, when
    the opponent is garbage-collected or the interpreter exits; and when this process is
    killed, since the engine then reads the end of its input.

    Args:
        path: Path of the program; by default ``stockfish`` on the search path, else
            Debian's.
        depth: Half-moves to look ahead; 2 where no limit is given.
        nodes: Most positions to look at.
        timeout: Seconds to wait for any one answer.

    Raises:
        MissingDependencyError: The program was not found.
    """

    def __init__(
        self,
        path: str | None = None,
        depth: int | None = None,
        nodes: int | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._path = find(path)
        if depth is None and nodes is None:
            depth = _DEFAULT_DEPTH
        limits = [f"depth {depth}"] if depth is not None else []
        limits += [f"nodes {nodes}"] if nodes is not None else []
        self._go = " ".join(["go", *limits])
        self._timeout = timeout
        self._process: subprocess.Popen[str] | None = None
        self._start_fen = ""

    def begin(self, game: Game) -> None:
        """Implements Opponent.begin."""
        self._start_fen = game.board.root().fen()
        if self._process is None:
            self._start()
        self._ask("ucinewgame\nisready", "readyok")  # this clears the hash table

    def choose(self, game: Game, rng: np.random.Generator) -> chess.Move:
        """Implements Opponent.choose; nothing is left to chance."""
        # All moves, not only the position: the engine must know of repetitions.
        moves = " ".join(["", "moves", *game.history]) if game.history else ""
        answer = self._ask(f"position fen {self._start_fen}{moves}\n{self._go}", "bestmove")
        return game.legal[answer.split()[1]]

    def close(self) -> None:
        """Implements Opponent.close."""
        if self._process is not None:
            _stop(self._process)
            self._process = None

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [self._path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        weakref.finalize(self, _stop, self._process)
        self._ask("uci", "uciok")
        self._ask("setoption name Threads value 1\nisready", "readyok")

    def _ask(self, command: str, answer: str) -> str:
        """Send a command, and return the first line that begins with ``answer``."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with self._limit(process):
                # If the process died, the end of its output shows it below.
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(command + "\n")
                    process.stdin.flush()
                for line in process.stdout:
                    if line.split(maxsplit=1)[:1] == [answer]:
                        return line
        except BaseException:  # such as Ctrl-C: the answer would be taken for the next one
            self.close()
            raise
        self.close()
        raise EnvironmentFailedError(
            f"{self._path} did not answer {answer!r} within {self._timeout} s, or it died "
            f"(exit status {process.returncode}). The next reset starts it again; the option "
            "stockfish_timeout allows more time.",
            path=self._path,
            returncode=process.returncode,
        )

    @contextlib.contextmanager
    def _limit(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Limit a wait by killing the engine, whose output ends with it."""
        timer = threading.Timer(self._timeout, process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def find(path: str | None) -> str:
    """Return where the program is.

    Args:
        path: The program; None looks on the search path, then where Debian puts it.

    Raises:
        MissingDependencyError: It was not found.
    """
    found = shutil.which(path or "stockfish")
    if found is None and path is None:
        found = shutil.which(_DEBIAN)
    if found is None:
        raise MissingDependencyError(
            f"opponent='stockfish' needs the program Stockfish, and "
            f"{path or 'stockfish'!r} was not found: apt-get install stockfish, or "
            "name its path by the option stockfish_path.",
            path=path,
        )
    return found


def _stop(process: subprocess.Popen[str]) -> None:
    """End the engine, by force if it does not end by itself."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()  # the engine quits at the end of its input
    try:
        process.wait(_CLOSE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
