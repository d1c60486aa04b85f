"""Inspect logs (``.eval`` and ``.json``): samples x epochs, one prompt per task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from constrained.consistency.importing.asked import agree, check_one_measure
from constrained.consistency.importing.fields import (
    as_written_by,
    field_at,
    flat,
    text_of,
)
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.gathering import Advice, gather
from constrained.consistency.importing.grades import Grades
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.inspect_files import Log, Sample, open_log
from constrained.consistency.importing.judgements import Judgement
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_of, read_score, score_of
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["read_inspect"]

REMEDY = (
    "tell them apart with prompts=[...] or variants=[...], one name per log, or say that it may "
    "differ with ignore=[...]"
)

IDLE = frozenset(
    {
        "adaptive_connections",
        "attempt_timeout",
        "batch",
        "cache",
        "logprobs",
        "max_connections",
        "max_retries",
        "seed",
        "temperature",
        "timeout",
        "top_logprobs",
    }
)
"""Settings of a generation that change no answer, those that draws differ in, and the facet."""

SCRIPTED = "custom_outputs"
"""The argument of Inspect's mock model that holds its answers: no setting."""


ADVICE = Advice(REMEDY, "sample", "metadata.essay")


@as_written_by("Inspect")
def read_inspect(
    *paths: str | Path,
    prompts: Sequence[str] = (),
    variants: Sequence[str] = (),
    scorer: str = "",
    item: str = "",
    spec: Any = None,
    field: str = "",
    gold: str = "",
    scale: Collection[Score] = (),
    options: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
) -> Imported:
    """Scores from logs of Inspect (inspect_ai), format version 2.

    Samples are items, epochs are draws, the model is the variant, and a log's task with its
    arguments is the prompt; `prompts` and `variants` name them instead, one per path. Two logs of
    one task, prompt and model that asked the same add up: the second's epochs are further draws. A
    log and its retries are one: a sample counts once, as the newest log has it.

    Logs that asked in different ways (solver, system message, sampling, server, the sample's own
    text, the grader) under one prompt and variant are refused by the name of what differs; names in
    `ignore` may differ. Samples without ids are numbered by Inspect, so equal numbers need equal
    inputs, unless `item` says which field names a sample (``id``, ``metadata.essay``).

    `scorer` chooses among several scorers; of a score that is an object, `field` is the part to
    use. Letters count as Inspect counts them (C 1, P 0.5, I 0), or as `options` says; other letters
    (grades from A to E) need it: ``{"A": 4, "B": 3}``. With a `spec` the score is read out of the
    model's answer instead. `gold` says where the gold score stands: ``target`` or
    ``metadata.NAME``. `scale` are the scores that are possible.

    A sample that ended in an error, has no score, NaN or no answer is a failure; one that was
    invalidated is left out, with a note. A log that did not finish is read as far as it goes, with
    a note. Raises `RecordError`, and `MissingPackage` for newer ``.eval`` files (Zstandard) without
    pyarrow.

    >>> read_inspect("logs/plain.eval", "logs/strict.eval", gold="target")  # doctest: +SKIP
    """
    for given, what in ((prompts, "prompts"), (variants, "variants")):
        if given and len(given) != len(paths):
            raise RecordError(f"{len(given)} {what} for {len(paths)} logs; name one for each")
    reader = format_of(spec)
    logs = [open_log(path, item, gold) for path in paths]
    _check_different(logs)
    for number, log in enumerate(logs):
        log.prompt = prompts[number] if prompts else _prompt(log.header)
        log.variant = variants[number] if variants else _model(log.header)
        log.settings = _settings(log.header, scorer, reader is None)
    left_out = [note for log in logs for note in log.leave_invalid_out()]
    left_out += _once(logs, ignore)
    if reader is None:
        for log in logs:
            log.scorer = _scorer(log, scorer)
        check_one_measure("scorer", ((log.path, log.scorer) for log in logs), ignore)
    grades = Grades(options or {})
    if reader is None:
        grades.look_at(
            (sample.where, field_part(sample.scores.get(log.scorer), field))
            for log in logs
            for sample in log.samples
        )
    judgements = list(_drawn(logs, reader, field, grades, bool(item)))
    notes = [note for log in logs for note in _notes(log)] + left_out + grades.notes
    return gather(
        judgements,
        ", ".join(map(str, paths)),
        advice=ADVICE,
        scale=scale,
        notes=notes,
        ignore=[name for name in ignore if name != "scorer"],
    )


