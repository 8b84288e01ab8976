"""Sessions without a network: each request once, limits, threads, and an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.errors import (
    OptionError,
    ProtocolError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.server import sessions as module
from openenv_gym.server.events import Events
from openenv_gym.server.sessions import Sessions, new_id
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import (
    Close,
    Closed,
    Description,
    Failure,
    GetState,
    Open,
    Request,
    Reset,
    Result,
    Step,
)
from tests.environments import COUNT, EXIT, FAIL, INLINE, SECRET, THREADED, WAIT


class Client:
    """Numbers its requests, as a transport does."""

    def __init__(self, sessions: Sessions, line: Any = None) -> None:
        self.sessions, self.line = sessions, line
        self.id = new_id()
        self.sent = 0

    def submit(self, request: Request, id: int | None = None) -> Any:
        if id is None:
            self.sent += 1
        request.id = self.sent if id is None else id
        return self.sessions.submit(self.id, encode(request), self.line)

    async def ask(self, request: Request, id: int | None = None) -> Any:
        reply = self.submit(request, id)
        return decode(reply if isinstance(reply, bytes) else await reply)

    async def open(self, **options: Any) -> Client:
        assert type(await self.ask(Open(None, options))) is Description
        assert type(await self.ask(Reset(1))) is Result
        return self


class Line:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def hang_up(self, reason: str) -> None:
        self.reasons.append(reason)


def run(test: Callable[[Sessions], Coroutine[Any, Any, None]], **settings: Any) -> Sessions:
    """Runs a test with sessions, in an event loop."""
    sessions = Sessions(settings.pop("environment", THREADED), **settings)

    async def main() -> None:
        try:
            await test(sessions)
        finally:
            await sessions.close()
            assert len(sessions) == 0

    asyncio.run(main())
    return sessions


def error_of(reply: Any) -> Any:
    assert type(reply) is Failure
    return reply.error()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5.0):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("environment", [THREADED, INLINE])
def test_repeated_request_gets_the_same_reply(environment: str) -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open()
        first = await client.ask(Step(COUNT))
        again = await client.ask(Step(COUNT), id=client.sent)
        assert encode(first) == encode(again)
        assert (await client.ask(Step(COUNT))).observation["count"] == 2

    run(test, environment=environment)


def test_repeat_while_it_runs_waits_for_the_result() -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open(delay=0.3)
        first = client.submit(Step(WAIT))
        again = client.submit(Step(WAIT), id=client.sent)
        assert again is first
        assert decode(await again).observation["count"] == 1  # type: ignore[union-attr]
        assert (await client.ask(Step(COUNT))).observation["count"] == 2

    run(test)


def test_opening_can_be_repeated() -> None:
    async def test(sessions: Sessions) -> None:
        client = Client(sessions)
        one = await client.ask(Open(None, {}))
        two = await client.ask(Open(None, {}), id=1)
        assert encode(one) == encode(two)
        assert len(sessions) == 1

    run(test)


@pytest.mark.parametrize("id", [0, 1, 4, 100])
def test_number_out_of_turn(id: int) -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open()
        error = error_of(await client.ask(Step(COUNT), id=id))
        assert type(error) is ProtocolError
        assert error.fields == {"got": id, "expected": 3}
        assert (await client.ask(Step(COUNT))).observation["count"] == 1

    run(test)


def test_requests_after_one_that_still_runs_keep_their_order() -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open(delay=0.2)
        replies = [client.submit(Step(action)) for action in (WAIT, COUNT, WAIT, COUNT)]
        counts = [decode(await reply).observation["count"] for reply in replies]
        assert counts == [1, 2, 3, 4]

    run(test)


def test_inline_step_waits_for_what_runs_on_the_thread() -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open()
        state, step = client.submit(GetState()), client.submit(Step(COUNT))
        assert not isinstance(step, bytes)
        assert decode(await state).state["step_count"] == 0  # type: ignore[union-attr]
        assert decode(await step).observation["count"] == 1  # type: ignore[union-attr]
        assert isinstance(client.submit(Step(COUNT)), bytes)

    run(test, environment=INLINE)


def test_unknown_session() -> None:
    async def test(sessions: Sessions) -> None:
        assert type(error_of(await Client(sessions).ask(Step(COUNT)))) is SessionLostError
        assert len(sessions) == 0

    run(test)


@pytest.mark.parametrize("id", ["", "short", "x" * 200, "with spaces, thirty-two characters"])
def test_id_that_could_be_guessed(id: str) -> None:
    async def test(sessions: Sessions) -> None:
        client = Client(sessions)
        client.id = id
        assert type(error_of(await client.ask(Open(None, {})))) is ProtocolError

    run(test)


def test_full() -> None:
    async def test(sessions: Sessions) -> None:
        clients = [await Client(sessions).open() for _ in range(2)]
        error = error_of(await Client(sessions).ask(Open(None, {})))
        assert type(error) is ServerFullError
        assert (error.fields["max_sessions"], error.fields["free"]) == (2, 0)
        assert type(await clients[0].ask(Close())) is Closed
        await Client(sessions).open()

    run(test, max_sessions=2)


def test_failed_opening_frees_its_place() -> None:
    async def test(sessions: Sessions) -> None:
        for _ in range(3):
            error = error_of(await Client(sessions).ask(Open(None, {"nonsense": 1})))
            assert isinstance(error, OptionError)
        await Client(sessions).open()

    run(test, max_sessions=1)


def test_idle_session_ends_and_its_line_is_hung_up(tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    async def test(sessions: Sessions) -> None:
        line = Line()
        client = await Client(sessions, line).open(diary=str(diary))
        await until(lambda: len(sessions) == 0)
        assert line.reasons == ["idle for 0.2 s"]
        assert "closed" in diary.read_text()
        assert type(error_of(await client.ask(Step(COUNT)))) is SessionLostError

    run(test, idle_timeout=0.2)


def test_used_session_does_not_end() -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open()
        for _ in range(10):
            await asyncio.sleep(0.1)
            assert type(await client.ask(Step(COUNT))) is Result

    run(test, idle_timeout=0.4)


def test_session_waits_for_its_client_and_ends_without() -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions, Line()).open()
        sessions.detach(client.id, client.line)
        await asyncio.sleep(0.1)
        client.line = Line()
        assert (await client.ask(Step(COUNT))).observation["count"] == 1
        await asyncio.sleep(0.5)  # attached again, it stays
        assert (await client.ask(Step(COUNT))).observation["count"] == 2
        sessions.detach(client.id, client.line)
        await until(lambda: len(sessions) == 0)

    run(test, resume_timeout=0.3)


def test_new_line_hangs_up_the_old_one() -> None:
    async def test(sessions: Sessions) -> None:
        old, new = Line(), Line()
        client = await Client(sessions, old).open()
        client.line = new
        await client.ask(Step(COUNT))
        assert old.reasons == ["the session goes on over another connection"]
        sessions.detach(client.id, old)  # comes too late to matter
        await asyncio.sleep(0.3)
        assert (await client.ask(Step(COUNT))).observation["count"] == 2
        assert new.reasons == []

    run(test, resume_timeout=0.1)


def test_one_thread_from_making_to_closing(tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open(diary=str(diary))
        for _ in range(5):
            await client.ask(Step(COUNT))
        await client.ask(Close())

    run(test)
    words = [line.split() for line in diary.read_text().splitlines()]
    assert [word for word, _ in words] == ["made", "reset", *["step"] * 5, "closed"]
    assert len({thread for _, thread in words}) == 1


def test_sessions_have_threads_of_their_own(tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    async def test(sessions: Sessions) -> None:
        for _ in range(3):
            await Client(sessions).open(diary=str(diary))

    run(test)
    made = {line for line in diary.read_text().splitlines() if line.startswith("made")}
    assert len(made) == 3


@pytest.mark.parametrize("environment", [THREADED, INLINE])
def test_errors_of_the_environment(environment: str) -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open()
        error = error_of(await client.ask(Step(FAIL)))
        assert "RuntimeError" in str(error)
        assert SECRET not in str(error)
        await client.ask(Reset(1))
        assert "SystemExit" in str(error_of(await client.ask(Step(EXIT))))
        await client.ask(Reset(1))
        assert (await client.ask(Step(COUNT))).observation["count"] == 1

    run(test, environment=environment)


def test_closing_does_not_wait_for_a_step_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_LIMIT", 0.2)

    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open(delay=1.0)
        await Client(sessions).open()
        client.submit(Step(WAIT))

    assert run(test).stuck


def test_hung_session_is_given_up_and_its_place_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_LIMIT", 0.2)

    async def test(sessions: Sessions) -> None:
        client = await Client(sessions, Line()).open(delay=1.5)
        client.submit(Step(WAIT))
        sessions.detach(client.id, client.line)
        await asyncio.sleep(0.2)
        assert len(sessions) == 1
        await until(lambda: len(sessions) == 0)
        await Client(sessions).open()

    assert run(test, max_sessions=1, resume_timeout=0.1).stuck


def test_session_that_is_closed_in_a_step_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_LIMIT", 0.2)

    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open(delay=1.5)
        client.submit(Step(WAIT))
        closed = client.submit(Close())
        await until(lambda: len(sessions) == 0)
        assert not closed.done()
        await Client(sessions).open()

    assert run(test, max_sessions=1).stuck


def test_session_that_is_closed_in_a_step_which_ends() -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open(delay=0.3)
        client.submit(Step(WAIT))
        assert type(await client.ask(Close())) is Closed
        assert len(sessions) == 0

    assert not run(test).stuck


def test_closing_skips_what_did_not_arrive() -> None:
    async def test(sessions: Sessions) -> None:
        client = await Client(sessions).open()
        assert type(await client.ask(Close(), id=7)) is Closed
        assert len(sessions) == 0

    run(test)


def test_nothing_opens_once_closed() -> None:
    async def test(sessions: Sessions) -> None:
        await sessions.close()
        assert type(error_of(await Client(sessions).ask(Open(None, {})))) is ServerFullError

    run(test)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"garbage", encode(Closed())])
def test_garbage(data: bytes) -> None:
    async def test(sessions: Sessions) -> None:
        reply = sessions.submit(new_id(), data)
        assert isinstance(reply, bytes)
        assert type(decode(reply)) is Failure
        assert len(sessions) == 0

    run(test)


@pytest.mark.parametrize("setting", ["max_sessions", "idle_timeout", "resume_timeout"])
def test_limits_that_are_none(setting: str) -> None:
    settings: dict[str, Any] = {setting: 0}
    with pytest.raises(OptionError, match=setting):
        Sessions(THREADED, **settings)


def test_events_during_a_reply_are_kept_in_order() -> None:
    async def test() -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        events = Events(queue.get)
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        waiting: Awaitable[bool] = asyncio.ensure_future(events.outlast(reply))
        for number in range(3):
            queue.put_nowait({"type": "websocket.receive", "number": number})
        await asyncio.sleep(0.7)
        reply.set_result(b"")
        assert await waiting
        queue.put_nowait({"type": "websocket.disconnect"})
        assert [(await events.next()).get("number") for _ in range(3)] == [0, 1, 2]
        reply = asyncio.get_running_loop().create_future()
        assert not await events.outlast(reply)
        assert not reply.done()
        events.close()

    asyncio.run(test())
