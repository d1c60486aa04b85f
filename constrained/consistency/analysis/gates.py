"""Gates: bounds that a judge must keep, decided by intervals into pass, fail, not enough data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from constrained.consistency.bounds import check_bound
from constrained.consistency.statistics import (
    Estimate,
    Verdict,
    mean_gate_risk,
    unknown,
    verdict,
)
from constrained.errors import InvalidSpec

if TYPE_CHECKING:
    from constrained.consistency.analysis.results import Analysis, Judge

__all__ = ["GATES", "Gate", "GateLike", "GateReport", "GateResult", "as_gates", "check"]


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on one number; `name` is one of `GATES` (docs/reference/analysis.md lists them).

    `at` is the pass rate, 0 to 1, that ``max_gate_risk`` is about. `judge` is the name of the judge
    that is held to it, or a variant's name; "" means every judge. Raises `InvalidSpec` for a name
    that is no gate, and for a bound that decides nothing (see `check_bound`).

    >>> str(Gate("max_sem", 0.5))
    'max_sem 0.5'
    """

    name: str
    bound: float
    at: float | None = None
    judge: str = ""

    def __post_init__(self) -> None:
        check_bound(self.name, self.bound, self.at, where="gates")

    def __str__(self) -> str:
        at = "" if self.at is None else f" at a pass rate of {self.at:g}"
        return f"{self.name} {self.bound:g}{at}"


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate held against one judge; `reason` says in one sentence why the verdict is that."""

    gate: Gate
    judge: str
    verdict: Verdict
    estimate: Estimate
    reason: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """All gates against all judges.

    >>> GateReport(()).verdict is None
    True
    """

    results: tuple[GateResult, ...]

    @property
    def verdict(self) -> Verdict | None:
        """Fail when one gate fails, else not enough data when one cannot tell, else pass.

        None when there are no gates.
        """
        found = {result.verdict for result in self.results}
        order: tuple[Verdict, ...] = ("fail", "not enough data", "pass")
        return next((verdict for verdict in order if verdict in found), None)

    @property
    def exit_code(self) -> int:
        """0 pass (or no gates), 1 fail, 2 not enough data."""
        return {"pass": 0, "fail": 1, "not enough data": 2, None: 0}[self.verdict]


class GateLike(Protocol):
    """What a plan says of a gate."""

    @property
    def name(self) -> str:
        """One of `GATES`."""

    @property
    def bound(self) -> float:
        """What the number is held against."""

    @property
    def at(self) -> float | None:
        """The pass rate of ``max_gate_risk``."""

    @property
    def judge(self) -> str:
        """Whom it is for; "": every judge."""


Reader = Callable[["Judge", "Analysis", Gate], Estimate]


def _exactly(value: float, missing: str) -> Estimate:
    return unknown(missing) if math.isnan(value) else Estimate(value)


def _gate_risk(judge: Judge, analysis: Analysis, gate: Gate) -> Estimate:
    """The exact risk of every room at the pass mark; its mean over rooms like these."""
    if analysis.pass_mark is None:
        return unknown("no pass mark")
    passing = np.concatenate([h.passing for h in judge.heat_maps], axis=1)
    return mean_gate_risk(passing, gate.at or 0.0, level=analysis.methods.level)


def _kappa(judge: Judge, analysis: Analysis, gate: Gate) -> Estimate:  # noqa: ARG001
    return judge.gold.kappa_single if judge.gold else unknown("no gold scores")


def _bias(judge: Judge, analysis: Analysis, gate: Gate) -> Estimate:  # noqa: ARG001
    """The absolute value of the bias; an interval around 0 begins at 0."""
    if judge.gold is None:
        return unknown("no gold scores")
    found = judge.gold.bias
    ends = sorted((abs(found.low), abs(found.high)))
    low = 0.0 if found.low <= 0.0 <= found.high else ends[0]
    return replace(found, value=abs(found.value), low=low, high=ends[1])


def _read(attribute: str) -> Reader:
    """The reader of a judge's dotted attribute."""
    read: Callable[[Judge], Estimate] = attrgetter(attribute)
    return lambda judge, *_: read(judge)


GATES: Mapping[str, tuple[str, Reader]] = {
    "max_sem": (
        "standard error of measurement of one draw in one room, points",
        _read("agreement.sem"),
    ),
    "max_expected_sem": (
        "standard error of measurement of one room's expected score, points",
        _read("agreement.sem_expected"),
    ),
    "max_move": ("how far another room moves a typical item, points", _read("summary.move")),
    "max_expected_move": (
        "how far another room moves an expected score, points",
        _read("summary.move_expected"),
    ),
    "max_flip_rate": ("probability that another room crosses the pass mark", _read("summary.flip")),
    "max_gate_risk": ("probability that one more run misses the pass rate `at`", _gate_risk),
    "max_bias": ("distance of the mean score from gold, points", _bias),
    "max_removed_mass": (
        "the most probability that the mask took from a cell",
        lambda judge, *_: _exactly(judge.quality.removed_mass_most, "removed mass is not known"),
    ),
    "max_missing": (
        "share of planned cells without a score",
        lambda judge, *_: _exactly(
            1.0 - judge.quality.present / max(judge.quality.planned, 1), "no cells"
        ),
    ),
    "min_phi": ("dependability of one draw in one room", _read("agreement.phi")),
    "min_expected_phi": (
        "dependability of one room's expected score",
        _read("agreement.phi_expected"),
    ),
    "min_alpha": ("Krippendorff's alpha of one draw in each room", _read("agreement.alpha")),
    "min_kappa": ("quadratic weighted kappa of one draw in one room with gold", _kappa),
}
"""Every gate: what it bounds, and how it is read off a judge. `max_` bounds from above."""


