"""Samples of the LM Evaluation Harness (``--log_samples``): documents x tasks as prompts."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import Any

from constrained.consistency.importing.fields import (
    as_written_by,
    field_at,
    flat,
    gold_at,
    text_of,
)
from constrained.consistency.importing.files import check_once, read_json, read_lines
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.gathering import Advice, gather
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.judgements import ExactScores, Judgement
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_in, number_of, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["read_lm_eval"]

SAMPLES = re.compile(r"samples_(.+)_(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d+)\.jsonl")
RESULTS = re.compile(r"results_(.+)\.json")

Sample = tuple[str, Mapping[str, Any]]


ADVICE = Advice(
    "tell the runs apart with variant=..., or the tasks with prompts=[...], one name per file",
    "document",
    "doc.id",
)

IDLE = frozenset(
    {
        *("batch_size", "batch_sizes", "device", "use_cache", "limit", "bootstrap_iters"),
        *("random_seed", "numpy_seed", "torch_seed"),
    }
)
"""Settings of a run that change no answer, and those that draws differ in."""

WHOLE = ("system_instruction", "chat_template", "fewshot_as_multiturn")
"""What the results of a run say beside its settings."""

NO_TASK = frozenset({"task", "tag", "metadata", "metric_list"})
"""What they say of a task, its names and measures apart, is how it asked."""


@dataclass(frozen=True, slots=True)
class _File:
    """A samples file; `settings` is what the results beside it say of the run."""

    path: Path
    model: str = "model"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """The task, by the file's name."""
        found = SAMPLES.fullmatch(self.path.name)
        return found[1] if found else self.path.stem


@as_written_by("lm-eval")
def read_lm_eval(
    *paths: str | Path,
    prompts: Sequence[str] = (),
    variant: str = "",
    item: str = "",
    options: Mapping[str, float] | None = None,
    metric: str = "",
    filter_name: str = "",
    spec: Any = None,
    field: str = "",
    gold: str = "",
    scale: Collection[Score] = (),
    ignore: Sequence[str] = (),
) -> Imported:
    """Scores from ``samples_*.jsonl`` files, or from the ``results_*.json`` beside them.

    Documents are items (by ``doc_id``), tasks are prompts (`prompts` names them instead, one per
    samples file), the model is the variant (`variant` names it; a samples file alone does not say).
    `item` and `gold` are fields, dotted for those of the document: ``doc.id``, ``doc.gold``.

    * Multiple choice: options that are numbers are the scores, others are given one by `options`.
      Where every option is one ASCII character the log-likelihoods give the exact distribution,
      under the mask and without. Otherwise the likeliest option is the score, as for the harness's
      own ``acc``: log-likelihoods are of texts that may go on, and of spellings in several tokens.
    * Generated text: every repeat is a draw; the filtered answer has to be a number, or with a
      `spec` the unfiltered one has to match it. `filter_name` chooses where a task has several
      filters; a task with one filter is read by that one, with a note.
    * With `metric` the score is that metric's value of the document. Tasks that measure how likely
      a text is (``loglikelihood``, ``loglikelihood_rolling``) have no other score.

    Raises `RecordError` with file and line, also when a number stands for another document in
    another task, and when draws of one cell were asked in different ways. A samples file alone does
    not say how it asked, so two of one cell are refused (``ignore=["file"]`` says they are draws).

    >>> read_lm_eval("out/results_2026-11-22T11-40-41.802601.json")  # doctest: +SKIP
    """
    check_once(paths)
    files = [found for path in paths for found in _files(path)]
    if prompts and len(prompts) != len(files):
        raise RecordError(f"{len(prompts)} prompts for {len(files)} files of samples")
    reader = format_of(spec)
    judgements: list[Judgement] = []
    notes: list[str] = []
    only: dict[Path, str] = {}
    for number, file in enumerate(files):
        prompt = prompts[number] if prompts else file.task
        samples, filtered = _one_filter(file.path, filter_name)
        if filtered not in ("", filter_name) and filter_name:
            only[file.path] = filtered
        for where, sample in samples:
            raw = field_at(sample, item or "doc_id")
            name = text_of(raw).strip()
            if not name:
                raise RecordError(f"{where}: there is no {item or 'doc_id'!r} to name the item by")
            address = Address(name, prompt, variant=variant or file.model)
            judgements += [
                replace(
                    one,
                    settings={**file.settings, **one.settings},
                    asked=one.asked if file.settings else {**one.asked, "file": str(file.path)},
                    subject="" if item else _document(sample),
                    written=raw,
                )
                for one in _judgements(
                    where, sample, address, options or {}, metric, reader, field, gold
                )
            ]
    if len(only) == len(files):
        raise RecordError(
            f"{files[0].path}: there is no filter {filter_name!r} (there is "
            f"{only[files[0].path]!r} only)"
        )
    notes += [f"{path}: read by its only filter, {name!r}" for path, name in only.items()]
    if any(j.exact and j.exact.local is None for j in judgements):
        notes.append(
            "options of several characters: the likeliest one counts, for log-likelihoods of them "
            "do not say how likely each is under a mask"
        )
    return gather(
        judgements,
        ", ".join(map(str, paths)),
        advice=ADVICE,
        scale=scale,
        notes=notes,
        ignore=ignore,
    )


