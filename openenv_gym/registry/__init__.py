"""Registry: names of environments and transports, and what they stand for."""

from openenv_gym.registry.bundled import ENVIRONMENTS
from openenv_gym.registry.loading import load, name_of, part, without_path
from openenv_gym.registry.manifest import Entry, container_needs
from openenv_gym.registry.registry import (
    TRANSPORTS,
    Registered,
    environment,
    installed,
    installed_transports,
    register_transport,
    registered,
    resolve,
    transport,
)
from openenv_gym.registry.shadowing import make_keywords

__all__ = [
    "ENVIRONMENTS",
    "TRANSPORTS",
    "Entry",
    "Registered",
    "container_needs",
    "environment",
    "installed",
    "installed_transports",
    "load",
    "make_keywords",
    "name_of",
    "part",
    "register_transport",
    "registered",
    "resolve",
    "transport",
    "without_path",
]
