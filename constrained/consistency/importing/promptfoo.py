"""promptfoo results (``-o results.json`` or ``.jsonl``): tests x prompts x providers, with repeats.

promptfoo gives every repeat of a test a number of its own, so what a test *is* (its variables and
description) says which item it is, and the repeats become the draws of one cell.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from constrained.consistency.importing.files import (
    as_written_by,
    field_at,
    gold_at,
    read_json,
    read_lines,
    short_name,
    text_of,
)
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.imported import Imported, Judgement, gather
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_of, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["read_promptfoo"]

VERSIONS = (3, 4)

ERROR = 2
"""`failureReason` of a result that is an error, not a failed assertion."""

BROKEN = ("Custom function threw error", "Python code execution failed", "Could not extract JSON")
"""How promptfoo begins the reason when it was the grader that failed. It writes the score 0."""


@as_written_by("promptfoo")
def read_promptfoo(
    path: str | Path,
    *,
    score: str = "",
    item: str = "",
    spec: Any = None,
    field: str = "",
    gold: str = "",
    scale: Collection[Score] = (),
) -> Imported:
    """Scores from the JSON or JSON Lines that promptfoo writes (results version 3).

    Prompts are prompts (by label), providers are variants, repeats are draws. The score is that of
    the whole result, from 0 to 1; `score` names a metric (``namedScores``) instead, and with a
    `spec` it is read out of the provider's output. The item is named by the test's description,
    else by its variables; `item` and `gold` say where to look instead, for example ``vars.id``.
    `scale` are the scores that are possible.

    An error of the provider, a grader that failed and an output that does not match are failures;
    promptfoo itself writes 0 for some of them. Raises `RecordError` with the place of what is
    not such a file, and when two different tests have one name.

    >>> read_promptfoo("results.json", gold="vars.gold")  # doctest: +SKIP
    """
    reader = format_of(spec)
    results = sorted(_results(path), key=lambda found: found[1].get("testIdx", 0))
    tests: dict[str, str] = {}
    judgements = []
    for where, result in results:
        name = _item(where, result, item)
        test = json.dumps(result.get("testCase"), sort_keys=True)
        if tests.setdefault(name, test) != test:
            raise RecordError(
                f"{where}: two different tests are called {name!r}; choose with item= what tells "
                "them apart, for example item='vars.id'"
            )
        judgements.append(_judgement(where, result, name, score, reader, field, gold))
    return gather(judgements, str(path), scale=scale)


def _results(path: str | Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every result with its place."""
    if Path(path).suffix == ".jsonl":
        yield from read_lines(path)
        return
    whole = read_json(path)
    summary = whole.get("results") if isinstance(whole, dict) else None
    listed = summary.get("results") if isinstance(summary, dict) else None
    if not isinstance(summary, dict) or not isinstance(listed, list):
        raise RecordError(f"{path}: not results of promptfoo (there is no list results.results)")
    if summary.get("version") not in VERSIONS:
        raise RecordError(
            f"{path}: results of version {summary.get('version')}; version 3 is read (export the "
            "evaluation again with a promptfoo of 2025 or later)"
        )
    for number, result in enumerate(listed):
        if not isinstance(result, dict):
            raise RecordError(f"{path}: result {number} is not an object")
        yield f"{path}: result {number}", result


def _item(where: str, result: Mapping[str, Any], item: str) -> str:
    if item:
        name = text_of(field_at(result, item)).strip()
        if not name:
            raise RecordError(f"{where}: there is no {item!r} to name the item by")
        return name
    description = text_of(field_at(result, "testCase.description")).strip()
    variables = result.get("vars") or {}
    alone = next(iter(variables.values())) if len(variables) == 1 else variables
    return description or short_name(text_of(alone)) or "test"


def _judgement(
    where: str,
    result: Mapping[str, Any],
    item: str,
    metric: str,
    spec: Spec[Any] | None,
    field: str,
    gold: str,
) -> Judgement:
    provider = result.get("provider") or {}
    said = text_of(field_at(result, "response.output"))
    score, failure = _score(where, result, metric, spec, field, said)
    return Judgement(
        where,
        Address(
            item,
            short_name(text_of(field_at(result, "prompt.label"))) or "prompt",
            variant=text_of(provider.get("label") or provider.get("id")) or "model",
        ),
        score,
        failure,
        said,
        gold=gold_at(where, result, gold),
        prompt_text=text_of(field_at(result, "prompt.raw")),
    )


def _score(
    where: str,
    result: Mapping[str, Any],
    metric: str,
    spec: Spec[Any] | None,
    field: str,
    said: str,
) -> tuple[Score | None, str]:
    if result.get("failureReason") == ERROR or field_at(result, "response.error"):
        error = text_of(result.get("error") or field_at(result, "response.error"))
        return None, f"an error: {error[:200]}"
    if spec is not None:
        return read_score(spec, said, field=field)
    grading = result.get("gradingResult") or {}
    for part in (grading, *(grading.get("componentResults") or ())):
        reason = text_of(part.get("reason"))
        if field_at(part, "metadata.graderError") is True or reason.startswith(BROKEN):
            return None, f"the grader failed: {reason.splitlines()[0][:200] if reason else ''}"
    named = result.get("namedScores") or {}
    if metric and metric not in named:
        raise RecordError(f"{where}: there is no metric {metric!r} (there are {sorted(named)})")
    number = number_of(named[metric] if metric else result.get("score"))
    return (number, "") if number is not None else (None, "no score")
