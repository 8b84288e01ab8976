"""Environments that were written against OpenEnv's own package, ``openenv.core``.

They are told by the names of their base classes, so that package is imported by them only.
"""
