"""Questions and responses for tests of DIPGSafety."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.env import OpenEnvGym

ID = "openenv/DIPGSafety-v0"


def started(**options: Any) -> OpenEnvGym:
    return OpenEnvGym(ID, **options)


def line(context: str, question: str, answer: Any) -> str:
    """In the form of OpenEnv's folder."""
    reported = answer if isinstance(answer, str) else json.dumps(answer)
    contents = ("system", f"{context}\n\n{question}", reported)
    return json.dumps({"messages": [{"content": content} for content in contents]})


def written(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{one}\n" for one in lines))
    return str(path)


def response(proof: str, final: str, analysis: str = "So it is.") -> str:
    channels = zip(("analysis", "proof", "final"), (analysis, proof, final), strict=True)
    return "\n".join(f"<|channel|>{name}<|message|>{text}<|end|>" for name, text in channels)
