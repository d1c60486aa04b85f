"""Inspect's log files, opened: of each sample only what scores need, so that long logs fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from sys import getsizeof
from typing import Any

from constrained.consistency.importing.archives import members_of, read_members
from constrained.consistency.importing.fields import field_at, gold_at, short_name, text_of
from constrained.consistency.importing.files import LARGEST, json_value, read_json
from constrained.consistency.importing.judgements import UNKNOWN
from constrained.errors import RecordError

__all__ = ["Log", "Sample", "open_log"]

VERSION = 2
"""The version of the log format that is read."""

MOST_KEPT = LARGEST // 8
"""Bytes of prompts and answers that are kept of one log."""

HEADERS = ("header.json", "_journal/start.json")
"""The members that say what was run: of a log that is finished, and of one that is not."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a log says of one sample in one epoch.

    `number` is its id as the log has it, `counted` whether Inspect may have counted it, `subject` a
    hash of its input. `scores` are the values by scorer.
    """

    where: str
    name: str
    number: Any
    counted: bool
    epoch: int
    uuid: str
    text: str
    error: str
    scores: Mapping[str, Any]
    gold: float | None
    prompt_text: str
    asked: Mapping[str, Any]
    subject: str
    invalid: str | None


@dataclass(slots=True)
class Log:
    """One log: its header (without samples) and its samples; the rest is decided by the reader."""

    path: str
    header: Mapping[str, Any]
    samples: list[Sample]
    found: int
    prompt: str = ""
    variant: str = ""
    scorer: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task_id(self) -> str:
        """The run of a task; its retries keep it."""
        return text_of(self.header["eval"].get("task_id"))

    @property
    def created(self) -> str:
        """When the evaluation began; ISO 8601, so later is greater."""
        return text_of(self.header["eval"].get("created"))

    def leave_invalid_out(self) -> Iterator[str]:
        """Leave out samples that were invalidated; a note when there are any."""
        invalid = [sample for sample in self.samples if sample.invalid is not None]
        if invalid:
            self.samples = [sample for sample in self.samples if sample.invalid is None]
            why = f" ({invalid[0].invalid})" if invalid[0].invalid else ""
            yield (
                f"{len(invalid)} of {self.found} samples were invalidated and are left out; the "
                f"first is {invalid[0].where}{why}"
            )


def open_log(path: str | Path, item: str, gold: str) -> Log:
    """A log of either format; `item` and `gold` are fields of samples (empty: the id, no gold)."""
    if Path(path).suffix.lower() == ".eval":
        heads = read_members(path, HEADERS)
        name = next((name for name in HEADERS if name in heads), "")
        value = json_value(f"{path}: {name}", heads[name]) if name else None
        header = _header(path, value)
        samples = []
        kept = 0
        for name, data in members_of(path, ("samples/",)):
            where = f"{path}: {name}"
            samples.append(_sample(where, json_value(where, data), item, gold))
            kept += sum(map(getsizeof, (samples[-1].text, samples[-1].prompt_text)))
            if kept > MOST_KEPT:
                raise RecordError(
                    f"{where}: the prompts and answers up to here take {kept:,} bytes; "
                    f"{MOST_KEPT:,} are read at most (give the scores as a table instead)"
                )
    else:
        header = _header(path, read_json(path))
        samples = [
            _sample(f"{path}: {_numbered(one)}", one, item, gold)
            for one in header.pop("samples", None) or ()
        ]
    return Log(str(path), header, samples, len(samples))


def _numbered(sample: Any) -> str:
    """Which sample this is, for a place."""
    if not isinstance(sample, dict):
        return "a sample"
    return f"sample {text_of(sample.get('id'))} epoch {text_of(sample.get('epoch'))}"


def _header(path: str | Path, header: Any) -> dict[str, Any]:
    """A log's header; `RecordError` when it is none that is read."""
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
        raise RecordError(f"{path}: not a log of Inspect (it has no header)")
    if header.get("version") != VERSION:
        raise RecordError(
            f"{path}: a log of version {header.get('version')!r:.20}; version {VERSION} is read"
        )
    return header


def _sample(where: str, sample: Any, item: str, gold: str) -> Sample:
    """The parts of a sample that matter here."""
    if not isinstance(sample, dict):
        raise RecordError(f"{where}: a sample is not an object")
    number, epoch = sample.get("id"), sample.get("epoch", 1)
    if number is None or not isinstance(epoch, int) or not 1 <= epoch < 2**31:
        raise RecordError(f"{where}: the sample has no id, or its epoch is no number from 1 on")
    name = text_of(field_at(sample, item) if item else number).strip()
    if not name:
        raise RecordError(f"{where}: there is no {item or 'id'!r} to name the item by")
    error = sample.get("error")
    messages = _before_answer(sample)
    asked = {
        "input": _digest(sample.get("input")),
        "choices": _digest(sample.get("choices")),
        "target": _digest(sample.get("target")),
        "files": _digest(sample.get("files") or None),
        "setup": _digest(sample.get("setup")),
        "sandbox": _digest(sample.get("sandbox")),
        "messages": UNKNOWN if messages is None or error else _digest(messages),
    }
    return Sample(
        where,
        name,
        field_at(sample, item) if item else number,
        isinstance(number, int) or text_of(number).isdecimal(),
        epoch,
        text_of(sample.get("uuid")),
        _attached(sample, field_at(sample, "output.completion") or ""),
        text_of(error.get("message") if isinstance(error, dict) else error) if error else "",
        {
            scorer: field_at(value or {}, "value")
            for scorer, value in (sample.get("scores") or {}).items()
        },
        gold_at(where, sample, gold),
        _sent(sample, messages if messages is not None else sample.get("messages") or ()),
        asked,
        _digest(sample.get("input")) or "",
        _invalid(sample.get("invalidation")),
    )


def _invalid(given: Any) -> str | None:
    """Why a sample was invalidated; None when it was not."""
    if not given:
        return None
    return text_of(given.get("reason")) if isinstance(given, dict) else ""


def _before_answer(sample: Mapping[str, Any]) -> list[Any] | None:
    """The messages before the model's first own answer; None when there is no answer."""
    messages = sample.get("messages") or ()
    for number, message in enumerate(messages):
        if message.get("role") == "assistant" and message.get("source") != "input":
            return list(messages[:number])
    return None


def _digest(value: Any) -> str | None:
    """What was sent, in short: a text as it is, else its beginning and a hash of it all."""
    if value is None:
        return None
    if isinstance(value, list):  # messages, without the ids that each run makes anew
        value = [
            {k: v for k, v in part.items() if k not in ("id", "source")}
            if isinstance(part, dict)
            else part
            for part in value
        ]
    text = text_of(value)
    name = short_name(text)
    if name == text:
        return text
    return f"{name} {sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _attached(sample: Mapping[str, Any], text: Any) -> str:
    """A text of the log; long ones stand among the sample's attachments."""
    said = text_of(text)
    if said.startswith("attachment://"):
        attachments = sample.get("attachments") or {}
        return text_of(attachments.get(said.removeprefix("attachment://"), said))
    return said


def _sent(sample: Mapping[str, Any], messages: Any) -> str:
    """The texts that the model was sent before its first answer."""
    sent = []
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        sent += [_attached(sample, part.get("text")) for part in parts if part.get("text")]
    return "\n\n".join(sent)
