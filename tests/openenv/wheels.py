"""A base image whose pip finds openenv-gym, and what it needs, without a network.

In place of an index that has openenv-gym: what ``openenv build`` runs is otherwise the real thing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from openenv_gym_transports.images.wheelhouse import needed
from tests.openenv.peers import ROOT

if TYPE_CHECKING:
    from docker import DockerClient

DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY wheels /wheels
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 "$(echo /wheels/pip-*.whl)/pip" install -q pip \\
    && python3 -m pip install -q --no-compile "openenv-gym[server]"
"""


def image_with_wheels(client: DockerClient) -> str:
    """Return the name of the image; made if it is not there."""
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder) / "wheels"
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        for wheel in needed(Path(os.environ["OPENENV_GYM_WHEELHOUSE"]), _requirements()):
            shutil.copy(wheel, wheels)
        content = hashlib.sha256(DOCKERFILE.encode())
        for path in sorted(wheels.iterdir()):
            content.update(path.read_bytes() if path.name.startswith("openenv") else b"")
            content.update(path.name.encode())
        name = f"openenv-gym-test/wheels:{content.hexdigest()[:12]}"
        if not client.images.list(name):
            (Path(folder) / "Dockerfile").write_text(DOCKERFILE)
            base = os.environ.get("OPENENV_GYM_BASE_IMAGE", "python:3.11-slim")
            client.images.build(path=folder, tag=name, buildargs={"BASE_IMAGE": base}, rm=True)
    return name


def _requirements() -> list[str]:
    """Return what the core and the server need, and what builds a folder's package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["server"]]
    return ["setuptools", *(text.partition(";")[0] for text in stated)]
