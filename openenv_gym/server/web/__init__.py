"""The pages of a server: to play its environment by hand, and what its sessions do."""

from openenv_gym.server.web.dashboard import Dashboard
from openenv_gym.server.web.routes import WebRoutes

__all__ = ["Dashboard", "WebRoutes"]
