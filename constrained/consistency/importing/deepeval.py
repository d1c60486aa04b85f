"""DeepEval's test runs (``test_run_*.json``): test cases x runs, one prompt per run."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from constrained.consistency.importing.asked import check_one_measure
from constrained.consistency.importing.fields import (
    as_written_by,
    field_at,
    flat,
    gold_at,
    text_of,
)
from constrained.consistency.importing.files import check_once, read_json
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.gathering import Advice, gather
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.judgements import Judgement
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_in, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["read_deepeval"]

ADVICE = Advice(
    "tell the runs apart with prompts=[...] or variants=[...], one name per test run",
    "test case",
    "additionalMetadata.id",
)

COUNTED = re.compile(r"test_case_[0-9]+")
"""How DeepEval names a test case without a name."""

ASKED = ("input", "expectedOutput", "context", "retrievalContext", "toolsCalled", "expectedTools")
"""Fields of a test case that the model or the metric was given."""

STRICT = ("strictMode",)
"""Fields of a metric that change its scores."""


@as_written_by("DeepEval")
def read_deepeval(
    *paths: str | Path,
    prompts: Sequence[str] = (),
    variants: Sequence[str] = (),
    metric: str = "",
    item: str = "",
    spec: Any = None,
    field: str = "",
    gold: str = "",
    scale: Collection[Score] = (),
    ignore: Sequence[str] = (),
) -> Imported:
    """Scores from the test runs that DeepEval writes into ``DEEPEVAL_RESULTS_FOLDER``.

    Test cases are items, each run is a prompt (its identifier, else its file's name; `prompts`
    names them instead), the metric's model is the variant (or what `variants` names, one per run).
    Cases of one name in one run are draws, and so are those of two runs of one name, when they
    asked the same (names in `ignore` may differ). `metric` chooses among several metrics; with a
    `spec` the score is read out of the actual output instead. `item` and `gold` are fields of a
    case, for example ``expectedOutput`` or ``metadata.gold``. Cases without a name are numbered by
    DeepEval, so equal numbers need equal inputs, unless `item` says what names a case.

    A metric that ended in an error has no score and is a failure. Raises `RecordError`.

    >>> read_deepeval("plain.json", "strict.json", gold="expectedOutput")  # doctest: +SKIP
    """
    check_once(paths)
    for given, what in ((prompts, "prompts"), (variants, "variants")):
        if given and len(given) != len(paths):
            raise RecordError(f"{len(given)} {what} for {len(paths)} test runs; name one for each")
    reader = format_of(spec)
    judgements: list[Judgement] = []
    used: list[tuple[str, str]] = []
    notes: list[str] = []
    for number, path in enumerate(paths):
        run = read_json(path)
        cases = run.get("testCases") if isinstance(run, dict) else None
        if not isinstance(cases, list):
            raise RecordError(f"{path}: not a test run of DeepEval (there is no list testCases)")
        name = prompts[number] if prompts else text_of(run.get("identifier")) or Path(path).stem
        settings = dict(flat(run.get("hyperparameters"), "hyperparameters"))
        chosen = "" if reader else _chosen(path, cases, metric)
        used.append((str(path), chosen))
        if talks := run.get("conversationalTestCases"):
            notes.append(f"{path}: {len(talks)} conversations are left out; test cases are read")
        judgements += [
            replace(
                one,
                address=replace(one.address, variant=variants[number]) if variants else one.address,
                settings=settings,
            )
            for one in _judgements(path, cases, name, chosen, item, reader, field, gold)
        ]
    check_one_measure("metric", used, ignore)
    return gather(
        judgements,
        ", ".join(map(str, paths)),
        advice=ADVICE,
        scale=scale,
        notes=notes,
        ignore=[name for name in ignore if name != "metric"],
    )


def _chosen(path: str | Path, cases: Sequence[Any], metric: str) -> str:
    """The metric to use: the one asked for, or the only one; each case has it once."""
    metrics: set[str] = set()
    for number, case in enumerate(cases):
        names = [text_of(data.get("name")) for data in case.get("metricsData") or ()]
        metrics |= set(names)
        twice = [name for name in names if names.count(name) > 1 and name == (metric or name)]
        if twice:
            raise RecordError(
                f"{path}: test case {number}: two metrics are called {twice[0]!r}; nothing says "
                "which one to use"
            )
    if metric and metric not in metrics:
        raise RecordError(f"{path}: there is no metric {metric!r} (there are {sorted(metrics)})")
    if not metric and len(metrics) > 1:
        raise RecordError(f"{path}: choose one of the metrics {sorted(metrics)} with metric=...")
    return metric or "".join(metrics)


def _judgements(
    path: str | Path,
    cases: Sequence[Any],
    prompt: str,
    metric: str,
    item: str,
    spec: Spec[Any] | None,
    field: str,
    gold: str,
) -> Iterator[Judgement]:
    for number, case in enumerate(cases):
        where = f"{path}: test case {number}"
        raw = field_at(case, item or "name")
        name = text_of(raw).strip()
        if not name:
            raise RecordError(f"{where}: there is no {item or 'name'!r} to name the item by")
        said = text_of(case.get("actualOutput"))
        data = _metric(case, metric)
        score, failure = read_score(spec, said, field=field) if spec else _score(data)
        variant = text_of(data.get("evaluationModel")) or "model"
        yield Judgement(
            where,
            Address(name, prompt, variant=variant),
            score,
            failure,
            said,
            gold=gold_at(where, case, gold),
            prompt_text=text_of(case.get("input")),
            asked={
                **{one: case.get(one) for one in ASKED},
                **{f"metric.{one}": data.get(one) for one in STRICT if spec is None},
            },
            subject="" if item or not COUNTED.fullmatch(name) else text_of(case.get("input")),
            written=raw,
        )


def _metric(case: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    """What the metric says of a case; empty when it says nothing."""
    found = [d for d in case.get("metricsData") or () if not metric or d.get("name") == metric]
    return found[0] if found else {}


def _score(data: Mapping[str, Any]) -> tuple[Score | None, str]:
    if data.get("error"):
        return None, f"the metric ended in an error: {text_of(data['error'])[:200]}"
    number = number_in(data.get("score"))
    return (number, "") if number is not None else (None, "no score")
