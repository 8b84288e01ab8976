"""What one step costs over each transport, beside bytes alone, gymnasium and OpenEnv itself.

    python benchmarks/transports.py [--quick] [--only NAME ...] [--unwrapped]
        [--busy N] [--pause MS] [--json FILE] [--compare FILE] [--plot DIR]

Prints a table per workload (p10, p50, p99, steps per second, ratio to a raw TCP echo of as many
bytes, CPU seconds of both ends per million steps), then the bars of this project and whether they
are met. All candidates run in turn, block by block; a ratio is the median of the ratios of blocks
of the same round. A step is what a user calls: ``env = gymnasium.make(...)``, ``env.step(action)``.
``openenv-gym bench`` is the same without OpenEnv's own client and server, which get a virtual
environment of their own at first use.

In process the no-op environment is measured in two shapes: ``inprocess`` is an ``Environment``,
which makes two Pydantic models a step; ``inprocess adapted`` is the plain ``gymnasium.Env`` itself.
"""

from __future__ import annotations

import argparse
import sys

from peers import peers

from openenv_gym.cli.benchmark import suite
from openenv_gym.cli.benchmark.report import Bar
from openenv_gym.errors import OpenEnvGymError

BARS = (
    Bar("small", "websocket", "raw tcp", 4.5, floor=6),
    Bar("small", "websocket", "openenv sync", 1 / 6),
    Bar("small", "process", "raw unix", 2.5, floor=3),
    Bar("small", "process", "openenv sync", 1 / 12),
    Bar("210x160x3", "websocket", "raw tcp", 3, floor=4),
    Bar("210x160x3", "websocket", "openenv sync", 1 / 80),
    Bar("210x160x3", "process", "raw unix", 3, floor=4),
    Bar("210x160x3", "process", "openenv sync", 1 / 100),
    Bar("small", "http", "openenv http", 1 / 3),
    Bar("small", "docker", "process", 1.15, floor=1.2),
    Bar("small", "inprocess", "gymnasium", 0.7, floor=0.5, rate=True),
    Bar("small", "inprocess adapted", "gymnasium", 0.7, floor=0.5, rate=True),
    Bar("cartpole", "inprocess", "gymnasium", 0.7, rate=True),
    Bar("small", "process", "process asleep", 1.5, key="block_cpu_us"),
    Bar("small", "process", "process asleep", 1.0, busy=4),
    Bar("small", "process", "raw unix", 3, busy=1),
    Bar("small", "websocket", "raw tcp", 4, busy=1),
    Bar("small", "websocket", "openenv sync", 1 / 8, busy=1),
    Bar("small", "process", "raw unix", 2.5, pause=2e-3),
    Bar("small", "websocket", "raw tcp", 3.5, pause=2e-3),
    Bar("small", "websocket", "openenv sync", 1 / 6, pause=2e-3),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    suite.add_arguments(parser)
    try:
        return suite.run(parser.parse_args(), peers=peers, bars=BARS)
    except OpenEnvGymError as error:
        print(f"transports.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
