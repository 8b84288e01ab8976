"""The episode of BrowserGym that ``openenv-gym demo`` plays."""

from __future__ import annotations

from openenv_gym.testing import Episode

EPISODE = Episode(
    {"task": "login-user"},
    actions=("fill('16', 'annis')", "fill('19', 'Omo')", "click('20')"),
    steps=3,
)
