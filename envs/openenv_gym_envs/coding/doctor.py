"""What ``openenv-gym doctor`` checks for Coding: its sandbox."""

from __future__ import annotations


def check() -> str:
    """Return what the sandbox is made of.

    Raises:
        MissingDependencyError: A program that it needs is not installed.
        EnvironmentFailedError: No sandbox can be made here.
    """
    from openenv_gym_envs.sandbox.boundary import boundary

    return f"a sandbox by {boundary().name}"
