"""lighteval's details (``details_*.parquet``, ``--save-details``): documents x tasks as prompts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
from constrained.consistency.importing.files import check_once
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.gathering import Advice, gather
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.judgements import Judgement
from constrained.consistency.importing.rows import parquet_chunks
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_in, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["COLUMNS", "read_lighteval"]

COLUMNS = frozenset({"doc", "metric", "model_response"})
"""The columns of a file of details."""

ADVICE = Advice(
    "tell the files apart with prompts=[...] or variants=[...], one name per file",
    "document",
    "doc.specific.id",
)

SETTINGS = ("generation_size", "stop_sequences", "num_samples", "use_logits", "generation_grammar")
ASKED = ("query", "instruction", "choices", "unconditioned_query", "fewshot_samples", "images")
"""Parts of a document: how all were asked, and what was asked about one."""


@as_written_by("lighteval")
def read_lighteval(
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
    """Scores from the details that lighteval saves as Parquet.

    Documents are items (by their id), tasks are prompts, and the model is the variant, named by the
    folder that lighteval made for it (``details/MODEL/DATE/``); `prompts` and `variants` name them
    instead, one per file. `metric` chooses among several metrics; with a `spec` the score is read
    out of the answers instead, and the samples of a document are draws. `item` and `gold` are
    fields: ``doc.specific.id``, ``doc.specific.gold``. Ids are often counted, so equal ids need
    equal queries, unless `item` says what names a document. Details do not say how the model was
    set, so two files of one cell are refused (``ignore=["file"]`` says that they are draws).

    Raises `RecordError`, and `MissingPackage` without pyarrow.

    >>> read_lighteval("details_essays_2026-11-22.parquet", metric="grade")  # doctest: +SKIP
    """
    check_once(paths)
    for given, what in ((prompts, "prompts"), (variants, "variants")):
        if given and len(given) != len(paths):
            raise RecordError(f"{len(given)} {what} for {len(paths)} files; name one for each")
    reader = format_of(spec)
    judgements: list[Judgement] = []
    used: list[tuple[str, str]] = []
    for number, path in enumerate(paths):
        rows = list(_rows(path))
        name = metric if reader is not None else _metric(path, rows, metric)
        used.append((str(path), "" if reader is not None else name))
        for where, row in rows:
            doc = row["doc"]
            raw = field_at(row, item or "doc.id")
            if not text_of(raw).strip():
                raise RecordError(f"{where}: there is no {item or 'doc.id'!r} to name the item by")
            prompt = prompts[number] if prompts else text_of(doc.get("task_name")) or "task"
            variant = variants[number] if variants else _model(Path(path))
            address = Address(text_of(raw).strip(), prompt, variant=variant)
            for score, failure, text in _scores(row, name, reader, field):
                judgements.append(
                    Judgement(
                        where,
                        address,
                        score,
                        failure,
                        text,
                        gold=gold_at(where, row, gold),
                        prompt_text=text_of(doc.get("query")),
                        settings=dict(flat({one: doc.get(one) for one in SETTINGS}, "")),
                        asked={
                            **{one: doc.get(one) for one in ASKED},
                            "input": field_at(row, "model_response.input"),
                            "file": str(path),
                        },
                        subject="" if item else text_of(doc.get("query")),
                        written=raw,
                    )
                )
    check_one_measure("metric", used, ignore)
    return gather(
        judgements,
        ", ".join(map(str, paths)),
        advice=ADVICE,
        scale=scale,
        ignore=[name for name in ignore if name != "metric"],
    )


def _rows(path: str | Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for chunk in parquet_chunks(path):
        if not set(chunk.names) >= COLUMNS:
            raise RecordError(
                f"{path}: not details of lighteval (there are no columns "
                f"{', '.join(sorted(COLUMNS))})"
            )
        for place, row in zip(chunk.places, chunk.rows, strict=True):
            yield f"{path}: row {place}", row


def _metric(path: str | Path, rows: Sequence[tuple[str, Mapping[str, Any]]], metric: str) -> str:
    """The metric to use: the one asked for, or the only one."""
    names = sorted({name for _, row in rows for name in row["metric"] or {}})
    if metric and metric not in names:
        raise RecordError(f"{path}: there is no metric {metric!r} (there are {names})")
    if not metric and len(names) != 1:
        raise RecordError(f"{path}: choose one of the metrics {names} with metric=...")
    return metric or names[0]


def _model(path: Path) -> str:
    """The model, by the folders that lighteval makes: ``details/MODEL/DATE/FILE``."""
    folders = path.parts[:-2]
    if "details" in folders:
        last = len(folders) - 1 - folders[::-1].index("details")
        return "/".join(folders[last + 1 :]) or "model"
    return "model"


def _scores(
    row: Mapping[str, Any], metric: str, spec: Spec[Any] | None, field: str
) -> Iterator[tuple[Score | None, str, str]]:
    """(score, failure, text) of a document: one by metric, one for each answer by format."""
    texts = [text_of(text) for text in field_at(row, "model_response.text") or ()]
    if spec is not None:
        for text in texts:
            yield (*read_score(spec, text, field=field), text)
        return
    number = number_in((row["metric"] or {}).get(metric))
    yield number, "" if number is not None else "no score", texts[0] if len(texts) == 1 else ""
