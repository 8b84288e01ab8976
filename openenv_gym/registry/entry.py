"""Entry: what a name in the registry stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entry:
    """What a name stands for.

    Attributes:
        name: The short name, as ``serve`` takes it; for an environment of the user's own,
            ``module:Class``.
        target: ``module:Class``, or a function that makes one.
        id: The id that ``gymnasium.make`` takes, if it has one.
        extra: The extra of openenv-gym that installs what it needs.
        summary: One line on what it is.
        options: Options that the name stands for.
        variants: Options of further ids, by what stands in them behind the name and a dot: of
            ``openenv/Atari-v0`` the variant ``pong`` is ``openenv/Atari.pong-v0``.
        folder: The folder that is the package of the target, if it is used by its path.
        models: ``module:Class`` of the models, by ``action``, ``observation`` and ``state``, where
            another than the environment's class tells them.
        spaces: Descriptions of the Spaces of fields that the models do not bound.
    """

    name: str
    target: str
    id: str | None = None
    extra: str | None = None
    summary: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folder: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    spaces: Mapping[str, Any] = field(default_factory=dict)

    def ids(self) -> Mapping[str, Mapping[str, Any]]:
        """All its ids, and the options that each stands for."""
        if self.id is None:
            return {}
        stem, _, version = self.id.rpartition("-")
        found = {f"{stem}.{variant}-{version}": told for variant, told in self.variants.items()}
        return {self.id: self.options, **found}