def as_gates(gates: Mapping[str, Any] | Iterable[GateLike]) -> tuple[Gate, ...]:
    """Gates of a plan, or of a mapping of names to bounds: numbers or {bound, at, judge}.

    Raises `InvalidSpec` for what is no gate.

    >>> as_gates({"max_sem": 0.5, "max_gate_risk": {"bound": 0.05, "at": 0.8}})[1].at
    0.8
    """
    if not isinstance(gates, Mapping):
        return tuple(
            g if isinstance(g, Gate) else Gate(g.name, g.bound, g.at, g.judge) for g in gates
        )
    found = []
    for name, bound in gates.items():
        parts = dict(bound) if isinstance(bound, Mapping) else {"bound": bound}
        strange = set(parts) - {"bound", "at", "judge"}
        if strange or "bound" not in parts:
            what = f"has no {sorted(strange)[0]!r}" if strange else "has no bound"
            raise InvalidSpec(
                f"gate {name} {what}", where="gates", hint="give bound, at (a pass rate), judge"
            )
        try:
            numbers = {key: float(parts[key]) for key in ("bound", "at") if key in parts}
        except (TypeError, ValueError) as error:
            raise InvalidSpec(f"the bound of {name} is no number", where="gates") from error
        found.append(Gate(name, numbers["bound"], numbers.get("at"), str(parts.get("judge", ""))))
    return tuple(found)


def check(analysis: Analysis, gates: Mapping[str, Any] | Iterable[GateLike]) -> GateReport:
    """Hold every gate against every judge it names.

    A gate passes only when the whole interval clears its bound, fails when the whole interval is on
    the wrong side, and otherwise there is not enough data. A number that is exact for the cells at
    hand and has no interval is judged by itself. A gate for a judge that is not there has not
    enough data.

    >>> from constrained.consistency.analysis import analyse_arrays
    >>> rooms = [[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0]]]  # items x prompts x scores
    >>> report = check(analyse_arrays(rooms, [0, 1]), {"max_missing": 0.1, "max_sem": 0.01})
    >>> [(result.gate.name, str(result.verdict)) for result in report.results], report.exit_code
    ([('max_missing', 'pass'), ('max_sem', 'fail')], 1)
    """
    results = []
    for gate in as_gates(gates):
        judges = [j for j in analysis.judges if gate.judge in ("", j.name, j.variant)]
        for judge in judges:
            estimate = GATES[gate.name][1](judge, analysis, gate)
            held = _held(gate, judge.name, estimate)
            caution = _numerical(gate, estimate, judge)
            results.append(replace(held, reason=f"{held.reason}{caution}"))
        if not judges:
            results.append(_held(gate, gate.judge, unknown(f"there is no judge {gate.judge!r}")))
    return GateReport(tuple(results))


IN_POINTS = ("max_sem", "max_expected_sem", "max_move", "max_expected_move", "max_bias")
OF_PASSING = ("max_flip_rate", "max_gate_risk")


def _numerical(gate: Gate, estimate: Estimate, judge: Judge) -> str:
    """A caution where other arithmetic moves a score further than the gate's margin; "" for none.

    Held against the margin is the most that the judge's numerical rooms move an expected score
    (gates in points) or a probability to pass (gates about the pass mark).
    """
    if judge.numerics is None or not estimate.known:
        return ""
    if gate.name in IN_POINTS:
        room, what = judge.numerics.most, "an expected score by up to {:.2g} points"
    elif gate.name in OF_PASSING:
        room, what = judge.numerics.passing, "a probability to pass by up to {:.2g}"
    else:
        return ""
    margin = abs(estimate.value - gate.bound)
    if math.isnan(room) or margin >= room:
        return ""
    return (
        f"; caution: the margin of {margin:.2g} is smaller than the numerical room: other "
        f"arithmetic moves {what.format(room)}, so a run elsewhere may decide otherwise"
    )


def _held(gate: Gate, judge: str, estimate: Estimate) -> GateResult:
    upper = gate.name.startswith("max_")
    bounds = {"at_most": gate.bound} if upper else {"at_least": gate.bound}
    found = verdict(estimate, **bounds)
    what = GATES[gate.name][0].replace("`at`", f"{gate.at:g}" if gate.at is not None else "")
    if not estimate.known:
        why = estimate.reason
    elif not estimate.bounded:
        why = f"it is {estimate.value:.4g}" + (f" ({estimate.reason})" if estimate.reason else "")
    else:
        why = f"{estimate.value:.4g}, between {estimate.low:.4g} and {estimate.high:.4g}"
    limit = f"{'at most' if upper else 'at least'} {gate.bound:g}"
    return GateResult(gate, judge, found, estimate, f"{what}: {why}; the gate asks for {limit}")
