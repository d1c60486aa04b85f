"""Inspect logs (``.eval`` and ``.json``): samples x epochs, one prompt per task."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from constrained.consistency.importing.archives import read_members
from constrained.consistency.importing.files import (
    as_written_by,
    field_at,
    gold_at,
    read_json,
    text_of,
)
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.imported import Imported, Judgement, gather
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_of, read_score, score_of
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["read_inspect"]

GRADES = {"C": 1.0, "I": 0.0, "P": 0.5}
"""Inspect's letters for correct, incorrect and partly correct; "N" is no answer: a failure."""

VERSION = 2
"""The version of the log format that is read."""


@dataclass(frozen=True, slots=True)
class _Log:
    """One log: its header (without samples) and its samples with their places."""

    path: str
    header: Mapping[str, Any]
    samples: Sequence[tuple[str, Mapping[str, Any]]]


@as_written_by("Inspect")
def read_inspect(
    *paths: str | Path,
    prompts: Sequence[str] = (),
    scorer: str = "",
    spec: Any = None,
    field: str = "",
    gold: str = "",
    scale: Collection[Score] = (),
) -> Imported:
    """Scores from logs of Inspect (inspect_ai), format version 2.

    Samples are items, epochs are draws, the model is the variant, and a log's task with its
    arguments is the prompt; `prompts` names the prompts instead, one per path. Two logs of the same
    task, prompt and model add up: the second's epochs are further draws.

    `scorer` chooses among several scorers; of a score that is an object, `field` is the part to
    use. Letters count as Inspect counts them (C 1, P 0.5, I 0). With a `spec` the score is read out
    of the model's answer instead. `gold` says where the gold score stands: ``target`` or
    ``metadata.NAME``. `scale` are the scores that are possible.

    A sample that ended in an error, has no score, NaN or no answer is a failure. A log that did not
    finish is read as far as it goes, with a note. Raises `RecordError`, and `MissingPackage` for
    newer ``.eval`` files (Zstandard) without pyarrow.

    >>> read_inspect("logs/plain.eval", "logs/strict.eval", gold="target")  # doctest: +SKIP
    """
    if prompts and len(prompts) != len(paths):
        raise RecordError(f"{len(prompts)} prompts for {len(paths)} logs; name one for each")
    logs = [_open(path) for path in paths]
    names = list(prompts) or [_prompt(log.header) for log in logs]
    _check_plans(logs, names)
    reader = format_of(spec)
    judgements: list[Judgement] = []
    taken: dict[Address, int] = {}
    for log, name in zip(logs, names, strict=True):
        found = [
            replace(one, draw=taken.get(one.address, 0) + (one.draw or 0))
            for one in _judgements(log, name, scorer, reader, field, gold)
        ]
        for one in found:
            taken[one.address] = max(taken.get(one.address, 0), (one.draw or 0) + 1)
        judgements += found
    notes = [note for log in logs for note in _notes(log)]
    return gather(judgements, ", ".join(map(str, paths)), scale=scale, notes=notes)


def _open(path: str | Path) -> _Log:
    """A log of either format."""
    if Path(path).suffix == ".eval":
        members = read_members(path, ("header.json", "_journal/start.json", "samples/"))
        parsed = {name: _object(f"{path}: {name}", data) for name, data in members.items()}
        header = parsed.pop("header.json", None) or parsed.get("_journal/start.json")
        parsed.pop("_journal/start.json", None)
        samples = [(f"{path}: {name}", sample) for name, sample in parsed.items()]
    else:
        header = read_json(path)
        listed = header.get("samples") if isinstance(header, dict) else None
        samples = [
            (f"{path}: sample {field_at(s, 'id')} epoch {field_at(s, 'epoch')}", s)
            for s in listed or ()
            if isinstance(s, dict)
        ]
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
        raise RecordError(f"{path}: not a log of Inspect (it has no header)")
    if header.get("version") != VERSION:
        raise RecordError(
            f"{path}: a log of version {header.get('version')}; version {VERSION} is read"
        )
    return _Log(str(path), header, samples)