def _files(path: str | Path) -> list[_File]:
    """The samples files of a path; a results file leads to those of its run."""
    path = Path(path)
    results = RESULTS.fullmatch(path.name)
    if results is None:
        return [_File(path)]
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise RecordError(f"{path}: not results of lm-eval")
    found = sorted(path.parent.glob(f"samples_*_{escape(results[1])}.jsonl"))
    if not found:
        raise RecordError(f"{path}: there are no samples of this run beside it (use --log_samples)")
    config = whole.get("config") or {}
    run = {name: value for name, value in config.items() if name not in IDLE}
    run |= {name: run.get(name) or whole.get(name) for name in WHOLE}
    model = text_of(whole.get("model_name")) or "model"
    files = [_File(samples, model) for samples in found]
    return [
        replace(
            file,
            settings=dict(flat({**run, "task": _task(whole, file.task)}, "")),
        )
        for file in files
    ]


def _task(whole: Mapping[str, Any], task: str) -> dict[str, Any]:
    config = (whole.get("configs") or {}).get(task) or {}
    said = {name: value for name, value in config.items() if name not in NO_TASK}
    return {**said, "version": (whole.get("versions") or {}).get(task)}


def _one_filter(path: Path, wanted: str) -> tuple[list[Sample], str]:
    """The samples of one filter (every filter of a task repeats all documents), and its name.

    A task with one filter has nothing to choose: its name may not be the one `wanted`.
    """
    rows = [(f"{path}:{line}", row) for line, row in read_lines(path)]
    names = sorted({text_of(row.get("filter")) for _, row in rows})
    if len(names) > 1 and wanted not in names:
        problem = (
            f"there is no filter {wanted!r} (there are {names})"
            if wanted
            else (f"choose one of the filters {names} with filter_name=...")
        )
        raise RecordError(f"{path}: {problem}")
    name = wanted if wanted in names else names[0] if names else ""
    return [(where, row) for where, row in rows if text_of(row.get("filter")) == name], name


def _document(sample: Mapping[str, Any]) -> str:
    """What tells a document from another one."""
    return text_of(sample.get("doc_hash") or sample.get("doc"))


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
    """The judgements of one document, without what the run says of them."""
    asked = _asked(where, sample)
    told = asked[0][1] if isinstance(asked[0][1], Mapping) else {}
    temperature = number_of(told.get("temperature"))
    about = Judgement(
        where,
        address if temperature is None else replace(address, temperature=temperature),
        gold=gold_at(where, sample, gold),
        prompt_text=asked[0][0],
        settings=dict(flat(told, "generation")) | {"generation.temperature": temperature},
        asked={
            "prompt": [context for context, _ in asked],
            "options": [text_of(rest) for _, rest in asked if not isinstance(rest, Mapping)],
        },
    )
    if metric:
        if metric not in sample:
            raise RecordError(f"{where}: there is no metric {metric!r}")
        yield replace(about, score=number_in(sample.get(metric)))
        return
    responses = sample.get("filtered_resps")
    if not isinstance(responses, list) or not responses:
        raise RecordError(f"{where}: the sample has no filtered_resps")
    if not isinstance(asked[0][1], Mapping):
        if len(asked) == 1:
            raise RecordError(
                f"{where}: the task measures how likely a text is (loglikelihood), which is no "
                f"score; choose a metric with metric=...{_metrics(sample)}, or leave this file out"
            )
        exact = _choices(where, asked, responses, options)
        best = max(range(len(exact.free)), key=exact.free.__getitem__)
        yield replace(about, score=exact.support[best], exact=exact)
        return
    if len(asked) > 1:
        raise RecordError(
            f"{where}: {len(asked)} texts were generated for one document; choose a metric with "
            f"metric=...{_metrics(sample)}"
        )
    raw = _flat(sample.get("resps"))
    for draw, said in enumerate(raw if spec is not None else _flat(responses)):
        score, failure = _answer(said, spec, field)
        text = raw[draw] if draw < len(raw) else said
        yield replace(about, score=score, failure=failure, text=text, draw=draw)


def _metrics(sample: Mapping[str, Any]) -> str:
    """The metrics of a sample, for an error."""
    names = sample.get("metrics")
    return f" (there are {', '.join(map(str, names))})" if isinstance(names, list) and names else ""


def _answer(said: str, spec: Spec[Any] | None, field: str) -> tuple[Score | None, str]:
    if spec is not None:
        return read_score(spec, said, field=field)
    number = number_in(said)
    return (number, "") if number is not None else (None, f"{said[:60]!r} is not a number")


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
        found = [(*a, None)[:2] for a in arguments if isinstance(a, list) and a]
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
    if len({context for context, _ in asked}) > 1:
        raise RecordError(
            f"{where}: its options were asked after different texts, so their log-likelihoods are "
            "no distribution; choose a metric with metric=..."
        )
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
    value = number_in(response[0]) if isinstance(response, list) and response else None
    if value is None:
        raise RecordError(f"{where}: {response!r:.80} is not a log-likelihood")
    return value


def _option_score(where: str, text: str, options: Mapping[str, float]) -> float:
    if text in options:
        return float(options[text])
    number = number_in(text)
    if number is None:
        raise RecordError(
            f"{where}: the option {text!r} is no number; say what it counts with options="
            f"{{{text!r}: ...}}"
        )
    return number
