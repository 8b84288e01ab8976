"""One container, from its creation to the last trace of it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import DockerError
from openenv_gym_transports.containers.engine import end_stream, engine_errors

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Container"]

LOG_LINES = 15
LOG_KEPT = 64 * 1024
# Seconds within which the engine reports how a container died, and removes one.
FATE_LIMIT = 2.0
REMOVE_LIMIT = 30.0
REMOVE_POLL = 0.01


class Container:
    """A container that is removed with all that belongs to it, whatever happens.

    The engine removes it as soon as it ends, so that it does not outlive an owner that had no
    chance to tidy up. Its log would be lost with it, so that is read while it runs.

    Args:
        client: The engine; closed when the container is removed.

    Attributes:
        image: Name of its image.
    """

    def __init__(self, client: DockerClient) -> None:
        self.image = ""
        self._client = client
        self._container: Any = None
        self._memory = ""
        self._process = os.getpid()
        self._removed = False
        self._log: deque[bytes] = deque()
        self._stream: Any = None
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True, name="container log")

    def create(self, image: str, settings: Mapping[str, Any]) -> bool:
        """Creates it.

        Args:
            image: Name of its image.
            settings: Further keywords of docker's ``containers.create``.

        Returns:
            False where there is no such image.

        Raises:
            DockerError: The engine refused.
        """
        import docker.errors

        self.image = image
        self._memory = settings["mem_limit"]
        with engine_errors(f"create a container of {image}", image=image):
            try:
                self._container = self._client.containers.create(
                    image, auto_remove=True, **settings
                )
            except docker.errors.ImageNotFound:
                return False
        return True

    @property
    def id(self) -> str:
        """Its short id."""
        return str(self._container.short_id)

    def put(self, folder: str, archive: bytes) -> None:
        """Unpacks a tar archive in one of its folders."""
        with engine_errors(f"write into {folder} of the container", container=self.id):
            self._container.put_archive(folder, archive)

    def start(self) -> None:
        """Starts it; its log is read from the first line on."""
        with engine_errors(f"start the container of {self.image}", container=self.id):
            # Before the start, since afterwards it may be gone already.
            self._stream = self._client.api.attach(self._container.id, stream=True)
            self._reader.start()
            self._container.start()

    def inspect(self) -> dict[str, Any]:
        """What the engine says of it now."""
        with engine_errors("describe the container", container=self.id):
            self._container.reload()
        attributes: dict[str, Any] = self._container.attrs
        return attributes

    def dead(self) -> str | None:
        """What became of it, if it is dead; asks nobody, so it may be called often."""
        return self.fate() if self._ended.is_set() else None

    def fate(self) -> str:
        """What became of it, with the last lines of its log."""
        # Our end of a socket sees a death before the engine knows of it.
        how = self._how() if self._ended.wait(FATE_LIMIT) else "still runs"
        text = f"The container {self.id} {how}."
        return text + ("\nIts last lines:\n" + "\n".join(self.log) if self.log else "")

    @property
    def log(self) -> list[str]:
        """The last lines of what it wrote."""
        return b"".join(self._log).decode(errors="replace").splitlines()[-LOG_LINES:]

    def epitaph(self) -> str:
        """What became of it; whatever it was, it is of no use any more, and removed."""
        text = self.fate()
        try:
            self.remove()
        except DockerError as error:
            text += f"\n{error}"
        return text

    def _how(self) -> str:
        """How it ended, by the engine's events: it is removed, so it cannot be asked."""
        code = None
        memory = False
        with contextlib.suppress(DockerError), engine_errors("report what happened"):
            events = self._client.events(
                since=1,
                until=f"{time.time() + FATE_LIMIT:.3f}",
                filters={"container": self._container.id, "event": ["oom", "die"]},
                decode=True,
            )
            try:
                for event in events:
                    memory = memory or event["Action"] == "oom"
                    if event["Action"] == "die":
                        code = int(event["Actor"]["Attributes"]["exitCode"])
                        break
            finally:
                end_stream(events)
        if memory:
            return f"ran out of its memory ({self._memory}): give it more, memory='4g'"
        if code is None:
            return "ended"
        if code > 128:
            return f"was killed by signal {code - 128}"
        return f"exited with {code}"

    def _read(self) -> None:
        kept = 0
        try:
            for chunk in self._stream:
                self._log.append(chunk)
                kept += len(chunk)
                while kept > LOG_KEPT and len(self._log) > 1:
                    kept -= len(self._log.popleft())
        finally:
            end_stream(self._stream)
            self._ended.set()

    def remove(self) -> None:
        """Ends it and removes it; a second call does nothing."""
        # A fork has a copy of this object, but the container is not its own.
        if self._removed or os.getpid() != self._process:
            return
        self._removed = True
        try:
            self._remove()
        finally:
            if self._reader.is_alive():
                self._reader.join(FATE_LIMIT)
            self._client.close()

    def _remove(self) -> None:
        import docker.errors

        if self._container is None:
            return
        deadline = time.monotonic() + REMOVE_LIMIT
        with engine_errors("remove the container", container=self.id):
            while time.monotonic() < deadline:
                try:
                    self._container.remove(force=True, v=True)
                except docker.errors.NotFound:
                    return
                except docker.errors.APIError as exc:
                    # The engine is at it already: until it has done it, ask again. Podman reports
                    # that as a failure of its own.
                    late = time.monotonic() + REMOVE_POLL > deadline
                    if exc.status_code != 409 and (exc.status_code != 500 or late):
                        raise
                    time.sleep(REMOVE_POLL)
                else:
                    return
