"""The web page of an environment: one static page that plays it by OpenEnv's routes."""

from openenv_gym.server.web.routes import WebRoutes

__all__ = ["WebRoutes"]
