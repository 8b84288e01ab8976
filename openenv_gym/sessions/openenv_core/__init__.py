"""Environments that were written against OpenEnv's own package, ``openenv.core``.

They are recognized by the names of their base classes, so only they import that package.
"""
