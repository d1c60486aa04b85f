"""What a module offers is what its `__all__` says, and what it says exists."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import constrained

ROOT = Path(constrained.__file__).parent


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
IMPORTABLE = [
    name
    for name in MODULES
    if name.split(".")[1:2] != ["adapters"] and name != "constrained.generation.triton_kernels"
]
"""The others need packages of their own; importing them is left to their own tests."""


def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def defined_names(tree: ast.Module) -> set[str]:
    """Public functions and classes that are written in the module."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")}


def exported_names(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and names == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    if MODULES[name].read_text(encoding="utf-8").strip():
        first = (ast.get_docstring(tree_of(name)) or "").splitlines()[:1]
        assert first, f"{name} has no docstring"
        assert first[0].strip()


@pytest.mark.parametrize("name", MODULES)
def test_all_lists_what_is_there(name: str) -> None:
    tree = tree_of(name)
    exported = exported_names(tree)
    if exported is None:
        assert not defined_names(tree), f"{name} has no __all__"
        return
    assert len(exported) == len(set(exported))
    assert not any(export.startswith("_") for export in exported)


@pytest.mark.parametrize("name", MODULES)
def test_modules_import_only_what_others_export(name: str) -> None:
    """`__all__` is the interface: what is not in it may change without a look at other files."""
    wrong = []
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            exported = exported_names(tree_of(node.module))
            for alias in node.names:
                is_module = f"{node.module}.{alias.name}" in MODULES
                if exported is not None and not is_module and alias.name not in exported:
                    wrong.append(f"{name}:{node.lineno}: {alias.name} of {node.module}")
    assert wrong == []


@pytest.mark.parametrize("name", IMPORTABLE)
def test_everything_exported_exists(name: str) -> None:
    module = import_module(name)
    for export in getattr(module, "__all__", []):
        assert hasattr(module, export), f"{name} has no {export}"


@pytest.mark.parametrize("name", [n for n in MODULES if MODULES[n].name == "__init__.py"])
def test_a_package_exports_all_that_it_imports(name: str) -> None:
    """An `__init__` that gathers names gathers them for its users."""
    tree = tree_of(name)
    if defined_names(tree) or exported_names(tree) is None:
        return
    gathered = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("constrained.")
        for alias in node.names
    }
    exported = set(exported_names(tree) or ())
    assert {g for g in gathered if not g.startswith("_")} <= exported


def test_every_public_name_of_the_package_is_documented() -> None:
    things = {name: getattr(constrained, name) for name in constrained.__all__}
    undocumented = [name for name, thing in things.items() if callable(thing) and not thing.__doc__]
    assert undocumented == []


def test_every_error_and_warning_is_at_the_top() -> None:
    named = import_module("constrained.errors").__all__
    assert {*named} <= {*constrained.__all__}
    documented = (ROOT.parent / "docs/reference/errors.md").read_text(encoding="utf-8")
    assert [name for name in named if not re.search(rf"\b{name}\b", documented)] == []
