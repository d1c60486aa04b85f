"""promptfoo results (``-o results.json``): tests x prompts x providers, with repeats.

promptfoo gives every repeat of a test a number of its own, so what a test *is* (its variables and
description) says which item it is, and the repeats become the draws of one cell.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from constrained.consistency.importing.asked import agree
from constrained.consistency.importing.fields import (
    as_written_by,
    field_at,
    flat,
    gold_at,
    short_name,
    text_of,
)
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.gathering import Advice, gather
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.judgements import UNKNOWN, Judgement
from constrained.consistency.importing.promptfoo_files import ERROR, Results, open_results
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_in, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["read_promptfoo"]

BROKEN = ("Custom function threw error", "Python code execution failed", "Could not extract JSON")
"""How promptfoo begins the reason when it was the grader that failed. It writes the score 0."""

UNASKED = "No assertions"
"""The reason of a result that nothing graded. promptfoo writes the score 1."""

REMEDY = (
    "tell them apart with a label of the provider in promptfoo's configuration, or with "
    "variants=[...] or prompts=[...], one name per column of the results"
)


ADVICE = Advice(REMEDY, "test", "vars.id")


@as_written_by("promptfoo")
def read_promptfoo(
    *paths: str | Path,
    prompts: Sequence[str] = (),
    variants: Sequence[str] = (),
    score: str = "",
    item: str = "",
    spec: Any = None,
    field: str = "",
    gold: str = "",
    scale: Collection[Score] = (),
    ignore: Sequence[str] = (),
) -> Imported:
    """Scores from what promptfoo writes (results version 3): JSON, YAML, JSON Lines or CSV.

    Prompts are prompts (by label), providers are variants, repeats are draws. The score is that of
    the whole result, from 0 to 1; `score` names a metric (``namedScores``) instead, and with a
    `spec` it is read out of the provider's output. The item is named by the test's description,
    else by its variables; `item` and `gold` say where to look instead, for example ``vars.id``.
    `scale` are the scores that are possible. CSV files hold scores rounded to two decimals.

    Two providers of one id with different settings, and two prompts of one label, are refused by
    the name of what differs; `variants` and `prompts` name them, one for each column (prompt x
    provider) of a file, and names in `ignore` may differ. JSON Lines and CSV do not say what the
    providers' settings were, so two such files of one cell are refused.

    An error of the provider, a grader that failed, a test without assertions, a result without the
    metric and an output that does not match are failures; promptfoo itself writes 0 or 1 for some
    of them. Raises `RecordError` with the place of what is not such a file, and when two different
    tests have one name.

    >>> read_promptfoo("results.json", gold="vars.gold")  # doctest: +SKIP
    """
    reader = format_of(spec)
    files = [open_results(path) for path in paths]
    _check_different(files)
    metrics = {
        name
        for file in files
        for _, result in file.listed
        for name in result.get("namedScores") or {}
    }
    if score and score not in metrics:
        raise RecordError(
            f"{', '.join(map(str, paths))}: there is no metric {score!r} (there are "
            f"{sorted(metrics)})"
        )
    tests: dict[str, str] = {}
    judgements = []
    for file in files:
        columns = _Columns(file, prompts, variants, "column" in ignore)
        for where, result in sorted(file.listed, key=lambda found: found[1].get("testIdx", 0)):
            name, raw = _item(where, result, item)
            test = json.dumps(result.get("testCase"), sort_keys=True)
            if tests.setdefault(name, test) != test:
                raise RecordError(
                    f"{where}: two different tests are called {name!r}; choose with item= what "
                    "tells them apart, for example item='vars.id'"
                )
            prompt, variant, settings = columns.of(where, result)
            said = text_of(field_at(result, "response.output"))
            found, failure = _score(result, score, reader, field, said)
            judgements.append(
                Judgement(
                    where,
                    Address(name, prompt, variant=variant),
                    found,
                    failure,
                    said,
                    gold=gold_at(where, result, gold),
                    prompt_text=text_of(field_at(result, "prompt.raw")),
                    settings=settings,
                    asked={
                        "prompt": field_at(result, "prompt.raw", UNKNOWN),
                        **dict(flat(field_at(result, "prompt.config"), "prompt.config")),
                        **({} if file.evaluation else {"file": file.path}),
                    },
                    written=raw,
                )
            )
    return gather(
        judgements,
        ", ".join(map(str, paths)),
        advice=ADVICE,
        scale=scale,
        notes=[note for file in files for note in (*file.notes, *_cached(file))],
        ignore=[name for name in ignore if name != "column"],
    )


def _check_different(files: Sequence[Results]) -> None:
    """No evaluation is read twice."""
    seen: dict[str, str] = {}
    for file in files:
        ids = {text_of(one.get("id")) for _, one in file.listed} - {""}
        for identity in {file.evaluation or str(Path(file.path).resolve()), *ids}:
            if identity in seen:
                raise RecordError(f"{file.path}: the same evaluation as {seen[identity]}; pass one")
        seen |= dict.fromkeys({file.evaluation or str(Path(file.path).resolve()), *ids}, file.path)


def _cached(file: Results) -> Iterator[str]:
    cached = sum(field_at(one, "response.cached") is True for _, one in file.listed)
    if cached:
        yield f"{file.path}: {cached} answers came from promptfoo's cache: they are no new draws"


class _Columns:
    """The columns (prompt x provider) of one file: their names, and what they asked with."""

    def __init__(
        self, file: Results, prompts: Sequence[str], variants: Sequence[str], alike: bool
    ) -> None:
        self.file = file
        self.names = {"prompts": prompts, "variants": variants}
        self.alike = alike
        self.settings: dict[int, Mapping[str, Any]] = {}
        self.first: dict[tuple[str, str], tuple[int, str]] = {}

    def of(self, where: str, result: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
        """(prompt, variant, settings) of a result; `RecordError` when two columns are alike."""
        column = result.get("promptIdx", 0)
        if not isinstance(column, int):
            raise RecordError(f"{where}: its column (promptIdx) is {column!r:.40}, not a number")
        if column not in self.settings:
            self.settings[column] = dict(self._settings(column))
        provider = result.get("provider") or {}
        prompt = self._name(
            "prompts", column, short_name(text_of(field_at(result, "prompt.label")))
        )
        variant = self._name(
            "variants",
            column,
            text_of(provider.get("label") or provider.get("id"))
            if isinstance(provider, Mapping)
            else text_of(provider),
        )
        prompt, variant = prompt or "prompt", variant or "model"
        first, place = self.first.setdefault((prompt, variant), (column, where))
        if first != column and not self.alike:
            raise self._alike(where, column, place, first, prompt, variant)
        return prompt, variant, self.settings[column]

    def _settings(self, column: int) -> Iterator[tuple[str, Any]]:
        yield "template", self.file.templates.get(column, UNKNOWN)
        for name, value in self.file.shared.items():
            yield from flat(value, name)
        if column in self.file.providers:
            given = self.file.providers[column]
            yield from flat({"provider": given} if isinstance(given, str) else given, "")

    def _name(self, kind: str, column: int, name: str) -> str:
        names = self.names[kind]
        if not names:
            return name
        if not 0 <= column < len(names):
            raise RecordError(
                f"{self.file.path}: {len(names)} {kind} for more columns of results; name one "
                "for each column (prompt x provider)"
            )
        return names[column]

    def _alike(
        self, where: str, column: int, place: str, first: int, prompt: str, variant: str
    ) -> RecordError:
        here, there = self.settings[column], self.settings[first]
        for name in dict.fromkeys((*here, *there)):
            try:
                agree(name, here.get(name), where, there.get(name), place, REMEDY)
            except RecordError as error:
                return error
        return RecordError(
            f"{where}: column {column} of the results has the prompt {prompt!r} and the provider "
            f"{variant!r}, as column {first} has at {place}; {REMEDY}"
        )


def _item(where: str, result: Mapping[str, Any], item: str) -> tuple[str, Any]:
    """The name of a result's item, and how it is written."""
    if item:
        raw = field_at(result, item)
        name = text_of(raw).strip()
        if not name:
            raise RecordError(f"{where}: there is no {item!r} to name the item by")
        return name, raw
    description = text_of(field_at(result, "testCase.description")).strip()
    variables = result.get("vars") or {}
    alone = next(iter(variables.values())) if len(variables) == 1 else variables
    return description or short_name(text_of(alone)) or "test", None


def _score(
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
        return None, f"the result has no metric {metric!r}"
    graded = grading.get("componentResults") or field_at(result, "testCase.assert")
    if not metric and not graded and grading.get("reason") in (None, UNASKED):
        return None, "the test has no assertions: nothing graded the answer"
    number = number_in(named[metric] if metric else result.get("score"))
    return (number, "") if number is not None else (None, "no score")
