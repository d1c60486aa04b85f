"""The heat map's colours: eleven steps from low to high, told apart with any kind of sight.

Lightness changes evenly along the ramp (a path through OKLCH from yellow over teal to navy), so it
also reads in grey. Words on a step are black or white, whichever stands out more: the contrast is
at least 4.5 to 1 on every step (WCAG 2.1, level AA), which a test computes.
"""

from __future__ import annotations

__all__ = ["DARK", "LEVELS", "LIGHT", "level_of", "on_level", "style_rules"]

LIGHT = (
    "#fff4c8",
    "#dae8ab",
    "#acdc9b",
    "#77cf98",
    "#36bf9c",
    "#00aca2",
    "#0097a3",
    "#007f9d",
    "#00688f",
    "#265278",
    "#2d3e5d",
)
DARK = (
    "#232955",
    "#1d3a70",
    "#005086",
    "#006794",
    "#007f98",
    "#009594",
    "#00a88a",
    "#58b781",
    "#91c380",
    "#becd8c",
    "#e1d9a6",
)
LEVELS = len(LIGHT)
BLACK, WHITE = "#111111", "#ffffff"


def level_of(value: float, low: float, high: float) -> int:
    """The step of a score on the scale from `low` to `high`.

    >>> level_of(7.2, 0, 10), level_of(0, 0, 10), level_of(12, 0, 10)
    (7, 0, 10)
    """
    part = (value - low) / ((high - low) or 1.0)
    return round((LEVELS - 1) * min(max(part, 0.0), 1.0))


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, 0 to 1 (WCAG 2.1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.1)."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def on_level(ramp: tuple[str, ...], level: int) -> str:
    """The colour of words on a step: black or white."""
    return max((BLACK, WHITE), key=lambda words: contrast(words, ramp[level]))


def style_rules(ramp: tuple[str, ...]) -> str:
    """One CSS rule per step: ``.s0`` to ``.s10``."""
    return "\n".join(
        f".s{level} {{ background: {colour}; color: {on_level(ramp, level)}; }}"
        for level, colour in enumerate(ramp)
    )
