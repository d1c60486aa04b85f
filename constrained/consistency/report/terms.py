"""Numbers and names as people read them: points, percent, intervals, verdicts, effects."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, TypeAlias

from constrained.consistency.statistics import Estimate, Verdict

__all__ = [
    "MISSING",
    "TIMES",
    "Form",
    "cell_score",
    "count",
    "duration",
    "effect_kind",
    "effect_name",
    "estimate_words",
    "gate_form",
    "percent",
    "points",
    "ratio",
    "scaled",
    "score",
    "table_note",
    "universes",
    "variance",
    "verdict_glyph",
    "verdict_kind",
    "write",
]

Form: TypeAlias = Literal["points", "variance", "percent", "ratio", "count", "scaled"]
"""How a number is written: score points, points squared, a share as percent, a coefficient, a whole
number, or a number that is a percentage already."""

MISSING, MINUS, TIMES = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


def signed(text: str) -> str:
    """A written number with a real minus sign."""
    return text.replace("-", MINUS)


def points(value: float) -> str:
    """Score points with two decimals.

    >>> points(0.6), points(-0.004)
    ('0.60', '0.00')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return signed("∞" if value > 0 else "-∞")
    text = f"{value:.2f}"
    return text.lstrip("-") if not float(text) else signed(text)


def percent(value: float) -> str:
    """A share (0 to 1) as percent: whole from 10 % on, with one decimal below.

    >>> percent(0.0812), percent(0.5), percent(0.0002), percent(0.9999)
    ('8.1 %', '50 %', '<0.1 %', '>99.9 %')
    """
    if math.isnan(value):
        return MISSING
    if 0.0 < value < 0.0005:
        return "<0.1 %"
    if 0.9995 < value < 1.0:
        return ">99.9 %"
    close = 0.0 < abs(value) < 0.0995 or 0.9905 <= value < 1.0
    return signed(f"{100 * value:.{1 if close else 0}f} %")


def ratio(value: float) -> str:
    """A coefficient with two decimals, three near 1.

    >>> ratio(0.7513), ratio(0.9954)
    ('0.75', '0.995')
    """
    if math.isnan(value):
        return MISSING
    return f"{value:.3f}" if 0.985 <= value < 1.0 else points(value)


def count(value: float) -> str:
    """A whole number with separators; endless and unknown ones as signs.

    >>> count(12000), count(float("inf"))
    ('12,000', '∞')
    """
    if math.isnan(value):
        return MISSING
    return "∞" if math.isinf(value) else f"{round(value):,}"


def variance(value: float) -> str:
    """Points squared, with three significant digits.

    >>> variance(1.68734), variance(0.0), variance(2e-5)
    ('1.69', '0', '<0.0001')
    """
    if not math.isfinite(value):
        return points(value)
    if 0.0 < abs(value) < 1e-4:
        return signed("<0.0001" if value > 0 else ">-0.0001")
    return signed(f"{value:.3g}")


def scaled(value: float) -> str:
    """A number that is a percentage already, with one decimal."""
    return MISSING if math.isnan(value) else signed(f"{value:.1f} %")


def duration(seconds: float) -> str:
    """Seconds in the largest unit that fits.

    >>> duration(0.031), duration(95), duration(7300)
    ('0.03 s', '1.6 min', '2.0 h')
    """
    if math.isnan(seconds):
        return MISSING
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s"


FORMS = {
    "points": points,
    "variance": variance,
    "percent": percent,
    "ratio": ratio,
    "count": count,
    "scaled": scaled,
}


def write(value: float, form: Form) -> str:
    """`value` in that form."""
    return FORMS[form](value)


def estimate_words(estimate: Estimate, form: Form) -> str:
    """Value and interval on one line, or why there is no value.

    >>> estimate_words(Estimate(0.62, 0.5, 0.8), "points")
    '0.62 (0.50 to 0.80)'
    """
    if not estimate.known:
        return f"not known: {estimate.reason}"
    text = write(estimate.value, form)
    if estimate.bounded:
        return f"{text} ({write(estimate.low, form)} to {write(estimate.high, form)})"
    return text


def universes(estimates: Iterable[Estimate]) -> str:
    """What the intervals of these estimates generalise to, and at which level; "" without any.

    >>> universes([Estimate(1, 0, 2, universe="items like these, these prompts")])
    '95 % intervals for items like these, these prompts'
    """
    found = dict.fromkeys((f"{100 * e.level:g} %", e.universe) for e in estimates if e.bounded)
    parts = [f"{level} intervals for {universe}" for level, universe in found]
    return "; ".join(parts)


def table_note(estimates: Iterable[Estimate]) -> str:
    """What stands above a table of estimates: universes, reasons for dashes, cautions.

    >>> table_note([Estimate(1.0, 0.0, 2.0), Estimate(float("nan"), reason="no gold scores")])
    '95 % intervals for these items, these prompts. A dash is not known: no gold scores.'
    """
    found = list(estimates)
    parts = [universes(found)]
    missing = dict.fromkeys(e.reason for e in found if not e.known and e.reason)
    cautions = dict.fromkeys(e.reason for e in found if e.known and e.reason)
    if missing:
        parts.append(f"A dash is not known: {'; '.join(missing)}")
    if cautions:
        parts.append(f"Caution: {'; '.join(cautions)}")
    return "".join(f" {part}." for part in parts if part).lstrip()


def cell_score(value: float, step: float) -> str:
    """A mean score in a small cell: one decimal, or two on scales finer than a point."""
    digits = 1 if step >= 1 else 2
    return MISSING if math.isnan(value) else signed(f"{value:.{digits}f}")


def score(value: float) -> str:
    """A score of the scale, as short as it can be written.

    >>> score(8.0), score(8.5)
    ('8', '8.5')
    """
    return MISSING if math.isnan(value) else signed(f"{value:g}")


VERDICTS: dict[Verdict | None, tuple[str, str]] = {
    "pass": ("pass", "✓"),
    "fail": ("fail", "✗"),
    "not enough data": ("unsure", "?"),
    None: ("none", "·"),
}


def verdict_kind(verdict: Verdict | None) -> str:
    """The style class of a verdict."""
    return VERDICTS[verdict][0]


def verdict_glyph(verdict: Verdict | None) -> str:
    """A sign beside the word, so that no verdict rests on colour."""
    return VERDICTS[verdict][1]


def gate_form(name: str) -> Form:
    """How a gate's number is written, by its name."""
    if any(word in name for word in ("flip", "risk", "mass", "missing")):
        return "percent"
    return "points" if any(word in name for word in ("sem", "move", "bias")) else "ratio"


def effect_name(effect: tuple[str, ...]) -> str:
    """An effect for people: facets joined by multiplication signs."""
    return f" {TIMES} ".join(effect)


KINDS = {("item",): "item", ("prompt",): "prompt", ("draw",): "draw", ("item", "prompt"): "both"}


def effect_kind(effect: tuple[str, ...], others: int = 0) -> str:
    """The colour class of an effect; `others` counts those before it that have no own colour."""
    return KINDS.get(effect, ("other", "other2", "other3")[others % 3])
