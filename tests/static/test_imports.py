"""What imports what: the arrows of the design, a light import, and the public names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import openenv_gym

ROOT = Path(openenv_gym.__file__).parent
HEAVY = ["docker", "httpx", "fastapi", "chess", "pydantic", "websockets", "uvicorn", "starlette"]


def modules(package: Path) -> dict[str, Path]:
    found = {}
    for path in package.rglob("*.py"):
        words = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(words).removesuffix(".__init__")] = path
    return found


CORE = modules(ROOT)
ALL = {
    **CORE,
    **modules(ROOT.parent / "transports" / "openenv_gym_transports"),
    **modules(ROOT.parent / "envs" / "openenv_gym_envs"),
}


def imported(path: Path, *, always: bool = False) -> set[str]:
    """Modules that a module imports; with ``always`` only those that it imports when it is."""
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        if always and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        nodes += ast.iter_child_nodes(node)
    return found


LAYERS = ["errors", "models", "spaces", "wire", "transport", "sessions", "server"]


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("number", range(len(LAYERS)), ids=LAYERS)
def test_a_wing_imports_only_what_is_below(number: int) -> None:
    above = tuple(f"openenv_gym.{layer}" for layer in LAYERS[number + 1 :])
    for name, path in CORE.items():
        if within(name, (f"openenv_gym.{LAYERS[number]}",)):
            wrong = {m for m in imported(path) if within(m, above)}
            assert not wrong, f"{name} imports {wrong}"


@pytest.mark.parametrize("name", CORE)
def test_the_core_knows_transports_and_environments_by_their_names_only(name: str) -> None:
    """But for commands: for images, the doctor, what runs, and what measures all transports."""
    wrong = {
        m
        for m in imported(CORE[name])
        if m.startswith(("openenv_gym_transports", "openenv_gym_envs"))
    }
    commands = ("bench", "build", "doctor", "prune", "ps", "push")
    excepted = tuple(f"openenv_gym.cli.{name}" for name in commands)
    assert not wrong or name.startswith(excepted)


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("openenv_gym_envs")])
def test_environments_know_no_transports(name: str) -> None:
    assert not {m for m in imported(ALL[name]) if m.startswith("openenv_gym_transports")}


@pytest.mark.parametrize(
    "name", [name for name in ALL if name.startswith("openenv_gym_transports")]
)
def test_transports_know_no_environments_and_no_adapter(name: str) -> None:
    wrong = ("openenv_gym_envs", "openenv_gym.env.", "openenv_gym.vector", "openenv_gym.server")
    found = {m for m in imported(ALL[name]) if f"{m}.".startswith(wrong)}
    assert not found


@pytest.mark.parametrize("name", ["env", "vector", "transport", "registry"])
def test_the_client_knows_no_session(name: str) -> None:
    sessions = ("session", "adapter", "gymnasium_adapter", "model_adapter")
    wrong = ("openenv_gym.server", *(f"openenv_gym.sessions.{name}" for name in sessions))
    for module, path in CORE.items():
        if within(module, (f"openenv_gym.{name}",)):
            assert not {m for m in imported(path) if within(m, wrong)}, module


def test_modules_import_each_other_in_no_circle() -> None:
    arrows = {
        name: {m for m in imported(path, always=True) if m in ALL and m != name}
        for name, path in ALL.items()
    }
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        assert name not in path, f"a circle: {path[path.index(name) :]}"
        if name not in done:
            path.append(name)
            for other in arrows[name]:
                visit(other)
            path.pop()
            done.add(name)

    for name in arrows:
        visit(name)


def run(script: str) -> str:
    command = [sys.executable, "-c", script]
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_import_is_light() -> None:
    script = f"import sys, openenv_gym; print([m for m in {HEAVY} if m in sys.modules])"
    assert run(script).strip() == "[]"


def test_a_client_of_a_pipe_needs_no_pydantic_and_no_http() -> None:
    """Nor does the command list."""
    script = (
        "import sys, openenv_gym_transports.process, openenv_gym.env, openenv_gym.cli.list\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert run(script).strip() == "[]"


def test_what_serves_loads_no_fastapi() -> None:
    """It would take a third of a server's start."""
    script = (
        "import sys, openenv_gym.server.run, openenv_gym.server.app\n"
        "print('fastapi' in sys.modules)"
    )
    assert run(script).strip() == "False"


def test_public_names_are_sorted_and_the_same_everywhere() -> None:
    assert openenv_gym.__all__ == sorted(openenv_gym.__all__)
    assert set(dir(openenv_gym)) >= set(openenv_gym.__all__)
    script = "from openenv_gym import *; print(sorted(n for n in dir() if n[0] != '_'))"
    assert run(script).strip() == str(openenv_gym.__all__)
    # What a type checker sees, what is loaded at first use, and what is promised are the same.
    reported = {m.rpartition(".")[2] for m in _under_type_checking(ROOT / "__init__.py")}
    assert reported | {"register_environment", *_defined()} == set(openenv_gym.__all__)


def _defined() -> set[str]:
    tree = ast.parse((ROOT / "__init__.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if not name.startswith("_")}


def _under_type_checking(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                assert isinstance(line, ast.ImportFrom)
                assert all(alias.asname == alias.name for alias in line.names)
                found |= {f"{line.module}.{alias.name}" for alias in line.names}
    return found


def test_an_unknown_public_name() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        openenv_gym.no_such_name  # noqa: B018
