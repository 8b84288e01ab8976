"""What ``openenv-gym doctor`` checks for BrowserGym: its browser."""

from __future__ import annotations


def check() -> str:
    """Return which browser is used.

    Raises:
        MissingDependencyError: No browser was found.
    """
    from openenv_gym_envs.browsergym.launching import find

    return find(None, headless=True) or "the Chromium of playwright install"
