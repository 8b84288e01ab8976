"""The first program of OpenEnv's guide: a client with types, in this process or at a server.

    python -m pip install -e . && python examples/local_echo.py Hello 'How are you?'

``--url http://localhost:8000`` uses a server instead (``openenv-gym serve echo``); the results are
the same.
"""

from __future__ import annotations

import argparse

from openenv_gym_envs.echo import EchoAction, EchoEnv


def main(arguments: list[str] | None = None) -> float:
    """Send messages; return the sum of the rewards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("messages", nargs="*", default=["Hello, World!", "Testing echo"])
    parser.add_argument("--url", help="of a server; without it Echo runs in this process")
    parsed = parser.parse_args(arguments)

    total = 0.0
    with EchoEnv(base_url=parsed.url) as env:
        print(env.reset().observation.echoed_message)
        for message in parsed.messages:
            result = env.step(EchoAction(message=message))
            total += result.reward or 0.0
            print(f"{message!r} -> {result.observation.echoed_message!r}, reward {result.reward}")
    return total


if __name__ == "__main__":
    main()
