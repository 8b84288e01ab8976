"""Registry: names of environments and transports, and what they stand for."""

from openenv_gym.registry.entry import Entry
from openenv_gym.registry.registry import (
    ENVIRONMENTS,
    TRANSPORTS,
    Registered,
    environment,
    installed,
    load,
    registered,
    transport,
)

__all__ = [
    "ENVIRONMENTS",
    "TRANSPORTS",
    "Entry",
    "Registered",
    "environment",
    "installed",
    "load",
    "registered",
    "transport",
]
