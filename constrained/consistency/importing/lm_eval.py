"""Samples of the LM Evaluation Harness (``--log_samples``): documents x tasks as prompts."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from constrained.consistency.importing.files import (
    as_written_by,
    field_at,
    gold_at,
    read_json,
    read_lines,
    text_of,
)
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.imported import ExactScores, Imported, Judgement, gather
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_of, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["read_lm_eval"]

SAMPLES = re.compile(r"samples_(.+)_(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d+)\.jsonl")
RESULTS = re.compile(r"results_(.+)\.json")

Sample = tuple[str, Mapping[str, Any]]


@as_written_by("lm-eval")
def read_lm_eval(
    *paths: str | Path,
    prompts: Sequence[str] = (),
    variant: str = "",
    item: str = "doc_id",
    options: Mapping[str, float] | None = None,
    metric: str = "",
    filter_name: str = "",
    spec: Any = None,
    field: str = "",
    gold: str = "",
    scale: Collection[Score] = (),
) -> Imported:
    """Scores from ``samples_*.jsonl`` files, or from the ``results_*.json`` beside them.

    Documents are items, tasks are prompts (`prompts` names them instead, one per samples file), the
    model is the variant (`variant` names it; a samples file alone does not say). `item` and `gold`
    are fields, dotted for those of the document: ``doc.id``, ``doc.gold``.

    * Multiple choice: options that are numbers are the scores, others are given one by `options`.
      Where every option is one ASCII character the log-likelihoods give the exact distribution,
      under the mask and without. Otherwise the likeliest option is the score, as for the harness's
      own ``acc``: log-likelihoods are of texts that may go on, and of spellings in several tokens.
    * Generated text: every repeat is a draw; the filtered answer has to be a number, or with a
      `spec` the unfiltered one has to match it. `filter_name` chooses among several filters.
    * With `metric` the score is that metric's value of the document.

    Raises `RecordError` with file and line, also when a document is another one in another task.

    >>> read_lm_eval("out/results_2026-11-22T11-40-41.802601.json")  # doctest: +SKIP
    """
    files = [found for path in paths for found in _files(path)]
    if prompts and len(prompts) != len(files):
        raise RecordError(f"{len(prompts)} prompts for {len(files)} files of samples")
    reader = format_of(spec)
    documents: dict[str, tuple[Any, str]] = {}
    judgements: list[Judgement] = []
    for number, (path, model) in enumerate(files):
        found = SAMPLES.fullmatch(path.name)
        prompt = prompts[number] if prompts else found[1] if found else path.stem
        for where, sample in _one_filter(path, filter_name):
            name = text_of(field_at(sample, item)).strip()
            if not name:
                raise RecordError(f"{where}: there is no {item!r} to name the item by")
            _same_document(where, sample, name, documents)
            address = Address(name, prompt, variant=variant or model)
            judgements += _judgements(
                where, sample, address, options or {}, metric, reader, field, gold
            )
    notes = []
    if any(j.exact and j.exact.local is None for j in judgements):
        notes.append(
            "options of several characters: the likeliest one counts, for log-likelihoods of them "
            "do not say how likely each is under a mask"
        )
    return gather(judgements, ", ".join(map(str, paths)), scale=scale, notes=notes)


def _files(path: str | Path) -> list[tuple[Path, str]]:
    """(samples file, model) of a path; the results file leads to the samples of its run."""
    path = Path(path)
    results = RESULTS.fullmatch(path.name)
    if results is None:
        return [(path, "model")]
    whole = read_json(path)
    model = text_of(whole.get("model_name")) if isinstance(whole, dict) else ""
    found = sorted(path.parent.glob(f"samples_*_{results[1]}.jsonl"))
    if not found:
        raise RecordError(f"{path}: there are no samples of this run beside it (use --log_samples)")
    return [(samples, model or "model") for samples in found]


def _one_filter(path: Path, wanted: str) -> Iterator[Sample]:
    """The samples of one filter; every filter of a task repeats all documents."""
    rows = list(read_lines(path))
    names = sorted({text_of(row.get("filter")) for _, row in rows})
    if wanted and wanted not in names:
        raise RecordError(f"{path}: there is no filter {wanted!r} (there are {names})")
    if not wanted and len(names) > 1:
        raise RecordError(f"{path}: choose one of the filters {names} with filter_name=...")
    for where, row in rows:
        if not wanted or text_of(row.get("filter")) == wanted:
            yield where, row


def _same_document(
    where: str, sample: Mapping[str, Any], name: str, documents: dict[str, tuple[Any, str]]
) -> None:
    known, first = documents.setdefault(name, (sample.get("doc_hash"), where))
    if known != sample.get("doc_hash"):
        raise RecordError(
            f"{where}: {name!r} is another document than at {first}; choose with item= what names "
            "a document in every task, for example item='doc.id'"
        )


def _judgements(
    where: str,
    sample: Mapping[str, Any],
    address: Address,
    options: Mapping[str, float],
    metric: str,
    spec: Spec[Any] | None,
    field: str,
    gold: str,
) -> Iterator[Judgement]:
    asked = _asked(where, sample)
    known = gold_at(where, sample, gold)
    if metric:
        value = number_of(sample.get(metric))
        if metric not in sample:
            raise RecordError(f"{where}: there is no metric {metric!r}")
        yield Judgement(where, address, value, gold=known, prompt_text=asked[0][0])
        return
    responses = sample.get("filtered_resps")
    if not isinstance(responses, list) or not responses:
        raise RecordError(f"{where}: the sample has no filtered_resps")
    if len(asked) > 1:
        exact = _choices(where, asked, responses, options)
        best = max(range(len(exact.free)), key=exact.free.__getitem__)
        yield Judgement(
            where,
            address,
            exact.support[best],
            gold=known,
            prompt_text=asked[0][0],
            exact=exact,
        )
        return
    raw = _flat(sample.get("resps"))
    for draw, said in enumerate(raw if spec is not None else _flat(responses)):
        score, failure = _answer(said, spec, field)
        text = raw[draw] if draw < len(raw) else said
        yield Judgement(where, address, score, failure, text, draw, known, asked[0][0])


def _answer(said: str, spec: Spec[Any] | None, field: str) -> tuple[Score | None, str]:
    if spec is not None:
        return read_score(spec, said, field=field)
    try:
        return float(said), ""
    except ValueError:
        return None, f"{said[:60]!r} is not a number"


def _flat(responses: Any) -> list[str]:
    """The answers to one request; a filter that takes the first leaves one."""
    while isinstance(responses, list) and len(responses) == 1 and isinstance(responses[0], list):
        responses = responses[0]
    return [text_of(one) for one in responses] if isinstance(responses, list) else []


def _asked(where: str, sample: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(context, continuation or settings) of each request."""
    arguments = sample.get("arguments")
    if isinstance(arguments, Mapping):
        found = [(a.get("arg_0"), a.get("arg_1")) for a in arguments.values()]
    elif isinstance(arguments, list):
        found = [(a[0], a[1]) for a in arguments if isinstance(a, list) and len(a) > 1]
    else:
        found = []
    if not found:
        raise RecordError(f"{where}: the sample does not say what was asked (arguments)")
    return [(text_of(context), rest) for context, rest in found]


