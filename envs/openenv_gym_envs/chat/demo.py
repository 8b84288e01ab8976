"""The episode of Chat that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode({"prompts": ["Hello!", "Good morning."], "reply": ["Go on.", "I see."]})
