"""promptfoo's result files, opened: JSON, YAML, JSON Lines and CSV as results of one shape."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from constrained.consistency.importing.fields import field_at
from constrained.consistency.importing.files import (
    csv_problem,
    open_text,
    read_json,
    read_lines,
    read_yaml,
)
from constrained.errors import RecordError

__all__ = ["ERROR", "Results", "header_of", "is_promptfoo_header", "open_results"]

VERSIONS = (3, 4)

ERROR = 2
"""`failureReason` of a result that is an error, not a failed assertion."""

STATUS, SCORE, REASON, NAMED = "Status", "Score", "Grader Reason", "Named Scores"
"""Columns of a CSV file that follow each column of outputs."""


SHARED = ("env", "defaultTest", "nunjucksFilters", "extensions")
"""Parts of a configuration that all of its prompts are asked with."""


@dataclass(slots=True)
class Results:
    """The results of one file with their places, and what the file says of its columns.

    A column is a prompt x provider. `templates` are the prompts before variables were filled in,
    `providers` the settings of each column's provider; each by column, where the file has it.
    `shared` are the settings of the whole evaluation.
    """

    path: str
    evaluation: str = ""
    listed: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    templates: dict[int, str] = field(default_factory=dict)
    providers: dict[int, Any] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def open_results(path: str | Path) -> Results:
    """The results in a file; which kind it is says its ending."""
    suffix = Path(path).suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return Results(
            str(path), listed=[(f"{path}:{line}", row) for line, row in read_lines(path)]
        )
    if suffix == ".csv":
        return _table(path)
    return _evaluation(path, read_yaml(path) if suffix in (".yaml", ".yml") else read_json(path))


def _evaluation(path: str | Path, whole: Any) -> Results:
    """The results in a value with everything that promptfoo says of an evaluation."""
    summary = whole.get("results") if isinstance(whole, dict) else None
    listed = summary.get("results") if isinstance(summary, dict) else None
    if not isinstance(summary, dict) or not isinstance(listed, list):
        raise RecordError(f"{path}: not results of promptfoo (there is no list results.results)")
    if summary.get("version") not in VERSIONS:
        raise RecordError(
            f"{path}: results of version {summary.get('version')!r:.20}; version 3 is read (export "
            "the evaluation again with a promptfoo of 2025 or later)"
        )
    found = Results(str(path), str(whole.get("evalId") or ""))
    for number, result in enumerate(listed):
        if not isinstance(result, dict):
            raise RecordError(f"{path}: result {number} is not an object")
        found.listed.append((f"{path}: result {number}", result))
    columns = summary.get("prompts") or []
    found.templates = {n: column.get("raw") for n, column in enumerate(columns)}
    config = whole.get("config") or {}
    if isinstance(config, dict):
        found.shared = {name: config[name] for name in SHARED if name in config}
    configured = field_at(whole, "config.providers")
    if isinstance(configured, list) and configured and len(columns) % len(configured) == 0:
        prompts = len(columns) // len(configured)  # columns come provider by provider
        found.providers = {n: configured[n // prompts] for n in range(len(columns))}
    return found


def header_of(path: str | Path) -> list[str]:
    """The first line of a CSV file; empty where there is none that can be read as CSV."""
    with open_text(path) as file:
        try:
            return next(csv.reader(file), [])
        except csv.Error:
            return []


def is_promptfoo_header(header: Sequence[str]) -> bool:
    """Whether a CSV file with this header line is promptfoo's."""
    return {STATUS, SCORE, REASON} <= set(header)


def _table(path: str | Path) -> Results:
    """The results in a CSV file: a row for each test, some columns for each prompt x provider."""
    found = Results(str(path))
    with open_text(path) as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            if not is_promptfoo_header(header):
                raise RecordError(
                    f"{path}: not results of promptfoo (there are no columns {STATUS}, {SCORE} and "
                    f"{REASON}; write results.json instead)"
                )
            starts = [place - 1 for place, name in enumerate(header) if name == STATUS]
            for number, row in enumerate(reader):
                if len(row) != len(header):
                    raise RecordError(
                        f"{path}:{reader.line_num}: {len(row)} cells under {len(header)} columns"
                    )
                found.listed += _row(f"{path}:{reader.line_num}", header, row, starts, number)
        except csv.Error as error:
            raise csv_problem(f"{path}:{reader.line_num}", error) from error
    found.notes.append(
        f"{path}: promptfoo rounds scores to two decimals in CSV; results.json has them whole"
    )
    return found


def _row(
    where: str, header: Sequence[str], row: Sequence[str], starts: Sequence[int], number: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The results of one test, in the shape that they have in JSON."""
    head = dict(zip(header[: starts[0]], row, strict=False))
    description = head.pop("Description", "")
    for column, start in enumerate(starts):
        last = starts[column + 1] if column + 1 < len(starts) else len(header)
        cells = dict(zip(header[start + 1 : last], row[start + 1 : last], strict=True))
        provider, _, label = header[start].removeprefix("[").partition("] ")
        yield (
            f"{where} (column {start + 1})",
            {
                "promptIdx": column,
                "testIdx": number,
                "provider": {"id": provider},
                "prompt": {"label": label},
                "vars": head,
                "testCase": {"description": description, "vars": head},
                "response": {"output": row[start]},
                "score": cells[SCORE],
                "namedScores": _named(where, cells.get(NAMED, "")),
                "gradingResult": {"reason": cells.get(REASON, "")},
                "failureReason": ERROR if cells[STATUS] == "ERROR" else 0,
                "error": row[start] if cells[STATUS] == "ERROR" else "",
            },
        )


def _named(where: str, text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: {NAMED} is not JSON") from error
