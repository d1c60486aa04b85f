"""Whether the parts of a plan fit together: names, fields, levels, scores of the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from constrained.consistency.plan.parts import Item, Scoring, Selection, Variant, Wording
from constrained.consistency.scores import score_of
from constrained.errors import InvalidSpec, RecordError
from constrained.prompts import prompt_format
from constrained.spec.spec import Spec

__all__ = [
    "LISTED_SCORES",
    "check_arguments",
    "check_asking",
    "check_fields",
    "check_judges",
    "check_names",
    "check_pass_mark",
    "check_scores",
    "check_selection",
    "same_level",
]

LISTED_SCORES = 4_096
"""Outputs up to which every one is looked at for its score; of more, some."""

PLACES = {
    "item": "items",
    "prompt": "prompts",
    "format": "formats",
    "variant": "variants",
    "temperature": "temperatures",
    "numerics": "rooms",
}


def check_names(levels: Mapping[str, Sequence[Any]]) -> None:
    """Raise `InvalidSpec` when two levels of a facet have one name."""
    for facet, place in PLACES.items():
        twice = [name for name, count in Counter(levels[facet]).items() if count > 1]
        if twice:
            raise InvalidSpec(f"{facet} {twice[0]!r} appears twice", where=place)


def check_fields(
    items: Iterable[Item], prompts: Sequence[Wording], pair: tuple[str, str] | None
) -> None:
    """Raise `InvalidSpec` when a wording uses a field that an item does not have."""
    shown = set() if pair is None else {"first", "second"}
    for place, prompt in enumerate(prompts):
        if shown - set(prompt.field_names):
            raise InvalidSpec(
                f"prompt {prompt.name!r} does not show both answers that are compared",
                where=f"prompts[{place}]",
                hint="use {first} and {second}",
            )
    for number, item in enumerate(items):
        held = {name for name, value in item.fields.items() if value is not None}
        known = f"its fields: {', '.join(sorted(held)) or 'none'}"
        for name in pair or ():
            if name not in held:
                problem = f"item {item.id!r} has no answer {name!r} to compare"
                raise InvalidSpec(problem, where=f"items[{number}]", hint=known)
        for place, prompt in enumerate(prompts):
            missing = [name for name in prompt.field_names if name not in held | shown]
            if missing:
                raise InvalidSpec(
                    f"prompt {prompt.name!r} uses {{{missing[0]}}}, which item {item.id!r} does "
                    "not have",
                    where=f"prompts[{place}]",
                    hint=f"{known}; write {{{{ and }}}} for braces in the text",
                )


def check_asking(formats: Iterable[str], temperatures: Sequence[float], kind: str) -> None:
    """Raise `InvalidSpec` for formats and temperatures that a model cannot be asked with.

    Scores that were imported may come from other formats, and from temperature 0.
    """
    imported = kind == "imported"
    if kind == "mode" and len(temperatures) > 1:
        raise InvalidSpec(
            "the likeliest output is the same at every temperature",
            where="temperatures",
            hint="leave temperatures out, or score otherwise than by mode",
        )
    for name in () if imported else formats:
        try:
            prompt_format(name)
        except InvalidSpec as error:
            raise InvalidSpec(error.problem, where="formats", hint=error.hint) from error
    for value in temperatures:
        if value < 0 or (value == 0 and not imported):
            raise InvalidSpec(
                f"temperature {value:g} is not above 0",
                where="temperatures",
                hint="for what temperature 0 would say, write scoring: mode",
            )


def check_arguments(variants: Sequence[Variant], formats: Iterable[str]) -> None:
    """Raise `InvalidSpec` for arguments of a chat template where no prompt goes through one."""
    templated = "template" in formats
    for place, variant in enumerate(variants):
        if variant.chat_template_kwargs and not (templated or variant.endpoint):
            raise InvalidSpec(
                f"variant {variant.name!r} has arguments for a chat template, and no prompt goes "
                "through one",
                where=f"variants[{place}].chat_template_kwargs",
                hint="write formats: [template], or leave them out",
            )


def check_selection(levels: Mapping[str, Sequence[Any]], grid: Selection) -> None:
    """Raise `InvalidSpec` when a partial grid names a facet or a level that does not exist."""
    for what, entries in (("include", grid.include), ("exclude", grid.exclude)):
        for place, entry in enumerate(entries):
            for facet, names in entry.items():
                where = f"grid.{what}[{place}]"
                if facet not in levels:
                    raise InvalidSpec(_unknown("facet", facet, levels), where=where)
                for name in names:
                    if not any(same_level(level, name) for level in levels[facet]):
                        raise InvalidSpec(_unknown(facet, name, levels[facet]), where=where)


def check_scores(spec: Spec[Any], scoring: Scoring, field: str) -> None:
    """Raise `InvalidSpec` when outputs have no score, or cannot be scored as asked."""
    summary = spec.summary()
    if scoring.kind == "exact" and summary.finite is False:
        raise InvalidSpec(
            f"the format has infinitely many outputs ({summary.reason}), so scoring cannot be "
            "exact",
            where="scoring",
            hint="write kind: reasoned (or sampled) and draws: 10",
        )
    few = summary.outputs is not None and summary.outputs <= LISTED_SCORES
    for text in spec.enumerate() if few else spec.examples(20):
        try:
            score = score_of(spec.parse(text), field)
        except RecordError as error:
            hint = "name the field that is the score, or give choices scores: {good: 2, bad: 0}"
            problem = f"the output {text!r} has no score: {error}"
            raise InvalidSpec(problem, where="score", hint=hint) from error
        if isinstance(score, tuple) and scoring.pair is None:
            hint = "name the field that is the score, or write scoring: pairwise"
            problem = f"the output {text!r} holds two scores, and one is wanted"
            raise InvalidSpec(problem, where="score", hint=hint)
        if not isinstance(score, tuple) and scoring.pair is not None:
            hint = "write a format with two numbers, such as {first:1..10} {second:1..10}"
            problem = f"the output {text!r} holds one score, and two answers are compared"
            raise InvalidSpec(problem, where="spec", hint=hint)


def check_judges(judges: Iterable[str], variants: Sequence[str]) -> None:
    """Raise `InvalidSpec` when a gate is for a judge that no variant can be; one judge per gate.

    A judge is a variant, or with several temperatures a variant and its temperature; "" is every
    judge.
    """
    for place, judge in enumerate(judges):
        if judge and judge.partition(", T=")[0] not in variants:
            raise InvalidSpec(_unknown("variant", judge, variants), where=f"gates[{place}].judge")


def check_pass_mark(mark: float, scores: Sequence[float]) -> None:
    """Raise `InvalidSpec` when all of the scores that there can be lie on one side of the mark.

    `scores` are ascending.

    >>> check_pass_mark(6, range(11))
    """
    if scores and not scores[0] < mark <= scores[-1]:
        which = "no" if mark > scores[-1] else "every"
        raise InvalidSpec(
            f"{which} score reaches the pass mark {mark:g}",
            where="pass_mark",
            hint=f"the scores are {scores[0]:g} to {scores[-1]:g}; leave it out for none",
        )


def same_level(level: Any, name: Any) -> bool:
    """Whether `name`, as a person wrote it, is this level: 1 is the temperature 1.0."""
    return bool(level == name) or str(level) == str(name)


def _unknown(what: str, name: Any, known: Iterable[Any]) -> str:
    names = [str(one) for one in known]
    near = get_close_matches(str(name), names, n=1)
    guess = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names[:20])}"
    return f"there is no {what} {str(name)!r}; {guess}"