def _choices(
    where: str,
    asked: Sequence[tuple[str, Any]],
    responses: Sequence[Any],
    options: Mapping[str, float],
) -> ExactScores:
    """The distribution over the options of a multiple-choice document."""
    if len(asked) != len(responses):
        raise RecordError(f"{where}: {len(responses)} answers to {len(asked)} options")
    weights: dict[float, float] = {}
    logs = [_logprob(where, response) for response in responses]
    top = max(logs)
    texts = [text_of(continuation).strip() for _, continuation in asked]
    for text, log in zip(texts, logs, strict=True):
        score = _option_score(where, text, options)
        weights[score] = weights.get(score, 0.0) + math.exp(log - top)
    total = math.fsum(weights.values())
    support = tuple(sorted(weights))
    free = tuple(weights[score] / total for score in support)
    single = all(len(text) == 1 and text.isascii() for text in texts) and len(set(texts)) == len(
        texts
    )
    return ExactScores(support, free, free if single else None)


def _logprob(where: str, response: Any) -> float:
    try:
        value = float(response[0])
    except (TypeError, ValueError, IndexError, KeyError):
        value = math.nan
    if not math.isfinite(value):
        raise RecordError(f"{where}: {response!r} is not a log-likelihood")
    return value


def _option_score(where: str, text: str, options: Mapping[str, float]) -> float:
    if text in options:
        return float(options[text])
    try:
        number = number_of(float(text))
    except ValueError:
        number = None
    if number is None:
        raise RecordError(
            f"{where}: the option {text!r} is no number; say what it counts with options="
            f"{{{text!r}: ...}}"
        )
    return number
