"""OpenEnv's LocalDockerProvider with the no-op environment on its own server; see ``startup.py``.

Its image is made here, without a network: the packages of openenv's virtual environment on our base
image, which must have the same Python. Its bytecode is in it, so nothing is compiled at the start.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from peers import HERE, PYTHON, VERSION, Client, install, values
from rich.console import Console

from openenv_gym.cli.benchmark.measure import UnavailableError
from openenv_gym.errors import OpenEnvGymError

SERVER = HERE / "openenv_server.py"
TAG = f"openenv-gym-bench/openenv:{VERSION}-{hashlib.sha256(SERVER.read_bytes()).hexdigest()[:8]}"
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY site /opt/site
COPY app /app
WORKDIR /app
ENV PYTHONPATH=/opt/site BENCH_VALUES=/app/values.json
CMD ["python3", "-m", "uvicorn", "openenv_server:app", "--host", "0.0.0.0", "--port", "8000"]
"""


@functools.cache
def image(workload: str) -> str:
    """The image of openenv's server with a workload; made if it is not there.

    Raises:
        UnavailableError: It cannot be made.
    """
    install()
    import docker.errors

    from openenv_gym_transports.containers import engine

    tag = f"{TAG}-{workload}"
    try:
        client = engine.connect()
    except OpenEnvGymError as error:
        raise UnavailableError(str(error)) from error
    with contextlib.closing(client):
        if client.images.list(tag):
            return tag
        base = os.environ.get("OPENENV_GYM_BASE_IMAGE", "python:3.11-slim")
        text = f"building {tag}, once: openenv's packages are some hundred megabytes"
        with tempfile.TemporaryDirectory() as folder, Console(stderr=True).status(text):
            _write(Path(folder), workload)
            try:
                client.images.build(path=folder, tag=tag, buildargs={"BASE_IMAGE": base}, rm=True)
            except docker.errors.DockerException as error:
                raise UnavailableError(f"openenv's image cannot be built: {error}") from error
    return tag


def _write(folder: Path, workload: str) -> None:
    """Writes what goes into the image."""
    (folder / "Dockerfile").write_text(DOCKERFILE)
    site = next((PYTHON.parent.parent / "lib").glob("python3*")) / "site-packages"
    shutil.copytree(site, folder / "site", symlinks=True)
    app = folder / "app"
    app.mkdir()
    # One environment, as such a server has.
    (app / "values.json").write_text(json.dumps({workload: values()[workload]}))
    shutil.copyfile(SERVER, app / SERVER.name)


class Provider:
    """Starts containers of openenv's server, as its users do.

    Args:
        workload: What it serves.
    """

    def __init__(self, workload: str) -> None:
        self._workload = workload

    def start(self) -> dict[str, float]:
        """Milliseconds from ``from_docker_image`` to the end of the first reset."""
        tag = image(self._workload)
        return {"total": _client().ask(peer="docker", image=tag)["seconds"] * 1e3}


@functools.cache
def _client() -> Client:
    return Client("")
