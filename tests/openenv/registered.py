"""An environment of ``openenv.core`` behind our server, by an id that was registered with Spaces.

Only a peer's process can import this module; ``app`` is for uvicorn.
"""

from __future__ import annotations

import openenv_gym
from tests.openenv.adapted import register_connect4

ID = "peer/Connect4-v0"

register_connect4(ID)
app = openenv_gym.create_app(ID)
