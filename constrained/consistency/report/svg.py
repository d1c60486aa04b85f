"""Charts as inline SVG: plain functions from numbers to markup, coloured by the page's classes.

Every chart carries `role="img"` and a text that says what it shows. Colours, fonts and line widths
come from the page's style sheet, so one drawing serves light, dark and print. The page's script
reads the frame of a chart from its `data-` attributes and moves what the reader moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

__all__ = ["Bar", "Frame", "Line", "component_bars", "line_chart", "strip", "ticks"]

Attribute: TypeAlias = str | float | int


def element(name: str, attributes: Mapping[str, Attribute], *inside: str) -> str:
    """One element; attribute values are escaped, `inside` is markup already.

    >>> element("rect", {"x": 1.50, "class": "a"})
    '<rect x="1.5" class="a"/>'
    """
    parts = [
        f'{key}="{number(value) if isinstance(value, float) else escape(str(value))}"'
        for key, value in attributes.items()
    ]
    opening = " ".join([name, *parts])
    return f"<{opening}>{''.join(inside)}</{name}>" if inside else f"<{opening}/>"


def number(value: float) -> str:
    """A coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def words(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    """A text element; `content` is escaped."""
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "class": kind}, escape(content))


def figure(
    width: float, height: float, label: str, *inside: str, extra: Mapping[str, Attribute] = {}
) -> str:
    """The drawing itself: it scales with its container and says what it shows."""
    attributes: dict[str, Attribute] = {
        "viewBox": f"0 0 {number(width)} {number(height)}",
        "width": float(width),
        "height": float(height),
        "role": "img",
        "aria-label": label,
        "class": "chart",
    }
    return element("svg", {**attributes, **extra}, *inside)


def ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Round numbers from `low` to `high`, about `count` of them.

    >>> ticks(0.0, 1.0)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return (low,) if math.isfinite(low) else ()
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(k * step, 10) + 0.0 for k in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Bar:
    """One component: its share of the whole (0 to 1), its size with interval, and a note."""

    name: str
    kind: str
    share: float
    value: float
    low: float = math.nan
    high: float = math.nan
    note: str = ""


def component_bars(bars: Sequence[Bar], unit: str, label: str, width: float = 960.0) -> str:
    """A stacked bar of shares, and below it one row per component: its size and interval.

    An interval that leaves the axis ends in an arrow; what is unknown is written out.
    """
    left = 24.0 + 7.6 * max((len(bar.name) for bar in bars), default=0)
    right, height, row = 172.0, 38.0, 30.0
    top = height + 26.0
    bottom = top + row * len(bars)
    values = [b.value for b in bars if math.isfinite(b.value)] or [1.0]
    highs = [b.high for b in bars if math.isfinite(b.high)]
    # Few levels give endless intervals; the axis ends where the values can still be told apart.
    end = max(min(max([*values, *highs]), 2.2 * max(values)), 1e-9)
    scale = (width - left - right) / end
    parts = [_stack(bars, width, height)]
    for tick in ticks(0.0, end):
        x = left + tick * scale
        parts.append(_vertical(x, top - 4, bottom, "grid"))
        parts.append(words(x, bottom + 15, f"{tick:g}", "tick", "middle"))
    parts.append(words(left + end * scale / 2, bottom + 33, unit, "axis", "middle"))
    for index, bar in enumerate(bars):
        y = top + row * (index + 0.5)
        parts.append(words(left - 12, y + 4.5, bar.name, "label", "end"))
        if math.isnan(bar.value):
            parts.append(words(left + 8, y + 4.5, "unknown", "muted"))
        else:
            parts.append(_interval(bar, left, scale, end, y))
        parts.append(words(width - right + 18, y + 4.5, bar.note, "value"))
    return figure(width, bottom + 40, label, *parts)


