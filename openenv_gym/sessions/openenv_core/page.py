"""What an environment of ``openenv.core`` shows at ``/web``: ``render_web`` and ``web_actions``."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from openenv_gym.sessions.openenv_core.models import overrides


def has_page(environment: Any) -> bool:
    """Whether an environment has one of the two methods in place of the base class's."""
    kind = type(inner(environment))
    return any(overrides(kind, name) for name in ("render_web", "web_actions"))


def inner(environment: Any) -> Any:
    """Return what an adapter's environment wraps, else the environment."""
    return getattr(environment, "inner", environment)


def page_of(environment: Any, fields: dict[str, Any], reward: Any, done: bool) -> dict[str, Any]:
    """Return what an environment draws of its last observation, and the actions that it offers.

    Args:
        environment: As the adapter has it.
        fields: The observation as JSON.
        reward: That of the last step; None after a reset.
        done: The episode is over: then it is not asked for actions.

    Returns:
        ``html``, a text or None, and ``actions``, a list of a label and the JSON of an action each.

    Raises:
        TypeError: One of them is something else.
    """
    shown, drawn = {**fields, "reward": reward, "done": done}, inner(environment)
    html = drawn.render_web(shown) if hasattr(drawn, "render_web") else None
    if not isinstance(html, str | None):
        raise TypeError(f"render_web() returned a {type(html).__name__}: return a text or None.")
    offered = drawn.web_actions(shown) if hasattr(drawn, "web_actions") and not done else []
    actions = to_jsonable_python([[str(label), action] for label, action in offered])
    for label, action in actions:
        if not isinstance(action, dict):
            raise TypeError(f"web_actions() has {action!r} at {label!r}: return a dict of fields.")
    return {"html": html, "actions": actions}
