"""The environments of :mod:`tests.openenv.gallery` in our hands, for a peer's process.

``app``, for uvicorn, serves all by our server, each below its name.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

import openenv_gym
from tests.openenv.gallery import KINDS
from tests.openenv.gallery_episodes import episodes

for _name, (_kind, _action, _observation) in KINDS.items():
    openenv_gym.register_environment(
        f"gallery/{_name.title()}-v0",
        f"{_kind.__module__}:{_kind.__qualname__}",
        action=f"{_action.__module__}:{_action.__qualname__}",
        observation=f"{_observation.__module__}:{_observation.__qualname__}",
    )


def play(name: str, **options: Any) -> Any:
    """Episodes of an environment in this process, or over a transport of ours."""
    return episodes(f"gallery/{name.title()}-v0", name, **options)


def __getattr__(name: str) -> FastAPI:
    if name != "app":
        raise AttributeError(name)
    app = FastAPI()
    for kind in KINDS:
        app.mount(f"/{kind}", openenv_gym.create_app(f"gallery/{kind.title()}-v0"))
    return app
