"""Clients of OpenEnv's own servers, which do not know openenv-gym.

Their protocol is JSON with the fields of the environment's models. So the session, and the
conversion between values of the Spaces and JSON, are here at the client's end.
"""
