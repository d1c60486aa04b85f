"""Imports only go up: the rooms of docs/explanation/seams.md, read from the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import constrained

ROOT = Path(constrained.__file__).parent

ROOMS = [
    {"arguments", "errors", "limits", "collection", "files", "packages", "visible"},
    {"grammar"},
    {"_core"},
    {"marks", "mistral", "tokenizers", "vocabulary", "chat"},
    {"engine"},
    {"spec"},
    {"testing"},
    {"models", "generation"},
    {"prompts"},
    {"model_check"},
    {"consistency"},
    {"adapters"},
    {"demo"},
    {"cli"},
]
"""From the bottom to the top: a room imports from those before it, and from itself."""

ALLOWED: dict[tuple[str, str], str] = {}
"""(importing module, imported room): why it may go down the order, inside a function."""

CONSISTENCY = [
    {"bounds", "records", "statistics"},
    {"scores"},
    {"pairwise"},
    {"plan"},
    {"store"},
    {"scoring"},
    {"endpoint"},
    {"run"},
    {"importing"},
    {"analysis"},
    {"report"},
]
"""The same inside `constrained.consistency`; what is not listed may import all of them."""

HEAVY = {"pydantic", "rich", "safetensors", "torch", "transformers", "typer"}
LOADED_LATE = ("constrained.spec.pydantic", "constrained.spec.typed")
"""Modules of light rooms that are themselves loaded when first used."""
LIGHT_ROOMS = {name for room in ROOMS[:7] for name in room}


@dataclass(frozen=True)
class Import:
    """`module` imports `target`; `lazy`: inside a function, or for type checkers only."""

    module: str
    target: str
    lazy: bool
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    module = module_name(path)

    def visit(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(module, alias.name, lazy, child.lineno)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}:{child.lineno}: imports are absolute"
                for alias in child.names:  # `from constrained import engine` names a module too
                    whole = child.module == "constrained"
                    target = f"constrained.{alias.name}" if whole else str(child.module)
                    yield Import(module, target, lazy, child.lineno)
            inner = lazy or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            yield from visit(child, inner or checking)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), False)


IMPORTS = [found for path in sorted(ROOT.rglob("*.py")) for found in imports_of(path)]


def room_of(module: str) -> str | None:
    """The room of a module; None outside the package and for the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "constrained" and len(parts) > 1 else None


def rank(room: str) -> int:
    return next((i for i, rooms in enumerate(ROOMS) if room in rooms), -1)


def test_every_module_has_a_room() -> None:
    rooms = {room_of(module_name(path)) for path in ROOT.rglob("*.py")} - {None}
    assert {room for room in rooms if rank(str(room)) < 0} == set()


def test_imports_only_go_up() -> None:
    wrong = []
    for found in IMPORTS:
        room, target = room_of(found.module), room_of(found.target)
        if room is None or target is None or rank(target) <= rank(room):
            continue
        if not (found.lazy and (found.module, target) in ALLOWED):
            wrong.append(str(found))
    assert wrong == []


def step_of(module: str) -> int:
    """The place of a module of `constrained.consistency` in `CONSISTENCY`; -1: outside of it."""
    parts = module.split(".")
    if parts[:2] != ["constrained", "consistency"] or len(parts) < 3:
        return -1
    found = (place for place, names in enumerate(CONSISTENCY) if parts[2] in names)
    return next(found, len(CONSISTENCY))


def test_imports_inside_consistency_only_go_up() -> None:
    wrong = [str(found) for found in IMPORTS if step_of(found.target) > step_of(found.module) >= 0]
    assert wrong == []
    seen = {found.module.split(".")[2] for found in IMPORTS if step_of(found.module) >= 0}
    assert {name for names in CONSISTENCY for name in names} <= seen


def test_every_exception_is_needed() -> None:
    used = {(found.module, room_of(found.target)) for found in IMPORTS if found.lazy}
    assert set(ALLOWED) <= used


def test_the_package_itself_is_imported_by_nobody_inside() -> None:
    inside = [str(i) for i in IMPORTS if i.target == "constrained" and room_of(i.module) != "cli"]
    assert inside == []


def test_light_rooms_load_nothing_heavy() -> None:
    wrong = [
        str(found)
        for found in IMPORTS
        if found.target.split(".")[0] in HEAVY
        and not found.lazy
        and room_of(found.module) in LIGHT_ROOMS | {None}
        and not found.module.startswith(LOADED_LATE)
    ]
    assert wrong == []


@pytest.mark.parametrize("statement", ["import constrained", "from constrained.spec import json"])
def test_importing_the_package_needs_numpy_only(statement: str) -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in sorted(HEAVY))
    code = f"import sys; {blocked}; {statement}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
