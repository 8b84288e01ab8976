"""The differences between the metadata of OpenEnv's own server of this environment and ours."""

from __future__ import annotations

from typing import Any

from openenv_gym.environment import ServerReader


class AtariReader(ServerReader):
    """Removes from the steps' metadata what the reset returned already."""

    def read(self, fields: dict[str, Any], action: dict[str, Any] | None) -> dict[str, Any]:
        """Implements ServerReader.read."""
        if action is not None:
            for name in ("game_name", "action_meanings"):
                fields["metadata"].pop(name, None)
        return fields