def _object(where: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: not UTF-8 at byte {error.start}") from error
    value = read_json(where, text)
    if not isinstance(value, dict):
        raise RecordError(f"{where}: not an object")
    return value


def _prompt(header: Mapping[str, Any]) -> str:
    """A log's task with the arguments that it was given."""
    run = header["eval"]
    given = run.get("task_args_passed", run.get("task_args")) or {}
    arguments = ", ".join(f"{name}={text_of(value)}" for name, value in sorted(given.items()))
    task = str(run.get("task_display_name") or run.get("task") or "task")
    return f"{task}({arguments})" if arguments else task


def _check_plans(logs: Sequence[_Log], names: Sequence[str]) -> None:
    """Logs are of different evaluations, and those of one prompt and model ask in one way."""
    seen: dict[str, str] = {}
    asked: dict[tuple[str, str], tuple[str, str]] = {}
    for log, name in zip(logs, names, strict=True):
        run = log.header["eval"]
        identity = str(run.get("eval_id") or run.get("task_id") or log.path)
        if identity in seen:
            raise RecordError(f"{log.path}: the same evaluation as {seen[identity]}; pass one")
        seen[identity] = log.path
        plan = json.dumps(field_at(log.header, "plan.steps"), sort_keys=True)
        first, where = asked.setdefault((name, str(run.get("model"))), (plan, log.path))
        if first != plan:
            raise RecordError(
                f"{log.path}: the task {name!r} of the same model asks in another way than in "
                f"{where}; tell them apart with prompts=[...], one name per log"
            )


def _notes(log: _Log) -> Iterator[str]:
    status = log.header.get("status", "started")
    if status != "success":
        yield f"{log.path}: the evaluation has the status {status!r}; what it has is read"
    expected = field_at(log.header, "results.total_samples")
    if isinstance(expected, int) and expected != len(log.samples):
        yield f"{log.path}: {len(log.samples)} of {expected} samples are in the log"


def _judgements(
    log: _Log, prompt: str, scorer: str, spec: Spec[Any] | None, field: str, gold: str
) -> Iterator[Judgement]:
    if spec is None:
        scorer = _scorer(log, scorer)
    model = str(log.header["eval"].get("model") or "model")
    settings = {
        **(field_at(log.header, "eval.model_generate_config") or {}),
        **(field_at(log.header, "plan.config") or {}),
    }
    temperature = number_of(settings.get("temperature"))
    for where, sample in log.samples:
        text = _attached(sample, field_at(sample, "output.completion") or "")
        error = field_at(sample, "error.message")
        if error:
            score, failure = None, f"the sample ended in an error: {str(error)[:200]}"
        elif spec is not None:
            score, failure = read_score(spec, text, field=field)
        else:
            given = field_at(sample, "scores", {}) or {}
            score, failure = _value(field_at(given.get(scorer) or {}, "value"), field)
        epoch = sample.get("epoch", 1)
        if "id" not in sample or not isinstance(epoch, int) or epoch < 1:
            raise RecordError(f"{where}: the sample has no id, or its epoch is no number from 1 on")
        yield Judgement(
            where,
            Address(
                text_of(sample["id"]),
                prompt,
                variant=model,
                temperature=1.0 if temperature is None else temperature,
            ),
            score,
            failure,
            text,
            epoch - 1,
            gold_at(where, sample, gold),
            _asked(sample),
        )


def _scorer(log: _Log, scorer: str) -> str:
    """The scorer to use: the one asked for, or the only one."""
    names = sorted({name for _, sample in log.samples for name in sample.get("scores") or {}})
    if scorer and names and scorer not in names:
        raise RecordError(f"{log.path}: there is no scorer {scorer!r} (there are {names})")
    if not scorer and len(names) > 1:
        raise RecordError(f"{log.path}: choose one of the scorers {names} with scorer=...")
    return scorer or "".join(names)


def _value(value: Any, field: str) -> tuple[Score | None, str]:
    """A score as Inspect writes it."""
    if isinstance(value, dict) and field:
        value = value.get(field)
    if value is None:
        return None, "the sample has no score"
    if value == "N":
        return None, "no answer"
    if isinstance(value, str):
        if value in GRADES:
            return GRADES[value], ""
        try:
            value = float(value)
        except ValueError:
            return None, f"{value[:60]!r} is not a number"
    if value != value:
        return None, "the score is NaN"
    try:
        return score_of(value), ""
    except RecordError as error:
        return None, str(error)


def _attached(sample: Mapping[str, Any], text: Any) -> str:
    """A text of the log; long ones stand among the sample's attachments."""
    said = text_of(text)
    if said.startswith("attachment://"):
        return text_of(
            (sample.get("attachments") or {}).get(said.removeprefix("attachment://"), said)
        )
    return said


def _asked(sample: Mapping[str, Any]) -> str:
    """What the model was sent before its first answer."""
    sent = []
    for message in sample.get("messages") or ():
        if message.get("role") == "assistant":
            break
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        sent += [_attached(sample, part.get("text")) for part in parts if part.get("text")]
    return "\n\n".join(sent)
