"""Environments for TRL: classes whose methods are the tools that a language model calls."""

from openenv_gym.trl.environment import ToolEnvironment, environment_factory

__all__ = ["ToolEnvironment", "environment_factory"]
