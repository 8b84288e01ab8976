"""The process behind :class:`tests.openenv.peers.PeerPython`: lines of JSON, a call each."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import traceback
from typing import Any


def call(function: str, keywords: dict[str, Any]) -> Any:
    module, _, name = function.partition(":")
    result = getattr(importlib.import_module(module), name)(**keywords)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def main() -> None:
    # Whatever a library prints must not come between the replies.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            reply = json.dumps({"result": call(**json.loads(line))})
        except Exception as error:
            reported = {
                "kind": type(error).__name__,
                "message": str(error),
                "traceback": traceback.format_exc(),
            }
            reply = json.dumps({"error": reported})
        print(reply, file=replies, flush=True)


if __name__ == "__main__":
    main()
