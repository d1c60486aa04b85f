"""`read_scores`: files of any kind, told apart by what is in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from constrained.consistency.importing.deepeval import read_deepeval
from constrained.consistency.importing.files import read_json, read_lines, read_yaml
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.inspect_logs import read_inspect
from constrained.consistency.importing.lighteval import COLUMNS, read_lighteval
from constrained.consistency.importing.lm_eval import read_lm_eval
from constrained.consistency.importing.promptfoo import read_promptfoo
from constrained.consistency.importing.promptfoo_files import header_of, is_promptfoo_header
from constrained.consistency.importing.rows import parquet_names
from constrained.consistency.importing.tables import read_csv, read_jsonl, read_parquet
from constrained.errors import MissingPackage, RecordError

__all__ = ["KINDS", "kind_of", "read_scores"]

KINDS: dict[str, Callable[..., Imported]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "inspect": read_inspect,
    "promptfoo": read_promptfoo,
    "lm-eval": read_lm_eval,
    "deepeval": read_deepeval,
    "lighteval": read_lighteval,
}
"""The reader of each kind of file."""

SUFFIXES = {".eval": "inspect", ".tsv": "csv"}


def kind_of(path: str | Path) -> str:
    """Which of `KINDS` a file is; `RecordError` when it is none.

    >>> kind_of("logs/plain.eval")
    'inspect'
    """
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if suffix == ".csv":
        return "promptfoo" if is_promptfoo_header(_names(lambda: header_of(path))) else "csv"
    if suffix == ".parquet":
        return "lighteval" if set(_names(lambda: parquet_names(path))) >= COLUMNS else "parquet"
    if suffix in (".jsonl", ".ndjson"):
        _, row = next(read_lines(path), (0, {}))
        if "promptIdx" in row and "testIdx" in row:
            return "promptfoo"
        return "lm-eval" if "doc_id" in row and "arguments" in row else "jsonl"
    readers = {".json": read_json, ".yaml": read_yaml, ".yml": read_yaml}
    value = readers[suffix](path) if suffix in readers else None
    if isinstance(value, dict):
        results = value.get("results")
        if isinstance(value.get("eval"), dict) and "version" in value:
            return "inspect"
        if isinstance(results, dict) and isinstance(results.get("results"), list):
            return "promptfoo"
        if isinstance(results, dict) and "configs" in value:
            return "lm-eval"
        if isinstance(value.get("testCases"), list):
            return "deepeval"
    raise RecordError(f"{path}: no file of scores that is known; the kinds are {', '.join(KINDS)}")


def _names(read: Callable[[], list[str]]) -> list[str]:
    """The columns of a table; none for one that cannot be read, as its reader will say."""
    try:
        return read()
    except (RecordError, MissingPackage):
        return []


def read_scores(*paths: str | Path, kind: str = "", **options: Any) -> Imported:
    """Scores from files of one kind, told from what is in them unless `kind` names it.

    `options` are those of the kind's reader (`read_csv`, `read_inspect`, ...). Raises
    `RecordError` for options that the reader does not have, and as the readers do.

    >>> read_scores("logs/plain.eval", "logs/strict.eval", gold="target")  # doctest: +SKIP
    """
    if not paths:
        raise RecordError("there is no file to read scores from")
    kinds = {kind} if kind else {kind_of(path) for path in paths}
    if len(kinds) > 1:
        raise RecordError(f"files of several kinds ({', '.join(sorted(kinds))}); import each alone")
    name = kinds.pop()
    if name not in KINDS:
        raise RecordError(f"there is no kind {name!r} of files; the kinds are {', '.join(KINDS)}")
    reader = KINDS[name]
    known = [
        parameter.name
        for parameter in inspect.signature(reader).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    strange = [option for option in options if option not in known]
    if strange:
        raise RecordError(
            f"files of the kind {name} have no option {strange[0]!r} (they have {', '.join(known)})"
        )
    if name == "csv" and all(Path(path).suffix.lower() == ".tsv" for path in paths):
        options = {"delimiter": "\t", **options}
    return reader(*paths, **options)
