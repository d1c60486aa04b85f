"""Modules that are compiled stand for their sources."""

from __future__ import annotations

import ast
import importlib
import inspect
import runpy
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import pytest

from constrained.grammar import literal

ROOT = Path(__file__).resolve().parents[2]
SOURCES: list[str] = runpy.run_path(str(ROOT / "scripts/to_c.py"))["sources"]()

pytestmark = pytest.mark.skipif(
    find_spec("constrained_formats__mypyc") is None, reason="installed without compiled modules"
)


def module_name(source: str) -> str:
    return source.removesuffix(".py").replace("/", ".")


@pytest.mark.parametrize("source", SOURCES)
def test_a_module_that_reads_formats_is_compiled_from_the_source_of_today(source: str) -> None:
    spec = find_spec(module_name(source))
    assert spec is not None
    assert spec.origin is not None
    assert spec.origin.endswith(EXTENSION_SUFFIXES[0])
    assert Path(spec.origin).stat().st_mtime > (ROOT / source).stat().st_mtime, (
        f"{source} has changed since it was compiled: install again (scripts/install hf test), or "
        "once with --config-settings=cmake.define.CONSTRAINED_COMPILED=OFF to work on it"
    )


@pytest.mark.parametrize("source", SOURCES)
def test_compiled_functions_and_classes_keep_their_docstrings(source: str) -> None:
    tree = ast.parse((ROOT / source).read_text(encoding="utf-8"))
    module = importlib.import_module(module_name(source))
    written = {
        node.name: text
        for node in tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node))
    }
    kept = {name: inspect.getdoc(getattr(module, name)) for name in written}
    for name, text in kept.items():
        # Of named tuples and enums mypyc keeps none; they are not for users.
        assert text in (written[name], "mypyc filler docstring"), name


def test_what_a_node_holds_cannot_be_changed() -> None:
    node = literal("a")
    with pytest.raises(AttributeError):
        node.data = b"b"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        node.other = 1  # type: ignore[attr-defined]
