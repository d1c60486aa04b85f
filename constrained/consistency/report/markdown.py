"""An analysis as Markdown: for a pull request, a log, or a file beside the results."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from constrained.consistency.analysis import Analysis, Comparison, Judge, JudgeDifference
from constrained.consistency.report.terms import (
    count,
    duration,
    effect_name,
    estimate_words,
    percent,
    points,
    ratio,
    score,
    universes,
    verdict_glyph,
)
from constrained.visible import visible

__all__ = ["comparison_to_markdown", "to_markdown"]

MOST_ROWS = 40
MOST_COLUMNS = 12
"""Size up to which a heat map is written as a table."""

SPECIAL = re.compile(r"[\\`*_\[\]<>|~&]|^[-+#=]|^\d+(?=[.)])")
"""What Markdown and HTML would read as more than itself, anywhere or at the start of a line."""


def to_markdown(analysis: Analysis) -> str:
    r"""The report in the order of the HTML page, without pictures.

    Names and texts from plans and models are escaped, so they cannot change the page.

    >>> from constrained.consistency.analysis import analyse_draws
    >>> page = to_markdown(analyse_draws([[[1], [2]], [[3], [5]]], title="two | essays"))
    >>> page.splitlines()[0]
    '# two \\| essays'
    """
    blocks = [f"# {escaped(analysis.title or 'Consistency')}", *_gates(analysis)]
    for judge in analysis.judges:
        if len(analysis.judges) > 1:
            blocks.append(f"## {escaped(judge.name)}")
        blocks += _judge(analysis, judge)
    if analysis.across is not None:
        blocks += [
            "## All facets together",
            _table(
                ["effect", "variance", "share"],
                [
                    [effect_name(c.effect), estimate_words(c.estimate, "variance"), _share(s)]
                    for c in analysis.across.components
                    for s in [analysis.across.share(*c.effect)]
                ],
            ),
        ]
    return "\n\n".join([*blocks, *_methods(analysis)]) + "\n"


def escaped(text: str) -> str:
    """A text that Markdown and HTML show as it is, on one line."""
    return SPECIAL.sub(_marked, visible(" ".join(text.split())))


def _marked(found: re.Match[str]) -> str:
    """One character that is no markup; a number at the start keeps its digits."""
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _gates(analysis: Analysis) -> list[str]:
    verdict = analysis.gates.verdict
    if verdict is None:
        return ["No gates were set."]
    rows = [
        [
            f"{verdict_glyph(r.verdict)} {r.verdict}",
            escaped(str(r.gate)),
            escaped(r.judge),
            escaped(r.reason),
        ]
        for r in analysis.gates.results
    ]
    return [
        f"**{verdict_glyph(verdict)} {verdict}**",
        _table(["verdict", "gate", "judge", "why"], rows),
    ]


def _judge(analysis: Analysis, judge: Judge) -> list[str]:
    return [
        f"**{escaped(judge.summary.sentence)}**",
        *_summary(judge),
        "### Where scores vary",
        *_components(judge),
        *_numerics(judge),
        *_heat_maps(analysis, judge),
        "### Flakiest items",
        *_flakiest(judge),
        "### Prompts",
        *_prompts(analysis, judge),
        "### Pass marks",
        *_marks(judge),
        "### What averaging would buy",
        *_study(judge),
        *_pairs(judge),
        "### Data",
        *_quality(judge),
    ]


def _summary(judge: Judge) -> list[str]:
    s, a = judge.summary, judge.agreement
    rows = [
        ("another room moves a score by (points)", estimate_words(s.move, "points")),
        ("the same room asked again (points)", estimate_words(s.move_again, "points")),
        (
            "expected scores of two rooms differ by (points)",
            estimate_words(s.move_expected, "points"),
        ),
        ("another room crosses the pass mark", estimate_words(s.flip, "percent")),
        ("the same room asked again crosses it", estimate_words(s.flip_again, "percent")),
        ("standard error of one score (points)", estimate_words(a.sem, "points")),
        ("dependability of one score (Phi)", estimate_words(a.phi, "ratio")),
        ("Krippendorff's alpha", estimate_words(a.alpha, "ratio")),
    ]
    if judge.gold is not None:
        rows += [
            ("bias against gold (points)", estimate_words(judge.gold.bias, "points")),
            (
                "quadratic weighted kappa of one score with gold",
                estimate_words(judge.gold.kappa_single, "ratio"),
            ),
            (
                "the same of the average of all rooms, rounded",
                estimate_words(judge.gold.kappa, "ratio"),
            ),
        ]
    known = universes([s.move, s.flip, a.sem])
    return [_table(["", ""], [[name, text] for name, text in rows]), *_note(known)]


def _note(text: str) -> list[str]:
    return [f"_{text}._"] if text else []


def _share(share: float) -> str:
    return percent(share)


def _components(judge: Judge) -> list[str]:
    rows = [
        [
            effect_name(c.effect),
            estimate_words(c.estimate, "variance"),
            _share(judge.components.share(*c.effect)),
            c.estimate.reason if c.estimate.known else "",
        ]
        for c in judge.components.components
    ]
    return [
        _table(["effect", "variance (points squared)", "share", "note"], rows),
        *_note(universes(c.estimate for c in judge.components.components)),
    ]


def _numerics(judge: Judge) -> list[str]:
    """What arithmetic alone moves, by pairs of numerical rooms."""
    if judge.numerics is None:
        return []
    rows = [
        [
            escaped(pair.one),
            escaped(pair.other),
            f"{pair.probability:.2g}",
            f"{pair.score:.2g}",
            percent(pair.modes),
        ]
        for pair in judge.numerics.pairs
    ]
    head = [
        "one numerical room",
        "the other",
        "most that a score's probability moves",
        "most that an expected score moves (points)",
        "likeliest score changes",
    ]
    return ["### What arithmetic alone moves", _table(head, rows)]


def _heat_maps(analysis: Analysis, judge: Judge) -> list[str]:
    if len(analysis.items) > MOST_ROWS or len(analysis.prompts) > MOST_COLUMNS:
        return []
    blocks = ["### Expected scores"]
    for heat_map in judge.heat_maps:
        label = ", ".join(filter(None, [heat_map.format, heat_map.order, heat_map.numerics]))
        if len(judge.heat_maps) > 1:
            blocks.append(f"Format {escaped(label)}:")
        rows = [
            [escaped(item), *(points(value) for value in heat_map.mean[row].tolist())]
            for row, item in enumerate(analysis.items)
        ]
        blocks.append(_table(["", *map(escaped, analysis.prompts)], rows))
    return blocks


def _flakiest(judge: Judge) -> list[str]:
    if not judge.flakiest:
        return ["No item was scored in two rooms."]
    rows = [
        [
            escaped(f.item),
            points(f.move),
            percent(f.flip),
            f"{points(f.low)} ({escaped(str(f.low_room))})",
            f"{points(f.high)} ({escaped(str(f.high_room))})",
            score(f.gold),
        ]
        for f in judge.flakiest
    ]
    return [_table(["item", "moves by", "flips", "lowest", "highest", "gold"], rows)]


def _prompts(analysis: Analysis, judge: Judge) -> list[str]:
    with_gold = bool((~np.isnan(analysis.gold)).any())
    head = ["prompt", "severity", "distance to the others", "pass rate", "removed mass"]
    rows = []
    for row in judge.prompts:
        line = [
            escaped(str(row.room)),
            estimate_words(row.severity, "points"),
            estimate_words(row.distance, "points"),
            estimate_words(row.pass_rate, "percent"),
            percent(row.removed_mass),
        ]
        if with_gold:
            line += [
                estimate_words(row.bias, "points"),
                estimate_words(row.kappa, "ratio"),
            ]
        rows.append(line)
    return [_table([*head, *(["bias", "kappa"] if with_gold else [])], rows)]


def _marks(judge: Judge) -> list[str]:
    rows = [
        [
            score(m.mark),
            estimate_words(m.pass_rate, "percent"),
            estimate_words(m.flip, "percent"),
            estimate_words(m.flip_again, "percent"),
            percent(m.straddle.value),
            percent(m.safe_gate),
        ]
        for m in judge.marks
    ]
    head = ["mark", "pass rate", "another room flips", "same room flips", "straddle", "safe gate"]
    return [
        _table(head, rows),
        "_Straddle: items whose rooms do not all agree. Safe gate: the highest pass rate that a "
        "run in a random room misses with a probability of 5 % at most._",
    ]


def _study(judge: Judge) -> list[str]:
    rows = [
        [
            str(p.prompts),
            "exact" if math.isinf(p.draws) else f"{p.draws:g}",
            ratio(p.phi),
            ratio(p.generalizability),
            points(p.sem),
            count(p.cost),
            duration(p.cost * judge.study.seconds),
        ]
        for p in judge.study.points
    ]
    head = ["prompts", "draws", "Phi", "E-rho^2", "SEM", "scorings per item", "time per item"]
    return [escaped(judge.study.advice), _table(head, rows)]


def _pairs(judge: Judge) -> list[str]:
    found = judge.pairwise
    if found is None:
        return []
    rows = [
        ["ratio of means (second to first)", estimate_words(found.ratio, "scaled")],
        ["mean of ratios", estimate_words(found.mean_ratio, "scaled")],
        ["points gained by being shown first", estimate_words(found.order_effect, "points")],
    ]
    if found.preferences is not None:
        p = found.preferences
        rows += [
            ["first answer wins", estimate_words(p.win, "percent")],
            ["tie", estimate_words(p.tie, "percent")],
            ["second answer wins", estimate_words(p.loss, "percent")],
            ["the two orders name different winners", estimate_words(p.order_flip, "percent")],
        ]
    return ["### Pairs", _table(["", ""], rows)]


def _quality(judge: Judge) -> list[str]:
    q = judge.quality
    kinds = ", ".join(f"{count(n)} {kind}" for kind, n in q.kinds.items())
    lines = [f"{count(q.present)} of {count(q.planned)} cells ({kinds or 'none'})"]
    if q.missing_cells:
        lines.append("missing, among others: " + "; ".join(map(escaped, q.missing_cells[:5])))
    lines += [f"{count(n)} draws failed: {escaped(why)}" for why, n in q.failures.items()]
    if not math.isnan(q.removed_mass):
        lines.append(
            f"the mask took {percent(q.removed_mass)} of the probability on average, "
            f"{percent(q.removed_mass_most)} at most"
        )
    if not math.isnan(q.numerics_floor):
        lines.append(
            f"probabilities may be off by {q.numerics_floor:.2g} for reasons of arithmetic"
        )
    if q.seed_share.known:
        lines.append(f"{percent(q.seed_share.value)} of the draw variance follows the draw's index")
    return ["\n".join(f"* {line}" for line in [*lines, *map(escaped, q.notes)])]


def _methods(analysis: Analysis) -> list[str]:
    m = analysis.methods
    lines = [
        f"{count(m.replicates)} bootstrap replicates at most, seed {m.seed}, "
        f"intervals at {100 * m.level:g} %",
        *map(escaped, m.notes),
    ]
    if m.plan_digest:
        lines.append(f"plan {escaped(m.plan_digest[:16])}")
    lines += [f"{escaped(k)}: {escaped(str(v))}" for k, v in sorted(m.environment.items())]
    if m.command:
        lines.append(f"again: {escaped(m.command)}")
    return ["## Methods", "\n".join(f"* {line}" for line in lines)]


def comparison_to_markdown(comparison: Comparison) -> str:
    """What changed from one run to another, as Markdown.

    >>> from constrained.consistency.analysis import analyse_arrays, compare
    >>> rooms = [[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0]]]  # items x prompts x scores
    >>> run = analyse_arrays(rooms, [0, 1])
    >>> comparison_to_markdown(compare(run, run)).splitlines()[0]
    '# first run and second run'
    """
    c = comparison
    blocks = [
        f"# {escaped(c.first)} and {escaped(c.second)}",
        f"{count(len(c.items))} items in both runs, paired; the second run minus the first.",
    ]
    blocks += [
        f"{count(len(alone))} items only in the {which} run."
        for which, alone in (("first", c.only_first), ("second", c.only_second))
        if alone
    ]
    if c.differences:
        blocks.append("\n".join(f"* {escaped(text)}" for text in c.differences))
    for judge in c.judges:
        blocks += _difference(judge)
    return "\n\n".join(blocks) + "\n"


def _difference(judge: JudgeDifference) -> list[str]:
    rows = [
        ["mean score", estimate_words(judge.mean, "points")],
        ["move by another room", estimate_words(judge.move, "points")],
        ["flips in another room", estimate_words(judge.flip, "percent")],
        ["distance to gold", estimate_words(judge.gold_error, "points")],
        ["standard error of one score", estimate_words(judge.sem, "points")],
        ["dependability of one score", estimate_words(judge.phi, "ratio")],
        *[[f"variance: {name}", estimate_words(e, "variance")] for name, e in judge.components],
    ]
    changed = [
        f"* {escaped(v.item)}: {points(v.before)} before, {points(v.after)} now "
        f"({'passes' if v.now_passes else 'fails'})"
        for v in judge.verdicts
    ]
    same = judge.first == judge.second
    name = judge.first if same else f"{judge.first}, then {judge.second}"
    return [
        f"## {escaped(name)}",
        _table(["", "difference"], rows),
        f"{count(len(changed))} items changed sides of the pass mark (chance {judge.chance:.2g}).",
        *(["\n".join(changed)] if changed else []),
    ]
