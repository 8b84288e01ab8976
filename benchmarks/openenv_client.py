"""OpenEnv's own client, measuring block by block; runs where ``openenv`` is installed.

Reads lines of JSON, ``{"peer": "sync" | "http", "workload": NAME, "steps": N}``, and answers each
with ``{"times": [nanoseconds of each step], "seconds": of as many in a row}``. With ``"pause"`` it
computes for so many seconds between two steps, and makes them once. To
``{"peer": "docker", "image": NAME}`` it answers with the seconds of a start in a container.
``{"peer": "gather", ..., "sessions": N}`` steps N sessions at once, by ``asyncio.gather``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from time import perf_counter, perf_counter_ns, thread_time
from typing import Any

import httpx
from openenv.core import GenericEnvClient

ACTION = {"action": 1}


def sync(url: str) -> Callable[[], Any]:
    """One step over its WebSocket client, as its guide has it for programs without asyncio."""
    client = GenericEnvClient(base_url=url).sync()
    client.connect()
    client.reset()

    def step() -> Any:
        return client.step(ACTION).observation["observation"]

    return step


def http(url: str) -> Callable[[], Any]:
    """One step over its HTTP route, on a connection that is kept."""
    client = httpx.Client()

    def step() -> Any:
        reply = client.post(f"{url}/step", json={"action": ACTION})
        reply.raise_for_status()
        return reply.json()["observation"]["observation"]

    return step


def work(seconds: float) -> None:
    """Compute for so many seconds of this thread's own time."""
    end = thread_time() + seconds
    while thread_time() < end:
        pass


_LOOP = asyncio.new_event_loop()


def gather(url: str, sessions: int) -> Callable[[], Any]:
    """One step of each of many sessions of its asynchronous client, all awaited together."""
    clients = [GenericEnvClient(base_url=url) for _ in range(sessions)]

    async def begin() -> None:
        for client in clients:
            await client.connect()
            await client.reset()

    async def step_all() -> list[Any]:
        results = await asyncio.gather(*(client.step(ACTION) for client in clients))
        return [result.observation["observation"] for result in results]

    _LOOP.run_until_complete(begin())
    return lambda: _LOOP.run_until_complete(step_all())


def docker(image: str) -> float:
    """Seconds from nothing to the end of the first reset, by its LocalDockerProvider."""
    began = perf_counter()
    client = GenericEnvClient.from_docker_image(image).sync()
    client.connect()
    client.reset()
    spent = perf_counter() - began
    client.close()
    return spent


def main() -> None:
    base = sys.argv[1]
    makers = {"sync": sync, "http": http}
    steps: dict[tuple[str, str], Callable[[], Any]] = {}
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted["peer"] == "docker":
            print(json.dumps({"seconds": docker(wanted["image"])}), flush=True)
            continue
        key = (wanted["peer"], wanted["workload"])
        if key not in steps:
            url = f"{base}/{key[1]}"
            many = key[0] == "gather"
            steps[key] = gather(url, wanted["sessions"]) if many else makers[key[0]](url)
        step, times, pause = steps[key], [], wanted.get("pause", 0.0)
        for _ in range(wanted["steps"]):
            began = perf_counter_ns()
            step()
            times.append(perf_counter_ns() - began)
            if pause:
                work(pause)
        if pause:
            print(json.dumps({"times": times, "seconds": sum(times) / 1e9}), flush=True)
            continue
        began_all = perf_counter()
        for _ in range(wanted["steps"]):
            step()
        print(json.dumps({"times": times, "seconds": perf_counter() - began_all}), flush=True)


if __name__ == "__main__":
    main()
