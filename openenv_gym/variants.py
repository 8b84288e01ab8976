"""Variants of the bundled environments: the names behind ids like ``openenv/Atari.pong-v0``.

Strings only, so that ``import openenv_gym`` can register an id for each without loading what they
are played with. The tests of each environment hold that its list is true.
"""

from __future__ import annotations
