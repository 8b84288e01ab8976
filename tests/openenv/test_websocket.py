"""OpenEnv's protocol over a WebSocket, frame by frame, as openenv 0.10's own server answers it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.environments import COUNT, EXIT, FAIL, INLINE, SECRET, THREADED, WAIT
from tests.openenv.counterparts import NESTED, SENSORS
from tests.servers import Served, eventually, serving

LIMIT = 60.0


class Talk:
    """A client that sends frames, and reads replies."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, frame: Any) -> None:
        self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def read(self) -> Any:
        return json.loads(self.connection.recv(LIMIT))

    def ask(self, frame: Any) -> Any:
        self.send(frame)
        return self.read()

    def do(self, type: str, **data: Any) -> Any:
        return self.ask({"type": type, "data": data} if type != "state" else {"type": type})

    def error(self, frame: Any) -> Any:
        reply = self.ask(frame)
        assert reply["type"] == "error", reply
        return reply["data"]

    def closed(self) -> int:
        """With which code it is closed, and without a further frame."""
        with pytest.raises(ConnectionClosed) as caught:
            self.connection.recv(LIMIT)
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code


@contextmanager
def talk(served: Served, path: str = "/ws", **keywords: Any) -> Iterator[Talk]:
    url = f"{served.url('websocket')}{path}"
    with connect(url, proxy=None, max_size=None, open_timeout=LIMIT, **keywords) as connection:
        yield Talk(connection)


@pytest.fixture(scope="module")
def nested() -> Iterator[Served]:
    with serving(NESTED, max_sessions=2) as served:
        yield served


