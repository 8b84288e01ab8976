"""What the keywords of ``make`` and ``make_vec`` ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gymnasium.spaces import Space

from openenv_gym import registry
from openenv_gym.env.choose_transport import choose_transport
from openenv_gym.env.keyword_types import check_keywords
from openenv_gym.spaces.describe import described
from openenv_gym.spaces.guesses import requested_spaces
from openenv_gym.transport import STEP_TIMEOUT, Transport
from openenv_gym.wire.messages import ACTION_FORMS
from openenv_gym.wire.time_limits import TimeLimits, check_seconds


@dataclass(frozen=True)
class Asked:
    """What keywords ask for, checked.

    Attributes:
        environment: Name of the environment; None: whatever the server has.
        options: Its options.
        transport: How to reach it.
        limits: How long requests may take.
        spaces: What a request to open it has of Spaces: descriptions by the request's own names,
            and the form of actions that call tools.
    """

    environment: str | None
    options: dict[str, Any]
    transport: Transport
    limits: TimeLimits
    spaces: dict[str, Any]


def resolve_keywords(
    environment: str | Callable[..., Any] | None,
    further: Mapping[str, Any],
    *,
    options: Mapping[str, Any] | None,
    transport: str | Transport | None,
    transport_options: dict[str, Any] | None,
    timeout: float | None,
    start_timeout: float | None,
    limits: TimeLimits,
    url: str | Sequence[str] | None,
    image: str | None,
    token: str | None,
    require_isolation: str | Collection[str] | None,
    action_space: Space[Any] | dict[str, Any] | None,
    observation_space: Space[Any] | dict[str, Any] | None,
    spaces: dict[str, Any] | str | None,
    actions: Any,
    own: Mapping[str, Any],
) -> Asked:
    """Return what the keywords that single and vector environments share ask for.

    Args:
        environment: Its name, id or class; None for what the server has.
        further: Options of the environment that were given as keywords.
        options: Options of the environment of any name.
        transport: Its name, or an object.
        transport_options: Further keywords of the transport.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there; None: the transport's default.
        limits: How long requests of each kind may take.
        url: A server that runs already, or several.
        image: Image of the container.
        token: The server's token.
        require_isolation: What must be between the environment and this host.
        action_space: Instead of the environment's own.
        observation_space: Instead of the environment's own.
        spaces: Likewise of fields, by name; or a mode.
        actions: Form of actions that call tools, or an option of the environment.
        own: Further keywords by name, which an option of the environment may be called like; None
            where one was not given.

    Raises:
        OptionError: A keyword, or an option, is unknown or wrong.
        RegistryError: There is no such environment or transport.
    """
    check_keywords(
        {
            "options": options,
            "transport": transport,
            "transport_options": transport_options,
            "url": url,
            "image": image,
            "token": token,
            "require_isolation": require_isolation,
            "action_space": action_space,
            "observation_space": observation_space,
            "spaces": spaces,
        }
    )
    check_seconds("timeout", timeout, "None to wait forever")
    check_seconds("start_timeout", start_timeout, "leave it out")
    form, every = form_and_options(actions, {**further, **(options or {})})
    settings = {
        "url": url,
        "image": image,
        "token": token,
        "timeout": timeout,
        "start_timeout": start_timeout,
        "require_isolation": require_isolation,
    }
    given = {
        **own,
        **settings,
        **{f"{name}_timeout": limit for name, limit in asdict(limits).items()},
        "timeout": None if timeout == STEP_TIMEOUT else timeout,
        "actions": form,
        "transport": transport,
        "transport_options": transport_options,
        "action_space": action_space,
        "observation_space": observation_space,
        "spaces": spaces,
    }
    name, every_option = registry.resolve(environment, every, given)
    return Asked(
        name,
        every_option,
        choose_transport(transport, settings, transport_options or {}),
        limits,
        {
            "spaces": requested_spaces(spaces),
            "action_space": described(action_space),
            "observation_space": described(observation_space),
            "actions": form,
        },
    )


def form_and_options(actions: Any, options: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the form of actions that call tools, and the options of the environment.

    An environment may have an option of that name itself, as BrowserGym does.
    """
    if actions is None or (isinstance(actions, str) and actions in ACTION_FORMS):
        return actions, options
    return None, {**options, "actions": actions}
