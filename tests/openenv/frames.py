"""Frames to fuzz a server with, and what OpenEnv's protocol says that it must answer.

The server has :class:`tests.openenv.counterparts.NestedEnvironment` or ``SensorsEnvironment``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

CLOSED = "closed"
"""What is expected of a frame that ends the connection without a reply."""


class Fuzz(NamedTuple):
    """A frame.

    Attributes:
        frame: Text, or bytes for a binary frame.
        expected: Type or error code of the reply.
        ends: The server closes the connection then, with this code; None if it does not.
        steps: It is a step: without a running episode it is an EXECUTION_ERROR, whatever is in it.
        stops: It is a reset that reaches the environment, and fails: no episode is running then.
    """

    frame: str | bytes
    expected: str
    ends: int | None = None
    steps: bool = False
    stops: bool = False


def _nested_action(source: random.Random) -> dict[str, Any]:
    action: dict[str, Any] = {
        "by": {"x": source.randint(-100, 100), "y": source.randint(-100, 100)}
    }
    if source.random() < 0.5:
        action["gait"] = source.choice(["walk", "run"])
    if source.random() < 0.3:
        action["towards"] = {"name": source.choice(["home", "mine"]), "at": {"x": 1, "y": -1}}
    return action


def _sensors_action(source: random.Random) -> dict[str, Any]:
    return {"gain": source.choice([0, 4, 1.5, source.uniform(0, 4)])}


ACTIONS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "nested": _nested_action,
    "sensors": _sensors_action,
}


def strange_value(source: random.Random, depth: int = 0) -> Any:
    """Any value of JSON, and what Python's own reader takes beyond it."""
    kind = source.randrange(12 if depth < 4 else 8)
    if kind == 0:
        return None
    if kind == 1:
        return source.random() < 0.5
    if kind == 2:
        return source.choice([0, -1, 1, 2**31, 2**63, -(2**64), 10**400])
    if kind == 3:
        return source.choice([0.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf")])
    if kind <= 7:
        return strange_text(source)
    if kind <= 9:
        return [strange_value(source, depth + 1) for _ in range(source.randrange(4))]
    return {
        strange_text(source): strange_value(source, depth + 1) for _ in range(source.randrange(4))
    }


def strange_text(source: random.Random) -> str:
    return source.choice(
        ["", "x", "walk", "reset", "\x00", "✓ 𝄞", "\ud800", "\udfff\ud800", "__class__", "a" * 3000]
        + ["{}", "'; DROP TABLE", "../../etc/passwd", "%s%n", "\u202e", "type", "data", "metadata"]
    )


def _deep(source: random.Random) -> Fuzz:
    depth = source.choice([50, 300, 900, 5000, 100_000])
    brackets = source.choice([("[", "]"), ('{"data":', "}")])
    text = brackets[0] * depth + "1" + brackets[1] * depth
    if brackets[0] == "[" and depth <= 300:
        return Fuzz(text, "SESSION_ERROR", 1000)
    if depth <= 300:
        return Fuzz(text, "UNKNOWN_TYPE")
    return Fuzz(text, "INVALID_JSON|SESSION_ERROR|UNKNOWN_TYPE", None)


def _not_json(source: random.Random) -> Fuzz:
    text = source.choice(
        [
            "",
            "{",
            "nul",
            "{'type': 'reset'}",
            '{"type":"reset"}}',
            '{"type":"reset",}',
            "\x00\x01",
            "".join(chr(source.randrange(0x20, 0x500)) for _ in range(source.randrange(1, 80)))
            + "{",
            "1" * 5000,
        ]
    )
    return Fuzz(text, "INVALID_JSON")


def _no_object(source: random.Random) -> Fuzz:
    value = source.choice([[], [1], "text", 1, 2.5, None, True, [{"type": "reset"}]])
    return Fuzz(json.dumps(value), "SESSION_ERROR", 1000)


def _unknown_type(source: random.Random) -> Fuzz:
    message = {strange_text(source): strange_value(source) for _ in range(source.randrange(3))}
    message.pop("type", None)
    if source.random() < 0.8:
        kind = strange_value(source)
        message["type"] = "RESET" if kind == "reset" else kind
    return Fuzz(json.dumps(message), "UNKNOWN_TYPE")


def _invalid(source: random.Random) -> Fuzz:
    """A known type, of the wrong form."""
    kind = source.choice(["reset", "step", "state", "close", "mcp"])
    message: dict[str, Any] = {"type": kind}
    if kind in ("state", "close"):
        message["data"] = strange_value(source)
    elif kind == "reset" and source.random() < 0.4:
        options = source.choice([{"difficulty": 1}, {"": None}, {"self": 1}])
        return Fuzz(json.dumps({"type": "reset", "data": options}), "VALIDATION_ERROR", stops=True)
    elif kind == "reset" and source.random() < 0.7:
        message["data"] = source.choice(
            [
                {"seed": -1},
                {"seed": "x"},
                {"seed": 1.5},
                {"seed": float("nan")},
                {"seed": []},
                {"episode_id": 1},
                {"episode_id": "x" * 256},
                {"episode_id": "\ud800"},
                {"\ud800": 1},
            ]
        )
    else:
        message["data"] = source.choice([None, 1, "x", [], [1], True])
    if source.random() < 0.2:
        message["data"] = {} if kind == "reset" else message["data"]
        message[source.choice(["id", "timeout_s", "request_id", "\ud800"])] = strange_value(source)
    return Fuzz(json.dumps(message), "VALIDATION_ERROR")


_NO_POINTS = [None, "x", [], {}, [[1]], {"x": 1}, {"x": 101, "y": 0}, {"x": 0.5, "y": 0}, -1, 1e9]
_NO_GAINS = [None, "x", [], {}, [[1]], -1, 1e9, float("nan"), float("-inf"), 10**30, "\ud800"]


def _bad_action(source: random.Random, action: dict[str, Any]) -> Fuzz:
    """A step whose action is none, by one change to one that is."""
    field, wrong = ("gain", _NO_GAINS) if "gain" in action else ("by", _NO_POINTS)
    change = source.randrange(4)
    if change == 0:
        del action[field]
    elif change == 1:
        action[strange_text(source) + "?"] = strange_value(source)
    elif change == 2:
        action[field] = source.choice(wrong)
    else:
        action["metadata"] = source.choice([1, [], "x", None])
    text = json.dumps({"type": "step", "data": action})
    return Fuzz(text, "VALIDATION_ERROR", steps=True)


def _mcp(source: random.Random) -> Fuzz:
    request = source.choice(
        [
            {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            {"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": {"session_id": []}},
            {"jsonrpc": "2.0", "method": "initialize", "params": {}},
            {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"},
            {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/close"},
            {"jsonrpc": "2.0", "method": "openenv/session/close", "params": {"session_id": "x"}},
            {"jsonrpc": "1.0"},
            {},
            {"method": strange_value(source), "id": strange_value(source)},
        ]
    )
    return Fuzz(json.dumps({"type": "mcp", "data": request}), "mcp")


def _reset(source: random.Random) -> Fuzz:
    data = source.choice([{}, {"seed": 7}, {"seed": None, "episode_id": "✓"}, {"seed": "7"}])
    return Fuzz(json.dumps({"type": "reset", "data": data}), "observation")


def _binary(source: random.Random) -> Fuzz:
    size = source.choice([0, 1, 10, 1000, 100_000])
    return Fuzz(source.randbytes(size), "SESSION_ERROR", 1000)


def frames(seed: int, count: int, environment: str) -> Iterator[Fuzz]:
    """So many frames.

    Args:
        seed: Of the choice.
        count: How many.
        environment: ``"nested"`` or ``"sensors"``, which is what the actions are for.
    """
    act = ACTIONS[environment]

    def step(source: random.Random) -> Fuzz:
        text = json.dumps({"type": "step", "data": act(source)})
        return Fuzz(text, "observation", steps=True)

    makers: dict[Callable[[random.Random], Fuzz], int] = {
        step: 26,
        _reset: 10,
        lambda source: Fuzz('{"type":"state"}', "state"): 5,
        lambda source: _bad_action(source, act(source)): 15,
        _invalid: 16,
        _unknown_type: 10,
        _not_json: 10,
        _mcp: 4,
        _no_object: 1,
        _deep: 1,
        _binary: 1,
        lambda source: Fuzz('{"type":"close"}', CLOSED, 1000): 1,
    }
    source = random.Random(seed)
    for maker in source.choices([*makers], [*makers.values()], k=count):
        yield maker(source)