def _stack(bars: Sequence[Bar], width: float, height: float) -> str:
    shown = [b for b in bars if b.share > 0]
    total = sum(b.share for b in shown)
    parts, x = [], 0.0
    for bar in shown:
        wide = width * bar.share / total
        title = element("title", {}, escape(f"{bar.name}: {100 * bar.share:.1f} % of the variance"))
        box: dict[str, Attribute] = {"x": x, "y": 0, "width": max(wide - 2.0, 0.5)}
        box |= {"height": height, "rx": 3, "class": f"fill-{bar.kind}"}
        parts.append(element("rect", box, title))
        share = f"{100 * bar.share:.0f} %"
        for content in (f"{bar.name} {share}", share):
            if wide > 8.8 * len(content) + 16:
                parts.append(words(x + 9, height / 2 + 5, content, f"on on-{bar.kind}"))
                break
        x += wide
    return "".join(parts)


def _interval(bar: Bar, left: float, scale: float, end: float, y: float) -> str:
    parts = []
    if not (math.isnan(bar.low) or math.isnan(bar.high)):
        low, high = (left + min(max(v, 0.0), end) * scale for v in (bar.low, bar.high))
        line: dict[str, Attribute] = {"x1": low, "x2": high, "y1": y, "y2": y}
        parts.append(element("line", line | {"class": f"whisker line-{bar.kind}"}))
        parts.append(_vertical(low, y - 5, y + 5, f"cap line-{bar.kind}"))
        if bar.high > end:
            tip = f"M{number(high - 6)} {number(y - 5)}l6 5l-6 5"
            parts.append(element("path", {"d": tip, "class": f"cap line-{bar.kind}"}))
        else:
            parts.append(_vertical(high, y - 5, y + 5, f"cap line-{bar.kind}"))
    at = left + min(max(bar.value, 0.0), end) * scale
    parts.append(element("circle", {"cx": at, "cy": y, "r": 5.5, "class": f"fill-{bar.kind}"}))
    return "".join(parts)


def _vertical(x: float, y1: float, y2: float, kind: str) -> str:
    return element("line", {"x1": x, "x2": x, "y1": y1, "y2": y2, "class": kind})


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a chart's axes lie; `x` and `y` map values to coordinates."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    width: float = 560.0
    height: float = 260.0
    left: float = 58.0
    right: float = 22.0
    top: float = 16.0
    bottom: float = 50.0

    def x(self, value: float) -> float:
        """The coordinate of `value` on the horizontal axis, kept inside the frame."""
        span = (self.x_high - self.x_low) or 1.0
        part = min(max((value - self.x_low) / span, 0.0), 1.0)
        return self.left + part * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """The coordinate of `value` on the vertical axis, kept inside the frame."""
        span = (self.y_high - self.y_low) or 1.0
        part = min(max((value - self.y_low) / span, 0.0), 1.0)
        return self.height - self.bottom - part * (self.height - self.top - self.bottom)


@dataclass(frozen=True, slots=True)
class Line:
    """One curve. NaN breaks it; `steps` holds a value up to the next x; `dots` marks each point."""

    name: str
    kind: str
    x: Sequence[float]
    y: Sequence[float]
    steps: bool = False
    dots: bool = False


def line_chart(
    lines: Sequence[Line],
    frame: Frame,
    label: str,
    *,
    x_name: str,
    y_name: str,
    percent: bool = False,
    marker: float = math.nan,
    level: float = math.nan,
    level_name: str = "",
    x_ticks: Sequence[float] | None = None,
    x_percent: bool = False,
) -> str:
    """Curves in a frame, with a vertical `marker` and a horizontal `level` where they are given."""
    parts = [_axes(frame, x_name, y_name, percent, x_ticks, x_percent)]
    if math.isfinite(level):
        y = frame.y(level)
        across: dict[str, Attribute] = {"x1": frame.left, "x2": frame.width - frame.right}
        parts.append(element("line", across | {"y1": y, "y2": y, "class": "level"}))
        parts.append(words(frame.width - frame.right - 4, y - 6, level_name, "level-name", "end"))
    for line in lines:
        drawn = _path(line, frame)
        title = element("title", {}, escape(line.name))
        kind = f"curve line-{line.kind}"
        parts.append(element("path", {"d": drawn, "class": kind, "data-line": line.name}, title))
        if line.dots:
            parts.extend(_dot(line, frame, x, y) for x, y in zip(line.x, line.y, strict=True))
    if math.isfinite(marker):
        x = frame.x(marker)
        parts.append(_vertical(x, frame.top, frame.height - frame.bottom, "marker"))
    extra: dict[str, Attribute] = {
        "data-frame": " ".join(
            number(v)
            for v in (
                frame.left,
                frame.width - frame.right,
                frame.top,
                frame.height - frame.bottom,
            )
        ),
        "data-x": f"{frame.x_low:.10g} {frame.x_high:.10g}",
        "data-y": f"{frame.y_low:.10g} {frame.y_high:.10g}",
    }
    return figure(frame.width, frame.height, label, *parts, extra=extra)


