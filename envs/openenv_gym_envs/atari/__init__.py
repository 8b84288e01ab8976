"""Atari: the games of the Atari 2600, by the Arcade Learning Environment."""

from openenv_gym_envs.atari.client import AtariEnv
from openenv_gym_envs.atari.models import AtariAction, AtariObservation, AtariState

__all__ = ["AtariAction", "AtariEnv", "AtariObservation", "AtariState"]
