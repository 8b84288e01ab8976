"""DIPG Safety: answers to questions about medical texts, graded by the proof that they quote."""

from openenv_gym_envs.dipg.client import DIPGSafetyEnv
from openenv_gym_envs.dipg.models import DIPGAction, DIPGObservation, DIPGState

__all__ = ["DIPGAction", "DIPGObservation", "DIPGSafetyEnv", "DIPGState"]
