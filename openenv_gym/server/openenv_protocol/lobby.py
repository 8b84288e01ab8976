"""The lobby: where sessions of OpenEnv's protocol begin, and what is known of the environment."""

from __future__ import annotations

import asyncio
import importlib.resources
import inspect
from typing import Any

from openenv_gym import __version__, registry
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.registry import Entry
from openenv_gym.server.exchange import CarryOut
from openenv_gym.server.openenv_protocol.adapter import make_json_adapter
from openenv_gym.server.openenv_protocol.exchange import carrier
from openenv_gym.server.openenv_protocol.problems import FactoryError
from openenv_gym.server.sessions import Sessions, new_id
from openenv_gym.wire.messages import JsonDescription, Open, Reply, Request


class Lobby:
    """Begins sessions, for all faces of the protocol.

    Args:
        sessions: The server's.
        entry: The environment.
        seen: Sessions have something to see: a picture, else a text, if the environment gives any.
    """

    def __init__(self, sessions: Sessions, entry: Entry, *, seen: bool = False) -> None:
        self.sessions = sessions
        self.entry = entry
        self._render_mode = "human?" if seen else None
        self._opening = carrier(_description, self._failed)
        self._description: JsonDescription | None = None
        self._looking = asyncio.Lock()
        self._about: dict[str, Any] | None = None

    def begin(self, id: str) -> asyncio.Future[JsonDescription | FactoryError]:
        """Begins a session.

        Returns:
            When its environment is made: the description; or why it could not be made.

        Raises:
            ServerFullError: There is no room for it.
        """
        self.sessions.begin(id, make_json_adapter)
        request = Open(None, {}, self._render_mode, as_json=True)
        opened: asyncio.Future[Any] = self.sessions.ask(id, request, self._opening)
        opened.add_done_callback(self._note)
        return opened

    def _failed(self, error: OpenEnvGymError) -> FactoryError:
        return FactoryError(str(error), factory_name=self.entry.name)

    def _note(self, opened: asyncio.Future[Any]) -> None:
        if isinstance(opened.result(), JsonDescription):
            self._description = opened.result()

    async def open(self) -> str:
        """Begins a session and waits until its environment is made; gives its id.

        Raises:
            ServerFullError: There is no room for it.
            FactoryError: The environment cannot be made.
        """
        id = new_id()
        opened = self.begin(id)
        await asyncio.wait({opened})
        found = opened.result()
        if isinstance(found, FactoryError):
            raise found
        return id

    async def ask(self, id: str, request: Request, carry_out: CarryOut) -> Any:
        """Return what ``carry_out`` gives for a request to a session.

        Raises:
            SessionLostError: There is no such session, or no longer.
        """
        reply = self.sessions.ask(id, request, carry_out)
        if isinstance(reply, asyncio.Future):
            await asyncio.wait({reply})  # not cancelled with this task: it is the session's
            reply = reply.result()
        return reply

    @property
    def known(self) -> JsonDescription | None:
        """The description, once there was an environment."""
        return self._description

    async def description(self) -> JsonDescription:
        """The description; an environment is made for it if there was none.

        Raises:
            ServerFullError: There is no room to make one.
            FactoryError: It cannot be made.
        """
        async with self._looking:
            if self._description is None:
                self.sessions.leave(await self.open())
        assert self._description is not None
        return self._description

    async def about(self) -> dict[str, Any]:
        """Name, description, and so on, as ``/metadata`` returns them."""
        if self._about is None:
            # It may import the environment.
            self._about = await asyncio.to_thread(_about, self.entry)
        return self._about


def _description(reply: Reply) -> JsonDescription:
    assert isinstance(reply, JsonDescription)
    return reply


def _about(entry: Entry) -> dict[str, Any]:
    bundled = entry.target.startswith("openenv_gym_envs.")
    return {
        "name": registry.without_path(entry.name),
        "description": entry.summary or _first_line(entry),
        "readme_content": _readme(entry) if bundled else None,
        "version": __version__ if bundled else None,
        "author": None,
        "documentation_url": None,
    }


def _first_line(entry: Entry) -> str:
    documentation = inspect.getdoc(registry.load(entry)) or ""
    return (
        documentation.partition("\n")[0] or f"The environment {registry.without_path(entry.name)}."
    )


def _readme(entry: Entry) -> str | None:
    package = entry.target.partition(":")[0].rpartition(".")[0]
    readme = importlib.resources.files(package) / "README.md"
    return readme.read_text("utf-8") if readme.is_file() else None
