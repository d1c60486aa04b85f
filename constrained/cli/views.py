"""Pages and JSON for what the commands found out: distributions and summaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from constrained.errors import GenerationError
from constrained.spec.spec import Spec
from constrained.spec.summary import Summary

if TYPE_CHECKING:
    from constrained.generation.distribution import Distribution

__all__ = ["distribution_json", "distribution_page", "summary_page"]

BAR = 34
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
SHOWN = 40
"""Rows of a chart; the rest are added up in one line."""


def distribution_json(found: Distribution[Any]) -> dict[str, Any]:
    """A distribution as JSON values; the keys are part of the interface."""
    return {
        "temperature": found.temperature,
        "outputs": [
            {
                "text": outcome.text,
                "value": outcome.value,
                "local": local,
                "global": found.global_.by_text[outcome.text],
            }
            for outcome, local in zip(found.outcomes, found.by_text.values(), strict=True)
        ],
        "mean": moment(found, "mean"),
        "sd": moment(found, "sd"),
        "mode": found.mode,
        "entropy_bits": found.entropy,
        "removed_mass": found.removed_mass,
        "divergence": found.divergence,
    }


def moment(found: Distribution[Any], name: str) -> float | None:
    """The mean or the standard deviation; None when the values are not numbers."""
    try:
        return float(getattr(found, name))
    except GenerationError:
        return None


def distribution_page(found: Distribution[Any]) -> RenderableType:
    """A bar chart of the values and what can be said of it in a few lines."""
    bars = found.bars()
    if len(bars) > SHOWN:
        bars = sorted(bars, key=lambda bar: -bar[1])[:SHOWN]
    top = max(share for _, share in bars)
    chart = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    chart.add_column(justify="right", no_wrap=True, overflow="ellipsis", max_width=30)
    chart.add_column(justify="right", style="dim")
    chart.add_column(style="cyan", no_wrap=True)
    for label, share in bars:
        chart.add_row(label, f"{share:.1%}", bar(share / top))
    rest = len(found.bars()) - len(bars)
    parts: list[RenderableType] = [chart]
    if rest:
        left = 1 - sum(share for _, share in bars)
        parts.append(Text(f"and {rest:,} more values with {left:.1%} together", style="dim"))
    return Group(*parts, "", *(Text(line) for line in remarks(found)))


def bar(share: float) -> str:
    """A horizontal bar, exact to an eighth of a column.

    >>> bar(0.5) == "█" * 17
    True
    """
    eighths = round(share * BAR * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8]


def remarks(found: Distribution[Any]) -> list[str]:
    """The moments, and how far the format bends the model."""
    mean, sd = moment(found, "mean"), moment(found, "sd")
    numbers = f"mean {mean:.2f}, standard deviation {sd:.2f}, " if mean is not None else ""
    return [
        f"{numbers}most likely {found.mode}, entropy {found.entropy:.2f} bits",
        f"Left to itself, the model answers in this format with probability "
        f"{1 - found.removed_mass:.1%}.",
        f"Probabilities of only those answers differ from the chart by {found.divergence:.1%} "
        "(total variation).",
    ]


def summary_page(spec: Spec[Any], summary: Summary, examples: Sequence[str]) -> RenderableType:
    """What a format allows, as short lines."""
    lines = [
        Text(repr(spec), style="bold"),
        *(Text(f"  {line}") for line in str(summary).splitlines()),
    ]
    if examples:
        lines += [
            Text("  for example:"),
            *(Text(f"    {text!r}", style="cyan") for text in examples),
        ]
    return Group(*lines)
