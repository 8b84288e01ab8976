"""A name means one thing: no method is replaced on an instance, or hidden from a type checker."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import openenv_gym

ROOT = Path(openenv_gym.__file__).parent.parent
SOURCES = ("openenv_gym", "transports", "envs")
OF_GYMNASIUM = {"reset", "step", "render", "close", "seed", "sample", "contains"}
"""Methods of base classes that are not in these sources."""

MOST_IGNORED = 15


def paths() -> Iterator[Path]:
    for source in SOURCES:
        yield from (ROOT / source).rglob("*.py")


class Classes:
    """All classes of some modules, by name."""

    def __init__(self, trees: list[ast.Module]) -> None:
        self.found: dict[str, list[ast.ClassDef]] = {}
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self.found.setdefault(node.name, []).append(node)

    def methods(self, node: ast.ClassDef, seen: frozenset[str] = frozenset()) -> set[str]:
        """Names of the methods of a class and of its bases."""
        names = {
            item.name
            for item in node.body
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
            and not any(ast.unparse(d).endswith(".setter") for d in item.decorator_list)
        }
        for base in node.bases:
            name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
            if name not in self.found:
                names |= OF_GYMNASIUM if name in ("Env", "VectorEnv", "Wrapper", "Space") else set()
            elif name not in seen:
                for found in self.found[name]:
                    names |= self.methods(found, seen | {name})
        return names


def rebound(tree: ast.Module, classes: Classes) -> Iterator[str]:
    """What in a module assigns to a method of a class."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        methods = classes.methods(node)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
                for target in (part for one in targets for part in ast.walk(one)):
                    if (
                        isinstance(target, ast.Attribute)
                        and isinstance(target.ctx, ast.Store)
                        and ast.unparse(target.value) in ("self", "cls", node.name)
                        and target.attr in methods
                    ):
                        yield f"{inner.lineno}: {node.name}.{target.attr}"
            if isinstance(inner, ast.Call) and ast.unparse(inner.func) == "setattr":
                name = inner.args[1]
                fixed = isinstance(name, ast.Constant) and name.value not in methods
                if ast.unparse(inner.args[0]) in ("self", "cls") and not fixed:
                    yield f"{inner.lineno}: {node.name}, by setattr"


def test_no_method_is_replaced_on_an_instance() -> None:
    trees = {path: ast.parse(path.read_text()) for path in paths()}
    classes = Classes([*trees.values()])
    wrong = [f"{path}:{line}" for path, tree in trees.items() for line in rebound(tree, classes)]
    assert not wrong


def test_what_replaces_one_is_found() -> None:
    source = """
class Base(gymnasium.Env):
    def send(self): ...
    @property
    def width(self): ...
    @width.setter
    def width(self, value): ...

class Derived(Base):
    def __init__(self, other):
        self.send = other.send
        self.step, self.more = other
        self.reset: object = other
        setattr(self, other, 1)
        self.plain = other
"""
    tree = ast.parse(source)
    found = [*rebound(tree, Classes([tree]))]
    assert [one.partition(": ")[2] for one in found] == [
        "Derived.send",
        "Derived.step",
        "Derived.reset",
        "Derived, by setattr",
    ]


def test_few_lines_are_hidden_from_the_type_checker() -> None:
    lines = [
        f"{path}:{number}"
        for path in paths()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "type: ignore" in line
    ]
    assert len(lines) <= MOST_IGNORED, lines


def test_no_method_assignment_is_hidden() -> None:
    assert not [path for path in paths() if "method-assign" in path.read_text()]
