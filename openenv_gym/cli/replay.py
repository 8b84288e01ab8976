"""``openenv-gym replay``: what a recording has, and whether the environment still plays it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.wire.codec import encode_value
from openenv_gym.wire.messages import Failure, Frame, Reply, Reset, Result, Step
from openenv_gym.wire.recording import Recording, read_recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Shows what a recording has: where it comes from, and its episodes. The environment is "
        "not needed, unless --check plays it again and compares each outcome bit for bit: exit "
        "code 1 where one differs."
    )
    parser.add_argument("file", type=Path, help="a recording: game.oeg")
    parser.add_argument("--check", action="store_true", help="play the environment, and compare")
    parser.add_argument("--transport", help="how it runs for --check")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the recording, or check the environment against it."""
    recording = read_recording(arguments.file)
    if arguments.check:
        steps, difference = _check(recording, arguments.transport)
        if arguments.json:
            print_json({"steps": steps, "same": not difference, "difference": difference or None})
        elif difference:
            print(f"step {steps}: {difference}")
        else:
            print(f"{steps} steps, the same bit for bit")
        return 1 if difference else 0
    if arguments.json:
        shown = {"head": recording.head, "steps": [*map(_row, _played(recording))]}
        print_json(shown)
        return 0
    for name, value in recording.head.items():
        print(f"{name}: {value}")
    for request, reply in _played(recording):
        row = _row((request, reply))
        if "seed" in row:
            text = f"reset, seed {row['seed']}"
        else:
            text = f"  {row['action']!r:.60}: reward {row.get('reward')}"
        text += "".join(f", {end}" for end in ("terminated", "truncated") if row.get(end))
        print(text + (f": {row['problem']}" if "problem" in row else ""))
    return 0


def _played(recording: Recording) -> list[tuple[Any, Reply]]:
    return [
        (request, reply)
        for request, reply in recording.exchanges
        if isinstance(request, Reset | Step)
    ]


def _row(exchange: tuple[Any, Reply]) -> dict[str, Any]:
    request, reply = exchange
    row: dict[str, Any] = (
        {"seed": request.seed} if isinstance(request, Reset) else {"action": request.action}
    )
    if isinstance(reply, Failure):
        return {**row, "problem": f"{reply.kind}: {reply.message}"}
    assert isinstance(reply, Result)
    ends = {"terminated": bool(reply.terminated), "truncated": bool(reply.truncated)}
    return {**row, "reward": reply.reward, **ends}


def _check(recording: Recording, transport: str | None) -> tuple[int, str]:
    """Play the environment as it was recorded; return the steps, and where an outcome differs."""
    made = recording.request
    env = OpenEnvGym(
        recording.head["environment"],
        render_mode=made.render_mode,
        transport=transport,
        options=made.options,
    )
    steps = 0
    try:
        for request, recorded in recording.exchanges:
            if not isinstance(recorded, Result | Frame):
                continue
            steps += isinstance(request, Step)
            try:
                reply: Any = env.link.exchange(request)
            except OpenEnvGymError as error:
                reply = Failure.of(error)
            difference = _difference(recorded, reply)
            if difference:
                return steps, difference
    finally:
        env.close()
    return steps, ""


def _difference(recorded: Reply, reply: Reply) -> str:
    if type(recorded) is not type(reply):
        return f"{getattr(reply, 'message', type(reply).__name__)}"
    for name in recorded.__struct_fields__:
        one, other = getattr(recorded, name), getattr(reply, name)
        if name not in ("id", "spent") and encode_value(one) != encode_value(other):
            return f"{name} was {one!r:.200}, and is {other!r:.200}"
    return ""
