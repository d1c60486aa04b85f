r"""Pairwise judging in LLaVA's style: two answers, a line with two scores, then the explanation.

The judge sees a question and two answers, writes ``8 7`` and a line break, and only then explains.
Because the scores come first, their joint distribution is exact: it does not depend on an
explanation that is yet to come. A plan scores it with ``spec: "{first:1..10} {second:1..10}\n"``
and ``scoring: pairwise``, each pair in both orders; this module has the format, a wording, the
reader of finished judgements, and the tables that the statistics take.

Source of the protocol: Liu et al. 2023 (LLaVA), after Vicuna's GPT-4 reviews. Two things differ on
purpose: a judgement that cannot be read is a failure (theirs counted as -1 and -1, and was averaged
in), and each pair is shown in both orders.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from constrained.consistency.records import CellRecord, Score
from constrained.consistency.scores import read_score
from constrained.consistency.statistics import Estimate, joint_scores, ratio_of_means
from constrained.consistency.statistics.estimate import Array
from constrained.errors import RecordError
from constrained.spec.spec import Spec
from constrained.spec.template import template

__all__ = [
    "JUDGE_WORDING",
    "JointTables",
    "joint_tables",
    "judgement_line",
    "read_judgement",
    "relative_score",
]

JUDGE_WORDING = """\
[Question]
{question}

[Answer 1]
{first}

[Answer 2]
{second}

Judge how helpful, relevant, accurate and detailed the two answers to the question are. Give each a
score from 1 to 10; higher is better. The order in which the answers stand must not matter. Write
one line with the two scores and nothing else, the score of answer 1 first, with a space between
them. Explain your judgement after that line.

"""
"""A wording for plans whose items have a question and two answers."""


def judgement_line(low: int = 1, high: int = 10, *, half_points: bool = False) -> Spec[Any]:
    r"""The line of a judgement: two scores with a space between them, and a line break.

    The value is ``{"first": ..., "second": ...}``. `half_points` allows scores such as 8.5, which
    31 of LLaVA's 640 published scores are, though its wording asks for whole numbers from 1 to 10.

    >>> judgement_line().parse("8 7\n")
    {'first': 8, 'second': 7}
    >>> judgement_line(half_points=True).summary().outputs
    361
    """
    hole = f"{low}..{high} step 0.5" if half_points else f"{low}..{high}"
    return template(f"{{first:{hole}}} {{second:{hole}}}\n")


def read_judgement(
    text: str, line: Spec[Any] | None = None, *, scale: Collection[float] = ()
) -> tuple[Score | None, str]:
    r"""The two scores on the first line of a finished judgement, or None and why there are none.

    `line` is the format of the line (`judgement_line()`); what follows it is the explanation and
    is not looked at. `scale` narrows the scores that may stand there.

    >>> read_judgement("8 7\nAnswer 1 says more.")
    ((8.0, 7.0), '')
    >>> read_judgement("Both are good.")[0] is None
    True
    """
    head = text.split("\n", 1)[0] + "\n"
    score, failure = read_score(line if line is not None else judgement_line(), head)
    if isinstance(score, tuple) and scale and not set(score) <= set(scale):
        return None, f"{score} is not on the scale"
    return score, failure


@dataclass(frozen=True, slots=True, eq=False)
class JointTables:
    """Joint distributions of the two scores, float64, in both orders; NaN where a table is missing.

    `straight` has the shape (items, score of A, score of B) and comes from A shown first, `swapped`
    (items, score of B, score of A) from B shown first: as `statistics.preferences` takes them.
    `scores` are the values of both axes, ascending, in points.
    """

    items: tuple[str, ...]
    scores: tuple[float, ...]
    straight: Array
    swapped: Array

    @property
    def expected(self) -> tuple[Array, Array]:
        """Expected scores of A and of B, (items, orders), in points; the orders are ab and ba."""
        ab, ba = joint_scores(self.straight, self.scores), joint_scores(self.swapped, self.scores)
        return np.column_stack([ab.first, ba.second]), np.column_stack([ab.second, ba.first])


def joint_tables(
    records: Iterable[CellRecord], *, items: Iterable[str] = (), **levels: str | float
) -> JointTables:
    """The tables of pairwise records: one cell per item and order, on one scale.

    `levels` choose the cells (``prompt="plain"``, ``variant="tuned"``); `items` name rows that
    have to be there. Draws count as shares; draws without scores are left out. Raises `RecordError`
    when two cells stand for one table, and for records of single scores.

    >>> joint_tables([]).items
    ()
    """
    chosen = [r for r in records if all(getattr(r.address, k) == v for k, v in levels.items())]
    cells: dict[tuple[str, str], CellRecord] = {}
    for record in chosen:
        place = (record.address.item, record.address.order)
        if place[1] not in ("ab", "ba"):
            raise RecordError(f"{record.address}: a pairwise judgement has the order ab or ba")
        if place in cells:
            raise RecordError(
                f"{record.address} and {cells[place].address} are one table; choose one with "
                "prompt=..., variant=..., format=... or temperature=..."
            )
        cells[place] = record
    shares = {place: _shares(record) for place, record in cells.items()}
    points = {x for found in shares.values() for pair in found for x in pair}
    points |= {x for r in chosen for pair in r.support if isinstance(pair, tuple) for x in pair}
    scores = tuple(sorted(points))
    names = tuple(dict.fromkeys([*items, *(item for item, _ in cells)]))
    tables = {
        order: np.array([_table(shares.get((item, order)), scores) for item in names]).reshape(
            len(names), len(scores), len(scores)
        )
        for order in ("ab", "ba")
    }
    return JointTables(names, scores, tables["ab"], tables["ba"])


def relative_score(tables: JointTables, *, level: float = 0.95) -> Estimate:
    """LLaVA's relative score of B against A in percent, both orders averaged: 100 mean B / mean A.

    Made from expected scores, so there is no draw in it; an item that lacks an order is left out.
    See `statistics.ratio_of_means` for the interval.

    >>> even = np.full((2, 2, 2), 0.25)
    >>> relative_score(JointTables(("q1", "q2"), (7.0, 8.0), even, even)).value
    100.0
    """
    a, b = tables.expected
    return ratio_of_means(b.mean(axis=1), a.mean(axis=1), level=level)


def _shares(record: CellRecord) -> Mapping[tuple[float, float], float]:
    """The probability, or the share of draws, of every pair of scores."""
    if record.local is not None:
        found = list(zip(record.support, record.local, strict=True))
    else:
        drawn = [draw.score for draw in record.draws if draw.score is not None]
        found = [(score, 1.0 / len(drawn)) for score in drawn]
    shares: dict[tuple[float, float], float] = {}
    for score, share in found:
        if not isinstance(score, tuple):
            raise RecordError(f"{record.address} holds single scores, not pairs of them")
        shares[score] = shares.get(score, 0.0) + share
    return shares


def _table(shares: Mapping[tuple[float, float], float] | None, scores: tuple[float, ...]) -> Array:
    """One table over all pairs; NaN when nothing is known."""
    table = np.zeros((len(scores), len(scores))) if shares else np.full((len(scores),) * 2, np.nan)
    place = {score: index for index, score in enumerate(scores)}
    for (first, second), share in (shares or {}).items():
        table[place[first], place[second]] = share
    return table
