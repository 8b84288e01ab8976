"""verifiers: its evaluation program, on games that run over any transport.

    pip install verifiers uv "openenv-gym[connect4,server]"
    OPENENV_GYM_TRANSPORT=websocket python examples/trainers/verifiers_eval.py

This file is a taskset and an environment of verifiers, and ``main`` calls ``vf-eval`` on it. The
model here is a small server that answers each turn with a column; a real run names another by
``--client.base-url``, ``--client.api-key-var`` and ``--model``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gymnasium
import verifiers.v1 as vf
from verifiers.v1.cli.eval.main import main as evaluate

import openenv_gym  # noqa: F401  # registers openenv/*

__all__ = ["Connect4Env", "Connect4Taskset"]

GAMES = 1
RULES = "You play Connect Four as X. Answer with the number of a column, 0 to 6."


class Connect4Data(vf.TaskData):
    """One game: all that happens in it follows from the seed and the answers."""

    seed: int


class Connect4Task(vf.Task[Connect4Data]):
    """A task of one game."""


class Connect4Taskset(vf.Taskset[Connect4Task, vf.TasksetConfig]):
    """A game for each seed."""

    def load(self) -> Iterator[Connect4Task]:
        """Yield the games."""
        for seed in range(GAMES):
            data = Connect4Data(name=f"seed {seed}", prompt=None, system_prompt=RULES, seed=seed)
            yield Connect4Task(data, self.config.task)


class Connect4Config(vf.EnvConfig):
    """The one who plays."""

    player: vf.AgentConfig = vf.AgentConfig()


class Connect4Env(vf.Env[Connect4Config]):
    """A game whose board is the user's turn, and whose reward is the game's."""

    async def run(self, task: Connect4Task, agents: vf.Agents) -> None:
        """Play one game; an answer without a legal column ends it."""
        game = gymnasium.make("openenv/Connect4-v0", render_mode="ansi", opponent="random")
        try:
            _, info = await asyncio.to_thread(game.reset, seed=task.data.seed)
            reward, over = 0.0, False
            async with agents.player.interaction(task) as interaction:
                segment = await interaction.turn(game.render())
                while not segment.terminated:
                    columns = re.findall(r"[0-6]", segment.last_reply)
                    if not columns or not info["action_mask"][int(columns[-1])]:
                        break
                    step = await asyncio.to_thread(game.step, int(columns[-1]))
                    _, reward, terminated, truncated, info = step
                    over = terminated or truncated
                    if over:
                        break
                    segment = await interaction.turn(game.render())
            interaction.trace.record_reward("game", float(reward))
            interaction.trace.record_metric("finished", float(over))
        finally:
            await asyncio.to_thread(game.close)


class FirstOpenColumn(BaseHTTPRequestHandler):
    """A model of OpenAI's chat API that plays the first column whose upper place is empty."""

    def do_POST(self) -> None:  # as http.server wants it
        """Answer a request for a completion."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        top = str(request["messages"][-1]["content"]).split("\n")[0].split()
        delta = {"role": "assistant", "content": f"I play {top.index('.')}."}
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": request["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


def main() -> None:
    """Evaluate the model on all games."""
    model = ThreadingHTTPServer(("127.0.0.1", 0), FirstOpenColumn)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    name = Path(__file__).stem
    with tempfile.TemporaryDirectory() as folder:
        evaluate(
            [
                name,
                "--env.id",
                f"{name}",
                "--model",
                "first-open-column",
                "--client.base-url",
                f"http://127.0.0.1:{model.server_port}/v1",
                "--client.api-key-var",
                "NO_KEY",
                "--output-dir",
                folder,
                "--env.player.runtime.type",
                "subprocess",
                "--env.player.harness.id",
                "null",  # talks, and runs nothing
                "--run.name",
                "games",
                "--no-rich",
            ]
        )
        text = next(Path(folder).rglob("traces.jsonl")).read_text()
    model.shutdown()
    for episode in map(json.loads, text.splitlines()):
        trace = episode["traces"][0]
        assert trace["metrics"]["finished"] == 1.0, trace["errors"]
        print(f"{trace['task']['data']['name']}: reward {trace['rewards']['game']['score']:+g}")


if __name__ == "__main__":
    os.environ.setdefault("NO_KEY", "none")
    main()
