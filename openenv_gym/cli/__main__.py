"""``python -m openenv_gym.cli``."""

from __future__ import annotations

import sys

from openenv_gym.cli import main

if __name__ == "__main__":
    sys.exit(main())
