"""What ``openenv-gym doctor`` checks for Git: the program, and its sandbox."""

from __future__ import annotations


def check() -> str:
    """Return where git is, and what the sandbox is made of.

    Raises:
        MissingDependencyError: A program that it needs is not installed.
        EnvironmentFailedError: No sandbox can be made here.
    """
    from openenv_gym_envs.git.folder import find_git
    from openenv_gym_envs.sandbox.boundary import boundary

    return f"{find_git()}, a sandbox by {boundary().name}"
