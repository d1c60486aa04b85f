"""`Analysis`: everything that a report shows, as frozen values in the order in which it is shown.

An analysis is made from records (`analyse`) or from arrays (`analyse_arrays`) and is complete:
whoever renders it needs no store and no model. Numbers are `Estimate`s, with an interval, what it
generalises to, and a reason when there is none; arrays are float64 with NaN for what is missing.

A *room* is one way of asking: a prompt wording, in a prompt format, in an order of the answers. A
*judge* is who is asked: a variant (model, adapter) at a temperature. Everything is said per judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from constrained.consistency.analysis.gates import GateReport
from constrained.consistency.analysis.numerics import Numerics
from constrained.consistency.statistics import (
    Estimate,
    Preferences,
    StudyPoint,
    VarianceComponents,
)
from constrained.consistency.statistics.estimate import Array
from constrained.errors import RecordError

__all__ = [
    "Agreement",
    "Analysis",
    "FlakyItem",
    "Gold",
    "HeatMap",
    "Judge",
    "Methods",
    "Pairwise",
    "PassMark",
    "Quality",
    "Room",
    "RoomRow",
    "Study",
    "Summary",
]


@dataclass(frozen=True, slots=True, order=True)
class Room:
    """One way of asking.

    `order` is empty but for pairwise judging ("ab", "ba"), `numerics` but for plans with numerical
    rooms.

    >>> str(Room("strict", "chatml")), str(Room("strict"))
    ('strict, chatml', 'strict')
    """

    prompt: str
    format: str = "plain"
    order: str = ""
    numerics: str = ""

    def __str__(self) -> str:
        shown = "" if self.format == "plain" else self.format
        return ", ".join(filter(None, [self.prompt, shown, self.order, self.numerics]))


@dataclass(frozen=True, slots=True)
class Summary:
    """One judge in score points: what another room does to a typical item.

    `sentence` says it in words. Two scores of one item are compared, each one draw:

    * `move`: their mean absolute difference when they come from two rooms, in points;
    * `move_again`: the same for two draws in one room: what the draw alone does;
    * `move_expected`: how far the *expected* scores of two rooms are apart: the room alone;
    * `flip`, `flip_again`: the probability, 0 to 1, that the pass mark lies between the two scores;
      NaN with a reason when there is no pass mark.
    """

    sentence: str
    move: Estimate
    move_again: Estimate
    move_expected: Estimate
    flip: Estimate
    flip_again: Estimate


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far one room's scores can be relied on; `sem` in points, the others at most 1.

    `phi`, `generalizability` (E-rho^2) and `sem` are those of one draw in one room, the `_expected`
    ones those of one room's expected score (endless draws); coefficients below 0 are shown as 0.
    `alpha` is Krippendorff's (interval).
    """

    sem: Estimate
    phi: Estimate
    generalizability: Estimate
    sem_expected: Estimate
    phi_expected: Estimate
    alpha: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Items x prompts in one format, order and numerical room.

    Rows follow `Analysis.items`, columns `Analysis.prompts`.

    * `mean`, `sd`: expected score and standard deviation of one draw, points, (items, prompts);
    * `probabilities`: (items, prompts, scores) over `Analysis.scale`; shares for sampled cells;
    * `draws`: how many stand behind a cell, inf for exact ones, 0 where it is missing;
    * `error`: variance of `mean` as an estimate, points squared; 0 for exact cells;
    * `passing`: probability of reaching the pass mark; NaN without a mark;
    * `removed_mass`: probability that the mask took away, NaN where unknown;
    * `texts`: some of the model's own texts, by (row, column); only where texts were drawn.
    """

    format: str
    order: str
    mean: Array
    sd: Array
    probabilities: Array
    draws: Array
    error: Array
    passing: Array
    removed_mass: Array
    texts: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    numerics: str = ""


@dataclass(frozen=True, slots=True)
class FlakyItem:
    """An item that rooms disagree on; in points, `flip` from 0 to 1.

    `move` is the mean absolute difference of two rooms (one draw each), `low` and `high` the lowest
    and highest expected score with the rooms that give them, `gold` NaN when there is none.
    """

    item: str
    row: int
    mean: float
    move: float
    flip: float
    low: float
    high: float
    low_room: Room
    high_room: Room
    gold: float


@dataclass(frozen=True, slots=True)
class RoomRow:
    """One line of the prompt table.

    `severity`: points above (lenient) or below the average room; `distance`: mean Wasserstein
    distance of its distributions to each item's pooled one, points; `bias` (points) and `kappa`
    (quadratic weighted, expected over draws) against gold; `pass_rate` 0 to 1; `removed_mass` mean.
    """

    room: Room
    mean: Estimate
    severity: Estimate
    distance: Estimate
    pass_rate: Estimate
    bias: Estimate
    kappa: Estimate
    removed_mass: float


@dataclass(frozen=True, slots=True, eq=False)
class PassMark:
    """What happens at one pass mark (score >= mark passes).

    `pass_rate` is the expected share of passes, `flip` the probability that two draws in two rooms
    fall on different sides, `flip_again` the same within one room, `straddle` the share of items
    whose rooms (one draw each) do not all agree. `gate_risk[k]` is the exact probability that one
    more run in a random room has a pass rate below ``gate_rates[k]``, `risk_low` and `risk_high`
    that of the room where it is lowest and highest. `safe_gate` is the highest pass rate that a run
    in a random room misses with probability 0.05 at most.
    """

    mark: float
    pass_rate: Estimate
    flip: Estimate
    flip_again: Estimate
    straddle: Estimate
    gate_rates: Array
    gate_risk: Array
    risk_low: Array
    risk_high: Array
    safe_gate: float


@dataclass(frozen=True, slots=True)
class Study:
    """The D-study: what averaging more prompts and draws would buy, and what it costs.

    `points` cost scorings per item (one model call, or one draw); multiply by `seconds` (per call,
    NaN when unknown) for time. `needed` is the fewest prompts for a Phi of `target`, with the
    expected score of exact cells or else one draw each; `cheapest` is that plan, `advice` says it.
    """

    points: tuple[StudyPoint, ...]
    target: float
    needed: Estimate
    cheapest: StudyPoint | None
    seconds: float
    advice: str


@dataclass(frozen=True, slots=True)
class Gold:
    """Agreement with gold scores over `items` of them.

    `bias` (points, above 0 is lenient) and `kappa` (quadratic weighted, full scale) of the average
    of all rooms, rounded to the scale; `kappa_single`: of one draw in a random room.
    """

    items: int
    bias: Estimate
    standardised_bias: Estimate
    kappa: Estimate
    kappa_single: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Pairwise:
    """Two answers judged together; the grid's score is then first answer minus second, in points.

    `ratio` is LLaVA's relative score (100 mean second / mean first), `mean_ratio` the mean of
    ratios, percent. `order_effect`: points gained by being shown first; `preferences` need both
    orders. `joint` is the mean joint distribution (first's score, second's score) over `scores`.
    """

    ratio: Estimate
    mean_ratio: Estimate
    order_effect: Estimate
    preferences: Preferences | None
    scores: tuple[float, ...]
    joint: Array


@dataclass(frozen=True, slots=True)
class Quality:
    """What the numbers of one judge rest on.

    `kinds` counts cells by how they were scored; `missing_cells` names some of the missing ones,
    `failures` counts draws without a score by reason, `few` names what is too little. Removed mass
    is 0 to 1; `numerics_floor` how far probabilities may be off; `seed_share` is near 0 unless
    seeds were reused. None or NaN: not known.
    """

    planned: int
    present: int
    kinds: Mapping[str, int]
    missing_cells: tuple[str, ...]
    failures: Mapping[str, int]
    removed_mass: float
    removed_mass_most: float
    numerics_floor: float
    seed_share: Estimate
    seconds: float
    prompt_tokens: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """All that is said of one variant at one temperature."""

    name: str
    variant: str
    temperature: float
    rooms: tuple[Room, ...]
    summary: Summary
    components: VarianceComponents
    agreement: Agreement
    heat_maps: tuple[HeatMap, ...]
    flakiest: tuple[FlakyItem, ...]
    prompts: tuple[RoomRow, ...]
    marks: tuple[PassMark, ...]
    study: Study
    gold: Gold | None
    pairwise: Pairwise | None
    quality: Quality
    numerics: Numerics | None = None

    @property
    def item_means(self) -> Array:
        """Each item's expected score, every room alike; (items,), NaN without a room."""
        cells = np.concatenate([h.mean for h in self.heat_maps], axis=1)
        seen = ~np.isnan(cells)
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Array = np.where(seen, cells, 0.0).sum(axis=1) / seen.sum(axis=1)
        return means


