"""The typed client of TextArena."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.textarena.models import TextArenaAction, TextArenaObservation, TextArenaState


class TextArenaEnv(
    EnvClient[TextArenaAction, TextArenaObservation, TextArenaState], environment="textarena"
):
    """The typed client of TextArena."""
