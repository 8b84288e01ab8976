"""``python -m openenv_gym.cleanrl``."""

from openenv_gym.cleanrl.command import main

if __name__ == "__main__":
    raise SystemExit(main())
