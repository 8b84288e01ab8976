"""The server: ``python server/app.py --port 8000``, or ``uvicorn server.app:app``."""

import sys
from pathlib import Path

from openenv_gym import create_app
from openenv_gym.cli import main as openenv_gym
from openenv_gym.server.variables import settings

FOLDER = str(Path(__file__).resolve().parents[1])

app = create_app(FOLDER, **settings())


def main() -> None:
    """Serve it by ``openenv-gym serve``, whose arguments it takes."""
    sys.exit(openenv_gym(["serve", FOLDER, *sys.argv[1:]]))


if __name__ == "__main__":
    main()
