"""Talking to servers of OpenEnv's own make, which know nothing of openenv-gym.

Their protocol is JSON in the terms of the environment's models, so here, at the client's end, is
what else is at the server's: the session, and the conversion between values of the Spaces and JSON.
"""
