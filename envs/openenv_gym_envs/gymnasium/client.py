"""The client of an environment of gymnasium."""

from openenv_gym.client import GenericClient


class GymnasiumEnv(GenericClient):
    """Speaks in dicts: which fields there are depends on the environment that is served."""
