"""What blocks of the pages need beside what is installed, by the names in their comments.

Each is a context manager that lasts until its page ends, and gives what is to be replaced in the
block: addresses by those of servers that it started, programs by others that only check.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
from docker.errors import ImageNotFound

from openenv_gym.cli import main
from openenv_gym_transports.containers.engine import connect
from tests.certificates import make_certificates
from tests.conftest import started_ray
from tests.hub import TOKEN, Space
from tests.hub import hub as started_hub
from tests.openenv.image import openenv_image
from tests.openenv.peers import OPENENV, ROOT, peer_environment, peer_server
from tests.registry_server import registry as started_registry
from tests.registry_server import small_image
from tests.servers import eventually, process

Replaced = dict[str, str]
FIXTURES: dict[str, Callable[[], AbstractContextManager[Replaced]]] = {}


def fixture(made: Callable[[], Iterator[Replaced]]) -> None:
    """Enter it under its name."""
    FIXTURES[made.__name__] = contextmanager(made)


@fixture
def certificate() -> Iterator[Replaced]:
    made = make_certificates(Path.cwd())
    shutil.copy(made.server, "server.key")  # which has both
    yield {}


@fixture
def servers() -> Iterator[Replaced]:
    """Four, as machines of a list, and as pods of a cluster."""
    os.environ["OPENENV_GYM_TOKEN"] = "let-me-in"
    with ExitStack() as stack:
        ports = [stack.enter_context(process("chess"))[1] for _ in range(4)]
        by_name = "one={}, two={}, three={}, four={}".format(*ports)
        yield {
            "server-{n}:8000": f"127.0.0.1:{{dict({by_name})[n]}}",
            "openenv-gym-{n}.openenv-gym.environments.svc:8000": f"127.0.0.1:{{{ports}[n]}}",
        }


@fixture
def cluster() -> Iterator[Replaced]:
    """Ray's, on this machine."""
    with started_ray():
        yield {}


@fixture
def maze_env() -> Iterator[Replaced]:
    """A folder as `openenv-gym init` writes it."""
    assert main(["init", "maze_env"]) == 0
    yield {}


@fixture
def hub() -> Iterator[Replaced]:
    """One that has a Space, which is served."""
    variables = {**os.environ, "OPENENV_GYM_TOKEN": TOKEN}
    with (
        FIXTURES["maze_env"](),
        started_hub() as there,
        process("./maze_env", variables=variables) as (_, port),
    ):
        there.spaces["acme/maze"] = Space(host=f"http://127.0.0.1:{port}")
        os.environ.update(HF_ENDPOINT=there.url, HF_TOKEN=TOKEN)
        yield {}
        assert there.spaces["acme/maze"].private


@fixture
def peer() -> Iterator[Replaced]:
    """A server of OpenEnv's own make."""
    with peer_server("tests.openenv.environments:chess") as server:
        yield {"ws://host:8000": server.ws_url}


@fixture
def peer_image() -> Iterator[Replaced]:
    yield {"ghcr.io/acme/thing-env": openenv_image(connect())}


@fixture
def thing_env() -> Iterator[Replaced]:
    """A folder as OpenEnv's `openenv init` writes it."""
    command = [str(OPENENV.bin / "openenv"), "init", "thing_env"]
    subprocess.run(command, env=peer_environment(), check=True, timeout=250)
    yield {}


@fixture
def shop() -> Iterator[Replaced]:
    """A server of the page's environment with tools."""
    variables = peer_environment()
    variables["PYTHONPATH"] += os.pathsep + str(Path.cwd())
    with process("acme.shop:Shop", python=OPENENV.python, variables=variables) as (_, port):
        yield {"localhost:8000": f"127.0.0.1:{port}"}


@fixture
def cleanrl() -> Iterator[Replaced]:
    """Scripts of the kind of CleanRL's, by the names of its own."""
    for name in ("ppo", "dqn"):
        shutil.copy(ROOT / "tests" / "trainers" / "scripts" / f"{name}_style.py", f"{name}.py")
    yield {}


@fixture
def wheelhouse() -> Iterator[Replaced]:
    """The base image and the wheels that `.ci/engine` made."""
    variables = os.environ
    yield {
        "my/base": variables["OPENENV_GYM_BASE_IMAGE"],
        "DIR": variables["OPENENV_GYM_WHEELHOUSE"],
    }


@fixture
def registry() -> Iterator[Replaced]:
    """One on this machine. The image that is pushed there is small: a real one takes minutes."""
    engine, tag = connect(), f"openenv-gym-test/docs-{os.getpid()}"
    with started_registry() as there, small_image(engine) as small:
        pushed = f"{there.name}/team/chess"
        try:
            yield {
                "registry.example.com/acme/chess": f"{pushed} --image {small}",
                "acme/chess": tag,
            }
            assert there.image("team/chess:latest")
            [container] = engine.containers.list(filters={"ancestor": tag})
            [address] = container.ports["8000/tcp"]
            eventually(lambda: _is_ready(int(address["HostPort"])))
        finally:
            for container in engine.containers.list(all=True, filters={"ancestor": tag}):
                container.remove(force=True)
            for image in (pushed, tag):
                with suppress(ImageNotFound):
                    engine.images.remove(image, force=True)


def _is_ready(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/ready").is_success
    return False


# Programs whose commands are only checked


@fixture
def pip() -> Iterator[Replaced]:
    """Each extra is one of ours."""
    yield {"pip install": "python -m tests.docs.extras"}


@fixture
def make() -> Iterator[Replaced]:
    """Each target is one, and its commands can be read; pre-commit can read its configuration."""
    check = f"pre-commit validate-config {ROOT}/.pre-commit-config.yaml"
    yield {"make ": f"make --dry-run -C {ROOT} ", ".venv/bin/pre-commit install": check}


@fixture
def kubectl() -> Iterator[Replaced]:
    """What would be applied is valid, and has what is waited for."""
    yield {
        "kubectl apply -k": "kubectl kustomize --output all.yaml",
        "kubectl --namespace environments rollout status": (
            "kubernetes-validate --strict all.yaml 2>&1 | grep"
        ),
    }
