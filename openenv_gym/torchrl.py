"""TorchRL: Spaces of ours as its specs, and the legal actions for its ``ActionMask``.

::

    from torchrl.envs import GymEnv
    from openenv_gym.torchrl import with_action_mask

    env = with_action_mask(GymEnv("openenv/Connect4-v0", opponent="random"))
    env.rollout(100)                                       # of legal actions

Importing this is enough for ``GymEnv`` and ``GymWrapper`` to take texts: they are TorchRL's
``NonTensor``, as gymnasium's ``Text`` is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from openenv_gym.errors import OptionError, missing_package
from openenv_gym.spaces.utf8 import Utf8

try:
    import torch
    from torchrl.data import Binary, Composite, NonTensor
    from torchrl.envs import ActionMask, GymWrapper, TransformedEnv
    from torchrl.envs.gym_like import BaseInfoDictReader
    from torchrl.envs.libs.gym import register_gym_spec_conversion
except ImportError as error:
    raise missing_package("openenv_gym.torchrl", error.name or str(error), None) from error

__all__ = ["ActionMaskReader", "with_action_mask"]

_KEY = "action_mask"


@register_gym_spec_conversion(Utf8)
def _text_spec(spec: Utf8, *, device: Any = None, batch_size: Any = None, **_: Any) -> NonTensor:
    return NonTensor(batch_size or (), device=device, example_data="a text")


class ActionMaskReader(BaseInfoDictReader):
    """Reads the legal actions from infos, as bools; all are, where an info does not say.

    Args:
        actions: Number of actions.
        batch_size: That of the environment.
    """

    def __init__(self, actions: int, batch_size: torch.Size) -> None:
        self._shape = torch.Size([*batch_size, actions])
        mask = Binary(shape=self._shape, dtype=torch.bool)
        self._spec = Composite({_KEY: mask}, shape=batch_size)

    def __call__(self, info_dict: Any, tensordict: Any) -> Any:
        """Implements BaseInfoDictReader.__call__."""
        mask = torch.ones(self._shape, dtype=torch.bool)
        if _KEY in info_dict:
            found = torch.as_tensor(np.asarray(info_dict[_KEY]), dtype=torch.bool)
            lanes = info_dict.get(f"_{_KEY}")
            if lanes is None:
                mask = found
            else:
                mask[torch.as_tensor(np.asarray(lanes))] = found[torch.as_tensor(lanes)]
        return tensordict.set(_KEY, mask)

    @property
    def info_spec(self) -> Composite:
        """Implements BaseInfoDictReader.info_spec."""
        return self._spec


def with_action_mask(env: GymWrapper) -> TransformedEnv:
    """Add the mask of legal actions to what an environment returns, and to how it samples.

    Args:
        env: A ``GymEnv`` or ``GymWrapper`` of an environment of ours, with Discrete actions.

    Raises:
        OptionError: Its actions are not Discrete.
    """
    space = getattr(env, "single_action_space", None) or env.action_space
    if not hasattr(space, "n"):
        raise OptionError(f"There are masks for Discrete actions, not for {space}.")
    env.set_info_dict_reader(ActionMaskReader(int(space.n), env.batch_size))
    return TransformedEnv(env, ActionMask())
