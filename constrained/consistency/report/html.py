"""The report as one HTML file: everything inside, nothing loaded, all text escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constrained.consistency.analysis import Analysis, Comparison
from constrained.consistency.report import changes, html_data, terms
from constrained.consistency.report import html_charts as charts
from constrained.consistency.report.html_pages import map_name, page_of
from constrained.consistency.report.palette import DARK, LIGHT, style_rules
from constrained.consistency.statistics import Component, Estimate, VarianceComponents
from constrained.errors import MissingPackage
from constrained.packages import remedy
from constrained.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["to_html", "write_html"]

PARTS = (
    ("variance", "Variance"),
    ("heat", "Heat map"),
    ("flaky", "Flakiest items"),
    ("prompts", "Prompts"),
    ("mark", "Pass mark"),
    ("study", "Averaging"),
    ("quality", "Data quality"),
)

VERDICTS = {
    "pass": ("Pass", "Every gate is kept, with the whole of its interval."),
    "fail": ("Fail", "At least one gate is broken, with the whole of its interval."),
    "not enough data": (
        "Not enough data",
        "No gate is broken for certain, but not all can be said to be kept.",
    ),
    None: ("No gates were set", "The numbers below are not held against any bound."),
}

ENVIRONMENT_ROWS = 40


def to_html(analysis: Analysis, comparison: Comparison | None = None) -> str:
    """The whole report as HTML: opens offline, prints, and reads without JavaScript.

    With a `comparison` to another run, its differences are a section of their own. Of more items
    than fit (12,000 cells in all), the heat maps show those that rooms move most. Raises
    `MissingPackage` without jinja2.

    >>> from constrained.consistency.analysis import analyse_draws
    >>> to_html(analyse_draws([[[1], [2]], [[3], [5]]])).splitlines()[0]
    '<!doctype html>'
    """
    environment = _environment()
    rows = html_data.shown_rows(analysis)
    script = _template("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    safe = environment.filters["safe"]
    page = environment.get_template("report.html").render(
        analysis=analysis,
        comparison=comparison,
        pages=[page_of(analysis, judge, rows, safe) for judge in analysis.judges],
        facts=_facts(analysis),
        parts=_parts(analysis),
        verdict_title=VERDICTS[analysis.gates.verdict][0],
        verdict_line=VERDICTS[analysis.gates.verdict][1],
        judge_note=terms.table_note(
            e for j in analysis.judges for e in (j.summary.move, j.agreement.phi, j.components.mean)
        ),
        across_chart=safe(charts.component_chart(analysis.across)) if analysis.across else "",
        scale_low=terms.score(min(analysis.scale, default=math.nan)),
        scale_high=terms.score(max(analysis.scale, default=math.nan)),
        items_shown=len(rows),
        hidden_items=len(analysis.items) - len(rows),
        straddle=html_data.STRADDLE,
        environment=_environment_rows(analysis.methods.environment),
        style=safe(_style()),
        script=safe(script),
        script_digest=digest,
        data=safe(html_data.page_data(analysis, rows)),
        texts=safe(html_data.packed_texts(analysis, rows)),
    )
    return visible(page)  # whatever a name brings along, wherever it stands


def write_html(path: str | Path, analysis: Analysis, comparison: Comparison | None = None) -> Path:
    """Write `to_html` to `path` (UTF-8) and return the path.

    >>> from tempfile import mkdtemp
    >>> from constrained.consistency.analysis import analyse_arrays
    >>> analysis = analyse_arrays([[[1.0, 0.0], [0.5, 0.5]]], [0, 1])
    >>> write_html(Path(mkdtemp()) / "report.html", analysis).name
    'report.html'
    """
    target = Path(path)
    target.write_text(to_html(analysis, comparison), encoding="utf-8")
    return target


def _facts(analysis: Analysis) -> str:
    parts = [
        f"{terms.count(len(levels))} {name}{'' if len(levels) == 1 else 's'}"
        for name, levels in analysis.facets.items()
        if len(levels) > 1 or name in {"item", "prompt"}
    ]
    scale = f"scores from {terms.score(analysis.scale[0])} to {terms.score(analysis.scale[-1])}"
    mark = "" if analysis.pass_mark is None else f", pass mark {terms.score(analysis.pass_mark)}"
    return f" {terms.TIMES} ".join(parts) + (f" · {scale}{mark}" if analysis.scale else "")


def _parts(analysis: Analysis) -> list[tuple[str, str]]:
    first = analysis.judges[0]
    absent = {
        name for name, there in (("flaky", first.flakiest), ("mark", first.marks)) if not there
    }
    return [(part, name) for part, name in PARTS if part not in absent]


def _environment_rows(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What ran where, two levels deep."""
    rows: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            shown = "; ".join(f"{key}: {_inner(part)}" for key, part in value.items())
        elif isinstance(value, list | tuple):
            shown = ", ".join(map(str, value))
        else:
            shown = str(value)
        rows.append((str(name).replace("_", " "), shown))
    return rows[:ENVIRONMENT_ROWS]


def _inner(value: Any) -> str:
    """A part of the environment: ``device cpu, dtype float32``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {part}" for key, part in value.items())
    return str(value)


def _remarks(component: Component) -> str:
    parts = [component.estimate.reason]
    if component.truncated:
        parts.append(f"estimated as {terms.variance(component.raw)}, shown as 0")
    if component.includes_draw:
        parts.append("includes the draw: one draw per cell cannot tell them apart")
    return "; ".join(filter(None, parts))


def _component_estimates(components: VarianceComponents) -> list[Estimate]:
    return [component.estimate for component in components.components]


def _share(components: VarianceComponents, component: Component) -> float:
    return components.share(*component.effect)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        install = remedy("consistency")
        raise MissingPackage("jinja2", "an HTML report", install=install) from error
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("constrained.consistency.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["safe"] = Markup
    environment.globals.update(
        write=terms.write,
        points=terms.points,
        percent=terms.percent,
        ratio=terms.ratio,
        count=terms.count,
        duration=terms.duration,
        universes=terms.universes,
        table_note=terms.table_note,
        verdict_kind=terms.verdict_kind,
        verdict_glyph=terms.verdict_glyph,
        effect_name=terms.effect_name,
        score=terms.score,
        share=_share,
        root=charts.root,
        remarks=_remarks,
        components_estimates=_component_estimates,
        gate_form=terms.gate_form,
        map_name=map_name,
        changes=changes.changes,
        change=changes.change,
        change_words=changes.change_words,
        inf=math.inf,
    )
    return environment


def _style() -> str:
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{style_rules(DARK)}\n}}"
    return f"{_template('report.css')}\n{style_rules(LIGHT)}\n{dark}\n"


def _template(name: str) -> str:
    source = files("constrained.consistency.report") / "templates" / name
    return source.read_text(encoding="utf-8")
