"""Our environments and clients at servers of OpenEnv's own make, which they warn of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gymnasium
import pytest

from openenv_gym.errors import OpenEnvServerWarning

REMOTE = "openenv/Remote-v0"
OWN_PROTOCOL = "OpenEnv's own protocol is used"

T = TypeVar("T")


def warned(make: Callable[[], T], match: str = OWN_PROTOCOL) -> T:
    """What is made, with one warning."""
    with pytest.warns(OpenEnvServerWarning, match=match) as caught:
        made = make()
    assert len(caught) == 1
    return made


@contextmanager
def remote(url: str, id: str = REMOTE, **keywords: Any) -> Iterator[gymnasium.Env[Any, Any]]:
    """An environment at a server of OpenEnv, while the block runs."""
    env = warned(lambda: gymnasium.make(id, url=url, **keywords))
    try:
        yield env
    finally:
        env.close()