def _prompt(header: Mapping[str, Any]) -> str:
    """A log's task with the arguments that it was given."""
    run = header["eval"]
    given = run.get("task_args_passed", run.get("task_args")) or {}
    arguments = ", ".join(f"{name}={text_of(value)}" for name, value in sorted(given.items()))
    task = str(run.get("task_display_name") or run.get("task") or "task")
    return f"{task}({arguments})" if arguments else task


def _model(header: Mapping[str, Any]) -> str:
    return text_of(header["eval"].get("model")) or "model"


def _generation(header: Mapping[str, Any]) -> dict[str, Any]:
    """How the model was told to generate; the plan's settings are the last word."""
    return {
        **(field_at(header, "eval.model_generate_config") or {}),
        **(field_at(header, "plan.config") or {}),
    }


def _settings(header: Mapping[str, Any], scorer: str, scored: bool) -> dict[str, Any]:
    """Everything that a whole log asked with, by name."""
    run = header["eval"]
    generation = _generation(header)
    parts: dict[str, Any] = {
        "": {name: value for name, value in generation.items() if name not in IDLE},
        "model": run.get("model"),
        "base_url": run.get("model_base_url"),
        "model_args": {k: v for k, v in (run.get("model_args") or {}).items() if k != SCRIPTED},
        "model_roles": run.get("model_roles"),
        "task_file": run.get("task_file"),
        "task_version": run.get("task_version"),
        "dataset": {"name": field_at(run, "dataset.name")},
        "task_args": run.get("task_args"),
        "sandbox": run.get("sandbox"),
        "approval": field_at(run, "config.approval"),
        "limits": {k: v for k, v in (run.get("config") or {}).items() if k.endswith("_limit")},
        "solver_name": run.get("solver"),
        "solver_args": run.get("solver_args"),
        "solver": [
            {"name": step.get("solver"), "params": step.get("params")}
            for step in field_at(header, "plan.steps") or ()
        ],
        "finish": {
            "name": field_at(header, "plan.finish.solver"),
            "params": field_at(header, "plan.finish.params"),
        },
        "temperature": number_of(generation.get("temperature")),
    }
    if scored:
        parts["scorer"] = {
            text_of(one.get("name")): one.get("options")
            for one in run.get("scorers") or ()
            if not scorer or one.get("name") == scorer
        }
    return {name: value for part, given in parts.items() for name, value in flat(given, part)}


def _check_different(logs: Sequence[Log]) -> None:
    """Every log is of an evaluation of its own."""
    seen: dict[str, str] = {}
    for log in logs:
        run = log.header["eval"]
        identity = text_of(run.get("eval_id")) or log.path
        if identity in seen:
            raise RecordError(f"{log.path}: the same evaluation as {seen[identity]}; pass one")
        seen[identity] = log.path


def _once(logs: Sequence[Log], ignore: Collection[str]) -> list[str]:
    """Leave out what newer logs of one prompt and variant hold as well: retries take samples over.

    Samples of one `uuid` are one; so are those of one number and epoch in logs of one task run
    (a retry keeps its `task_id`), where a retry replaces what failed.
    """
    notes = []
    seen: dict[Any, tuple[Log, Sample]] = {}
    for log in sorted(logs, key=lambda log: log.created, reverse=True):
        kept = []
        for sample in log.samples:
            room = (log.prompt, log.variant)
            keys = [(*room, "uuid", sample.uuid)] if sample.uuid else []
            if log.task_id:
                keys.append((*room, log.task_id, f"{sample.number!r} {sample.epoch}"))
            newer = next((seen[key] for key in keys if key in seen), None)
            if newer is None or newer[0] is log:
                kept.append(sample)
                seen |= dict.fromkeys(keys, (log, sample))
            else:
                _same_run(log, sample, *newer, ignore)
        if len(kept) < len(log.samples):
            notes.append(
                f"{log.path}: {len(log.samples) - len(kept)} of its samples stand in a later log "
                "of the same run as well; they count once"
            )
        log.samples = kept
    return notes