@pytest.fixture(scope="module", params=[THREADED, INLINE], ids=["threaded", "inline"])
def counting(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(request.param, max_sessions=2) as served:
        yield served


@pytest.fixture(autouse=True)
def all_sessions_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """None is left of any test."""
    yield
    for name in ("nested", "counting"):
        if name in request.fixturenames:
            served = request.getfixturevalue(name)
            eventually(lambda served=served: len(served.sessions) == 0)


def rpc(served: Served, method: str, **params: Any) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(f"{served.url('http')}/mcp", json=message, timeout=LIMIT).json()


def test_an_episode(nested: Served) -> None:
    with talk(nested) as client:
        assert client.do("reset", seed=4, episode_id="ep") == {
            "type": "observation",
            "data": {
                "observation": {
                    "metadata": {},
                    "here": {"x": 0, "y": 0},
                    "landmarks": [
                        {"name": "home", "at": {"x": 0, "y": 0}},
                        {"name": "mine", "at": {"x": 3, "y": -2}},
                    ],
                    "gait": "walk",
                    "nearest": None,
                },
                "reward": -0.5,
                "done": False,
            },
        }
        reported = client.do("step", by={"x": 3, "y": -2})["data"]
        assert (reported["reward"], reported["done"]) == (1.0, True)
        assert client.do("state") == {
            "type": "state",
            "data": {"episode_id": "ep", "step_count": 1},
        }
        client.send({"type": "close"})
        assert client.closed() == 1000


def test_the_data_of_a_reset_may_be_left_out(nested: Served) -> None:
    with talk(nested) as client:
        assert client.ask({"type": "reset"})["type"] == "observation"
        assert client.do("reset", seed=None, episode_id=None)["type"] == "observation"


def test_what_json_does_not_have_is_null() -> None:
    with serving(SENSORS) as served, talk(served) as client:
        assert client.do("reset")["data"]["observation"]["readings"] == [None, None, 0.0, 0.0]
        reported = client.do("step", gain=1)
        assert reported["data"]["observation"]["counts"] == [1, 2, 3]


def test_no_subprotocol_is_selected_and_none_is_asked_for(counting: Served) -> None:
    with talk(counting, subprotocols=["mqtt"]) as client:
        assert client.connection.subprotocol is None
        assert client.do("reset")["type"] == "observation"


def test_compression_that_is_offered_is_no_obstacle(counting: Served) -> None:
    with talk(counting, compression="deflate") as client:
        assert client.do("reset")["type"] == "observation"


def test_frames_sent_ahead_are_answered_in_order(counting: Served) -> None:
    with talk(counting) as client:
        client.send({"type": "reset"})
        for _ in range(300):
            client.send({"type": "step", "data": {"action": COUNT}})
        assert [client.read()["data"]["observation"]["count"] for _ in range(301)] == [*range(301)]


def test_a_step_without_an_episode(counting: Served) -> None:
    with talk(counting) as client:
        refused = client.error({"type": "step", "data": {"action": COUNT}})
        assert refused["code"] == "EXECUTION_ERROR"
        assert "reset" in refused["message"]
        assert client.do("reset")["type"] == "observation"


def test_a_step_after_the_end(nested: Served) -> None:
    with talk(nested) as client:
        client.do("reset")
        assert client.do("step", by={"x": 3, "y": -2})["data"]["done"]
        refused = client.error({"type": "step", "data": {"by": {"x": 0, "y": 0}}})
        assert refused["code"] == "EXECUTION_ERROR"
        assert "over" in refused["message"]


STAYS = [
    ("{bad", "INVALID_JSON", "Invalid JSON: Expecting property name"),
    ("", "INVALID_JSON", "Invalid JSON: Expecting value: line 1 column 1 (char 0)"),
    ({"type": "foo"}, "UNKNOWN_TYPE", "Unknown message type: foo"),
    ({}, "UNKNOWN_TYPE", "Unknown message type: "),
    ({"type": ["reset"]}, "UNKNOWN_TYPE", "Unknown message type: "),
    ({"type": "step"}, "VALIDATION_ERROR", "Invalid message"),
    ({"type": "step", "data": {}}, "VALIDATION_ERROR", ""),
    ({"type": "step", "data": {"action": 4}}, "VALIDATION_ERROR", "Discrete(4)"),
    ({"type": "step", "data": {"action": COUNT, "bogus": 1}}, "VALIDATION_ERROR", "bogus"),
    ({"type": "step", "data": {"action": COUNT}, "id": 1}, "VALIDATION_ERROR", "id"),
    ({"type": "state", "data": {}}, "VALIDATION_ERROR", "data"),
    ({"type": "reset", "data": {"seed": -1}}, "VALIDATION_ERROR", "greater than or equal to 0"),
]


@pytest.mark.parametrize(("frame", "code", "said"), STAYS)
def test_what_is_refused_changes_nothing(
    counting: Served, frame: Any, code: str, said: str
) -> None:
    with talk(counting) as client:
        client.do("reset")
        client.do("step", action=COUNT)
        refused = client.error(frame)
        assert refused["code"] == code
        assert said in refused["message"]
        if code == "VALIDATION_ERROR":
            assert all({"type", "loc", "msg"} <= problem.keys() for problem in refused["errors"])
        assert client.do("step", action=COUNT)["data"]["observation"]["count"] == 2


def test_an_unknown_reset_option_is_refused_not_dropped(counting: Served) -> None:
    with talk(counting) as client:
        refused = client.error({"type": "reset", "data": {"difficulty": "x"}})
        assert refused["code"] == "VALIDATION_ERROR"
        assert "difficulty" in refused["message"]


@pytest.mark.parametrize("frame", ["[]", "1", '"reset"', "null", b"", b"\x00", b'{"type":"reset"}'])
def test_what_ends_the_session(counting: Served, frame: Any) -> None:
    with talk(counting) as client:
        client.do("reset")
        assert client.error(frame)["code"] == "SESSION_ERROR"
        assert client.closed() == 1000


def test_the_environment_raises(counting: Served) -> None:
    with talk(counting) as client:
        client.do("reset")
        reported = client.error({"type": "step", "data": {"action": FAIL}})
        assert reported["code"] == "EXECUTION_ERROR"
        assert SECRET not in json.dumps(reported)
        assert client.do("reset")["type"] == "observation"


def test_with_debug_it_is_told_what_it_raised() -> None:
    with serving(THREADED, debug=True) as served, talk(served) as client:
        client.do("reset")
        reported = client.error({"type": "step", "data": {"action": FAIL}})
        assert SECRET in reported["message"]


def test_the_environment_calls_exit(counting: Served) -> None:
    with talk(counting) as client:
        client.do("reset")
        assert client.error({"type": "step", "data": {"action": EXIT}})["code"] == "EXECUTION_ERROR"
    with talk(counting) as client:
        assert client.do("reset")["type"] == "observation"


def test_capacity(counting: Served) -> None:
    with talk(counting) as one, talk(counting) as two:
        assert one.do("reset")["type"] == two.do("reset")["type"] == "observation"
        with talk(counting) as three:
            message = "Server at capacity: 2/2 sessions active. Cannot accept new connections."
            assert three.read() == {
                "type": "error",
                "data": {
                    "message": message,
                    "code": "CAPACITY_REACHED",
                    "active_sessions": 2,
                    "max_sessions": 2,
                },
            }
            assert three.closed() == 1000
        assert one.do("step", action=COUNT)["data"]["observation"]["count"] == 1
    eventually(lambda: len(counting.sessions) == 0)
    with talk(counting) as again:
        assert again.do("reset")["type"] == "observation"


def test_an_environment_that_cannot_be_made() -> None:
    with serving("tests.troubles:Troublesome", options={"first": "raise"}) as served:
        with talk(served) as client:
            reported = client.read()["data"]
            assert reported["code"] == "FACTORY_ERROR"
            assert reported["factory_name"] == "tests.troubles:Troublesome"
            assert "no such thing" not in reported["message"]
            assert client.closed() == 1000
        assert len(served.sessions) == 0


def test_a_session_that_is_taken_up_again(counting: Served) -> None:
    id = rpc(counting, "openenv/session/create")["result"]["session_id"]
    with talk(counting, f"/ws?session_id={id}") as client:
        client.do("reset", episode_id="kept")
        client.do("step", action=COUNT)
    with talk(counting, f"/ws?session_id={id}") as client:
        assert client.do("state")["data"] == {"episode_id": "kept", "step_count": 1}
        assert client.do("step", action=COUNT)["data"]["observation"]["count"] == 2
        assert rpc(counting, "openenv/session/close", session_id=id)["result"] == {
            "session_id": id,
            "closed": False,
            "closing": True,
        }
        assert client.do("step", action=COUNT)["data"]["observation"]["count"] == 3
    eventually(lambda: len(counting.sessions) == 0)


def test_a_session_that_is_closed_without_a_connection(counting: Served) -> None:
    id = rpc(counting, "openenv/session/create")["result"]["session_id"]
    assert rpc(counting, "openenv/session/close", session_id=id)["result"]["closed"] is True
    assert rpc(counting, "openenv/session/close", session_id=id)["error"]["code"] == -32602


def test_a_second_connection_takes_a_session_over(counting: Served) -> None:
    id = rpc(counting, "openenv/session/create")["result"]["session_id"]
    with talk(counting, f"/ws?session_id={id}") as first:
        first.do("reset")
        first.do("step", action=COUNT)
        with talk(counting, f"/ws?session_id={id}") as second:
            assert second.do("step", action=COUNT)["data"]["observation"]["count"] == 2
            assert first.read()["data"]["code"] == "SESSION_ERROR"
            assert first.closed() == 1000
            assert second.do("step", action=COUNT)["data"]["observation"]["count"] == 3
    rpc(counting, "openenv/session/close", session_id=id)


def test_a_session_that_is_not_there(counting: Served) -> None:
    with talk(counting, "/ws?session_id=no-such") as client:
        reported = client.read()["data"]
        assert (reported["code"], reported["message"]) == (
            "SESSION_ERROR",
            "Unknown session_id: no-such",
        )
        assert client.closed() == 1000


def test_json_rpc_in_a_frame(counting: Served) -> None:
    with talk(counting) as client:
        listed = client.do("mcp", jsonrpc="2.0", method="tools/list", id=7)
        assert (listed["type"], listed["data"]["id"]) == ("mcp", 7)
        names = [tool["name"] for tool in listed["data"]["result"]["tools"]]
        assert names == ["reset", "step"]
        own = client.do("mcp", jsonrpc="2.0", method="openenv/session/create", id=8)
        id = own["data"]["result"]["session_id"]
        closing = {"session_id": id}
        refused = client.do("mcp", jsonrpc="2.0", method="openenv/session/close", params=closing)
        assert refused["data"]["error"]["code"] == -32600


def test_a_connection_that_breaks_in_a_step(tmp_path: Path) -> None:
    """The step is made, the environment closed, and the place free again."""
    diary = tmp_path / "diary"
    options = {"delay": 0.5, "diary": str(diary)}
    with serving(THREADED, options=options, max_sessions=1) as served:
        with talk(served) as client:
            client.do("reset")
            client.send({"type": "step", "data": {"action": WAIT}})
            with suppress(OSError):
                client.connection.socket.shutdown(2)
        eventually(lambda: len(served.sessions) == 0)
        with talk(served) as client:
            assert client.do("reset")["type"] == "observation"
    said = [line.split()[0] for line in diary.read_text().splitlines()]
    assert said == ["made", "reset", "step", "closed", "made", "reset", "closed"]
