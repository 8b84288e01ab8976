"""CleanRL: runs single-file training scripts, written for gymnasium 0.29, as they are.

::

    python -m openenv_gym.cleanrl ppo.py --env-id openenv/Connect4-v0 --total-timesteps 100000
    python -m openenv_gym.cleanrl --option opponent=random ppo.py --env-id openenv/Connect4-v0

What is before the script is ours, what comes after it is the script's own. Scripts of CleanRL's
kind know an id and nothing else, so ``--option`` gives the other keywords of ``gymnasium.make``:
options of the environment, ``transport``, ``url``, ``max_episode_steps``. The transport can also be
set by ``OPENENV_GYM_TRANSPORT``.

A script that builds dense networks from ``np.array(shape).prod()`` needs flat observations, so it
gets those of an OpenEnv environment as a vector of float32; pictures stay pictures. One line says
so, and ``--flatten`` and ``--no-flatten`` decide otherwise.

While a script runs, and no longer, gymnasium is changed in a few places;
:func:`gymnasium_029` does the same around code of your own. Scripts that import ``gym`` are beyond
this, and so are those that put wrappers of single environments around a vector environment.
"""

from openenv_gym.cleanrl.command import main, run
from openenv_gym.cleanrl.gymnasium_029 import gymnasium_029

__all__ = ["gymnasium_029", "main", "run"]
