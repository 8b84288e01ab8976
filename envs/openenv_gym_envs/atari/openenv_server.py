"""What OpenEnv's own server of this environment has in its metadata beside ours."""

from __future__ import annotations

from typing import Any

from openenv_gym.environment import ServerReader


class AtariReader(ServerReader):
    """Leaves out of the steps what the reset told already."""

    def read(self, fields: dict[str, Any], action: dict[str, Any] | None) -> dict[str, Any]:
        """Implements ServerReader.read."""
        if action is not None:
            for name in ("game_name", "action_meanings"):
                fields["metadata"].pop(name, None)
        return fields
