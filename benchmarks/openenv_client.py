"""OpenEnv's own client, told block by block what to measure; runs where ``openenv`` is installed.

Reads lines of JSON, ``{"peer": "sync" | "http", "workload": NAME, "steps": N}``, and answers each
with ``{"times": [nanoseconds of each step], "seconds": of as many in a row}``. To
``{"peer": "docker", "image": NAME}`` it answers with the seconds of a start in a container.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import perf_counter, perf_counter_ns
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
            steps[key] = makers[key[0]](f"{base}/{key[1]}")
        step, times = steps[key], []
        for _ in range(wanted["steps"]):
            began = perf_counter_ns()
            step()
            times.append(perf_counter_ns() - began)
        began_all = perf_counter()
        for _ in range(wanted["steps"]):
            step()
        print(json.dumps({"times": times, "seconds": perf_counter() - began_all}), flush=True)


if __name__ == "__main__":
    main()
