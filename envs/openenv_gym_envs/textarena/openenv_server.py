"""The differences between the metadata of OpenEnv's own server of this environment and ours."""

from __future__ import annotations

from typing import Any

from openenv_gym.environment import ServerReader


class TextArenaReader(ServerReader):
    """Removes metadata that repeat the observation and the state."""

    def read(self, fields: dict[str, Any], action: dict[str, Any] | None) -> dict[str, Any]:
        """Implements ServerReader.read."""
        for name in ("env_id", "raw_messages"):
            fields["metadata"].pop(name, None)
        return fields