def _same_run(log: Log, sample: Sample, newer: Log, again: Sample, ignore: Collection[str]) -> None:
    """`RecordError` when a sample that stands in two logs was asked differently in one of them."""
    one, other = {**log.settings, **sample.asked}, {**newer.settings, **again.asked}
    for name in dict.fromkeys((*one, *other)):
        if name not in ignore:
            agree(name, one.get(name), sample.where, other.get(name), again.where, REMEDY)


def _notes(log: Log) -> Iterator[str]:
    status = log.header.get("status", "started")
    if status != "success":
        yield f"{log.path}: the evaluation has the status {status!r}; what it has is read"
    expected = field_at(log.header, "results.total_samples")
    if isinstance(expected, int) and expected != log.found:
        yield f"{log.path}: {log.found} of {expected} samples are in the log"


def _drawn(
    logs: Iterable[Log], spec: Spec[Any] | None, field: str, grades: Grades, named: bool
) -> Iterator[Judgement]:
    """The judgements of all logs; the draws of runs that asked the same go on counting."""
    runs: dict[str, list[Log]] = defaultdict(list)
    for log in logs:
        runs[log.task_id or log.path].append(log)
    taken: dict[Address, int] = {}
    for run in runs.values():
        found = [one for log in run for one in _judgements(log, spec, field, grades, named)]
        found = [replace(one, draw=taken.get(one.address, 0) + (one.draw or 0)) for one in found]
        for one in found:
            taken[one.address] = max(taken.get(one.address, 0), (one.draw or 0) + 1)
        yield from found


def _judgements(
    log: Log, spec: Spec[Any] | None, field: str, grades: Grades, named: bool
) -> Iterator[Judgement]:
    temperature = number_of(_generation(log.header).get("temperature"))
    for sample in log.samples:
        if sample.error:
            score, failure = None, f"the sample ended in an error: {sample.error[:200]}"
        elif spec is not None:
            score, failure = read_score(spec, sample.text, field=field)
        else:
            score, failure = _value(field_part(sample.scores.get(log.scorer), field), grades)
        yield Judgement(
            sample.where,
            Address(
                sample.name,
                log.prompt,
                variant=log.variant,
                temperature=1.0 if temperature is None else temperature,
            ),
            score,
            failure,
            sample.text,
            sample.epoch - 1,
            sample.gold,
            sample.prompt_text,
            settings=log.settings,
            asked=sample.asked,
            subject="" if named or not sample.counted else sample.subject,
            written=sample.number,
        )


def _scorer(log: Log, scorer: str) -> str:
    """The scorer to use: the one asked for, or the only one."""
    names = sorted({name for sample in log.samples for name in sample.scores})
    if scorer and names and scorer not in names:
        raise RecordError(f"{log.path}: there is no scorer {scorer!r} (there are {names})")
    if not scorer and len(names) > 1:
        raise RecordError(f"{log.path}: choose one of the scorers {names} with scorer=...")
    return scorer or "".join(names)


def field_part(value: Any, field: str) -> Any:
    """A score as Inspect writes it, or the part of it that is named."""
    return value.get(field) if isinstance(value, dict) and field else value


def _value(value: Any, grades: Grades) -> tuple[Score | None, str]:
    """The number in a score as Inspect writes it."""
    if value is None:
        return None, "the sample has no score"
    if isinstance(value, str):
        return grades.score(value)
    if value != value:
        return None, "the score is NaN"
    try:
        return score_of(value), ""
    except RecordError as error:
        return None, str(error)