def _axes(
    frame: Frame,
    x_name: str,
    y_name: str,
    percent: bool,
    x_ticks: Sequence[float] | None,
    x_percent: bool,
) -> str:
    floor, parts = frame.height - frame.bottom, []
    for tick in ticks(frame.y_low, frame.y_high, 4):
        y = frame.y(tick)
        across: dict[str, Attribute] = {"x1": frame.left, "x2": frame.width - frame.right}
        parts.append(element("line", across | {"y1": y, "y2": y, "class": "grid"}))
        content = f"{100 * tick:g} %" if percent else f"{tick:g}"
        parts.append(words(frame.left - 8, y + 4, content, "tick", "end"))
    places = ticks(frame.x_low, frame.x_high, 8) if x_ticks is None else x_ticks
    factor = 100 if x_percent else 1
    parts.extend(
        words(frame.x(tick), floor + 17, f"{factor * tick:g}", "tick", "middle") for tick in places
    )
    middle = (frame.left + frame.width - frame.right) / 2
    parts.append(words(middle, frame.height - 10, x_name, "axis", "middle"))
    turn = f"translate(14 {number((frame.top + floor) / 2)}) rotate(-90)"
    side: dict[str, Attribute] = {"transform": turn, "text-anchor": "middle", "class": "axis"}
    parts.append(element("text", side, escape(y_name)))
    return "".join(parts)


def _path(line: Line, frame: Frame) -> str:
    parts: list[str] = []
    pen_down = False
    for x, y in zip(line.x, line.y, strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            pen_down = False
            continue
        across, up = number(frame.x(x)), number(frame.y(y))
        if pen_down:
            parts.append(f"H{across}V{up}" if line.steps else f"L{across} {up}")
        else:
            parts.append(f"M{across} {up}")
        pen_down = True
    return "".join(parts)


def _dot(line: Line, frame: Frame, x: float, y: float) -> str:
    if not math.isfinite(y):
        return ""
    title = element("title", {}, escape(f"{line.name}: {y:.3g} at {x:g}"))
    place: dict[str, Attribute] = {"cx": frame.x(x), "cy": frame.y(y), "r": 3.5}
    return element("circle", place | {"class": f"dot fill-{line.kind}"}, title)


def strip(
    values: Sequence[float], low: float, high: float, mark: float, label: str, width: float = 200.0
) -> str:
    """One item's scores as dots on its scale, with the pass mark: how far prompts throw it."""
    height, pad = 26.0, 8.0
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return pad + (width - 2 * pad) * min(max((value - low) / span, 0.0), 1.0)

    base: dict[str, Attribute] = {"x1": pad, "x2": width - pad, "y1": 13, "y2": 13}
    parts = [element("line", base | {"class": "grid"})]
    known = [v for v in values if math.isfinite(v)]
    if known:
        ends: dict[str, Attribute] = {"x1": place(min(known)), "x2": place(max(known))}
        parts.append(element("line", ends | {"y1": 13, "y2": 13, "class": "span"}))
    if math.isfinite(mark):
        parts.append(_vertical(place(mark), 2, 24, "marker"))
    dot: dict[str, Attribute] = {"cy": 13, "r": 4.2, "class": "point"}
    parts.extend(element("circle", {"cx": place(v)} | dot) for v in known)
    return figure(width, height, label, *parts)
