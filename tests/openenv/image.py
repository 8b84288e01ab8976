"""An image as OpenEnv's own are: its packages, an environment, and a server on port 8000.

Made without a network: the packages are those of the peer's virtual environment, on our base image,
which has the same Python.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.openenv.peers import OPENENV, ROOT

if TYPE_CHECKING:
    from docker import DockerClient

PACKAGES = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY . /app/site
"""

ENVIRONMENT = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY . /app/env
ENV PYTHONPATH=/app/env:/app/site
CMD ["sh", "-c", "cd /app/env && exec python3 -m uvicorn app:app --host 0.0.0.0 --port 8000"]
"""

# What it serves its environment variable TRIAL says, as variables set up OpenEnv's own.
APP = """\
import os
import sys
import time

trial = os.environ.get("TRIAL", "ledger")
if trial == "broken":
    print("the game is not installed", flush=True)
    sys.exit(3)
if trial == "silent":
    print("still looking for the game", flush=True)
    time.sleep(1000)

from openenv.core import create_app

import trials

name = trial.capitalize()
app = create_app(
    *(getattr(trials, f"{name}{part}") for part in ("Environment", "Action", "Observation")),
    env_name=trial,
    max_concurrent_envs=2 if trial == "ledger" else 1,
)
"""


def openenv_image(client: DockerClient) -> str:
    """The image; made if it is not there."""
    trials = (ROOT / "tests" / "openenv" / "trials.py").read_bytes()
    release = OPENENV.release.replace(" ", "-")
    packages = f"openenv-gym-test/{release}"
    if not client.images.list(packages):
        site = next((OPENENV.folder / "lib").glob("python3*")) / "site-packages"
        base = os.environ.get("OPENENV_GYM_BASE_IMAGE", "python:3.11-slim")
        _build(client, site, packages, PACKAGES, base)
    content = hashlib.sha256(trials + APP.encode() + ENVIRONMENT.encode()).hexdigest()[:12]
    name = f"openenv-gym-test/trials:{content}"
    if not client.images.list(name):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "app.py").write_text(APP)
            (Path(folder) / "trials.py").write_bytes(trials)
            _build(client, Path(folder), name, ENVIRONMENT, packages)
    return name


def _build(client: DockerClient, context: Path, tag: str, dockerfile: str, base: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile") as file:
        file.write(dockerfile)
        file.flush()
        client.images.build(
            path=str(context),
            dockerfile=file.name,
            tag=tag,
            buildargs={"BASE_IMAGE": base},
            rm=True,
        )
