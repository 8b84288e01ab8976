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

from tests.openenv.peers import OPENENV, ROOT, WITHOUT_GRADIO

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


GALLERY = """\
import os

from tests.openenv.gallery import served

app = served(os.environ["NAME"])
"""


def openenv_image(client: DockerClient) -> str:
    """The image; made if it is not there."""
    return _image(client, "trials", APP, {"trials.py": "trials.py"})


def gallery_image(client: DockerClient) -> str:
    """The image that serves an environment of the gallery, named by its variable NAME."""
    sources = ("__init__.py", "toolbox.py", "gallery.py")
    files = {name: f"tests/openenv/{name}" for name in sources}
    return _image(client, "gallery", GALLERY, files)


def _image(client: DockerClient, kind: str, app: str, files: dict[str, str]) -> str:
    """Return an image with an application and files of this folder, at their paths there."""
    gradio = "gradio.py"
    contents = {"app.py": app.encode(), gradio: (WITHOUT_GRADIO / gradio).read_bytes()}
    for name, path in files.items():
        contents[path] = (ROOT / "tests" / "openenv" / name).read_bytes()
    release = OPENENV.release.replace(" ", "-")
    packages = f"openenv-gym-test/{release}"
    if not client.images.list(packages):
        site = next((OPENENV.folder / "lib").glob("python3*")) / "site-packages"
        base = os.environ.get("OPENENV_GYM_BASE_IMAGE", "python:3.11-slim")
        _build(client, site, packages, PACKAGES, base)
    digest = hashlib.sha256(b"".join(contents.values()) + ENVIRONMENT.encode()).hexdigest()
    name = f"openenv-gym-test/{kind}:{digest[:12]}"
    if not client.images.list(name):
        with tempfile.TemporaryDirectory() as folder:
            for path, content in contents.items():
                (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / path).write_bytes(content)
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
