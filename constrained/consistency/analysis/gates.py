"""Gates: bounds that a judge must keep, decided by intervals into pass, fail, not enough data."""

from __future__ import annotations

from dataclasses import dataclass

from constrained.consistency.statistics import Estimate, Verdict

__all__ = ["Gate", "GateReport", "GateResult"]


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on one number; `name` is one of `GATES` (docs/reference/analysis.md lists them).

    `at` is the pass rate, 0 to 1, that ``max_gate_risk`` is about. `judge` is the name of the judge
    that is held to it, or a variant's name; "" means every judge.
    """

    name: str
    bound: float
    at: float | None = None
    judge: str = ""

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
