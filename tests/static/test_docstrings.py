"""What users import says what it takes, returns and raises; ruff sees that there is a docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import openenv_gym

ROOT = Path(openenv_gym.__file__).parents[1]
PUBLIC = (
    *(ROOT / "openenv_gym").glob("*.py"),
    *(ROOT / "openenv_gym" / file for file in ("env/env.py", "env/record.py", "vector/env.py")),
    *(
        path
        for folder in ("client", "pettingzoo", "testing", "trl")
        for path in (ROOT / "openenv_gym" / folder).glob("*.py")
    ),
    *(ROOT / "transports" / "openenv_gym_transports").glob("*.py"),
)
ONE_LINE = 1
"""An override, or what its name says, needs no more."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Yield the public functions, and the public methods of public classes, with their names."""
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, Function) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


def raises(function: Function) -> bool:
    """Return whether it raises an error by name itself, not in a function within it."""
    nodes: list[ast.AST] = [*function.body]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func)
            if name.endswith(("Error", "Exception")) and name != "NotImplementedError":
                return True
        nodes += ast.iter_child_nodes(node)
    return False


def parameters(function: Function) -> list[str]:
    arguments = function.args
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [one.arg for one in found if one.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_of_what_users_import(path: Path) -> None:
    """Of more than a line: arguments are described. Errors that it raises itself are named."""
    wrong = []
    for name, function in functions(ast.parse(path.read_text("utf-8"))):
        text = ast.get_docstring(function) or ""
        if len(text.splitlines()) > ONE_LINE:
            named = parameters(function)
            if len(named) > 1 and "Args:" not in text and "Implements" not in text:
                wrong.append(f"{name}: Args")
        if raises(function) and "Raises:" not in text and not text.startswith("Implements"):
            wrong.append(f"{name}: Raises")
    assert not wrong