@dataclass(frozen=True, slots=True)
class Methods:
    """How the numbers came about: settings, environment, and the command that repeats the run."""

    replicates: int
    seed: int
    level: float
    plan_digest: str = ""
    command: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Everything about one run.

    `scale` are the scores that can be given, ascending; `gold` is (items,), NaN where unknown.
    `judges` come in the plan's order; the first one is the one that headlines are about. `across`
    are the components of all facets together (variant and temperature too), None with one judge.
    `item_texts` and `prompt_texts` are what the plan says, by name; empty when it is not at hand.
    """

    title: str
    items: tuple[str, ...]
    prompts: tuple[str, ...]
    scale: tuple[float, ...]
    pass_mark: float | None
    gold: Array
    gates: GateReport
    judges: tuple[Judge, ...]
    across: VarianceComponents | None
    methods: Methods
    item_texts: Mapping[str, str] = field(default_factory=dict)
    prompt_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def facets(self) -> dict[str, tuple[str, ...]]:
        """The levels of every facet of the grid, by name; ``order`` only where it has levels."""
        rooms = [room for judge in self.judges for room in judge.rooms]
        found = {
            "item": self.items,
            "prompt": self.prompts,
            "format": tuple(dict.fromkeys(room.format for room in rooms)),
            "order": tuple(dict.fromkeys(room.order for room in rooms if room.order)),
            "numerics": tuple(dict.fromkeys(room.numerics for room in rooms if room.numerics)),
            "variant": tuple(dict.fromkeys(judge.variant for judge in self.judges)),
            "temperature": tuple(dict.fromkeys(f"{j.temperature:g}" for j in self.judges)),
        }
        return {name: levels for name, levels in found.items() if levels}

    def judge(self, name: str) -> Judge:
        """The judge of that name. Raises `RecordError` when there is none."""
        for judge in self.judges:
            if judge.name == name:
                return judge
        raise RecordError(
            f"no judge {name!r} in this analysis (there are: "
            f"{', '.join(judge.name for judge in self.judges)})"
        )
