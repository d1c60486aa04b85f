"""Modules that are compiled stand for their sources."""

from __future__ import annotations

import ast
import doctest
import importlib
import runpy
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES: list[str] = runpy.run_path(str(ROOT / "scripts/to_c.py"))["sources"]()

pytestmark = pytest.mark.skipif(
    find_spec("constrained_formats__mypyc") is None, reason="installed without compiled modules"
)


def module_name(source: str) -> str:
    return source.removesuffix(".py").replace("/", ".")


def examples(source: str) -> list[doctest.DocTest]:
    """The examples in a source's docstrings, which functions that are compiled have lost."""
    tree = ast.parse((ROOT / source).read_text(encoding="utf-8"))
    names = vars(importlib.import_module(module_name(source)))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    read = doctest.DocTestParser().get_doctest
    return [read(text, dict(names), source, source, 0) for text in texts if text and ">>>" in text]


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


@pytest.mark.parametrize("source", [source for source in SOURCES if examples(source)])
def test_examples_hold_in_a_compiled_module(source: str) -> None:
    runner = doctest.DocTestRunner()
    failures: list[str] = []
    for example in examples(source):
        runner.run(example, out=failures.append)
    assert not failures, "".join(failures)


def test_many_compiled_modules_have_examples() -> None:
    assert sum(len(test.examples) for source in SOURCES for test in examples(source)) > 10
