"""Transports of openenv-gym, by name in ``openenv_gym.registry``; each is loaded at first use."""
