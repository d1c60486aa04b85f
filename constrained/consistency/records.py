"""The records of a run: what is known of each cell, as it is stored and reported.

Records come first and reports later: a report reads these and never a model.

A *cell* is one place of the grid (item x prompt x format x variant x temperature, and numerics
where a plan has numerical rooms). Its `Address` says which one; its `key` is the hash of
everything that decides its value (texts, format, model and adapter hashes, scoring, seed), so equal
keys mean equal results, whatever run they came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

__all__ = ["Address", "Arithmetic", "CellRecord", "Draw", "Kind", "Score"]

Score: TypeAlias = float | tuple[float, float]
"""A score, or the two scores of a pairwise judgement (first answer shown, second answer shown)."""

Kind: TypeAlias = Literal["exact", "sampled", "mode", "reasoned", "imported"]
"""How a cell was scored.

* `exact`: the model's distribution over all scores; no draws.
* `sampled`: draws only.
* `mode`: the likeliest output alone (what temperature 0 would say).
* `reasoned`: free text is drawn, and the score's distribution is exact given each text.
* `imported`: scores that came from elsewhere; draws only.
"""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Which cell of the grid: the level of every facet, by name.

    `order` is empty but for pairwise judging, where it is "ab" (the item's first answer is shown
    first) or "ba". `numerics` is the name of the numerical room ("bfloat16, batch 8"), empty where
    a plan has none.

    >>> Address("essay-1", "p1")
    Address(item='essay-1', prompt='p1', format='plain', variant='model', temperature=1.0, order='')
    """

    item: str
    prompt: str
    format: str = "plain"
    variant: str = "model"
    temperature: float = 1.0
    order: str = ""
    numerics: str = ""

    def __repr__(self) -> str:
        named = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self)]
        return f"Address({', '.join(named if self.numerics else named[:-1])})"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """With which arithmetic a cell was computed: what moves a score and is no part of the prompt.

    `batch` is how many prompts really shared the pass; above 1 a cell's last bits depend on the
    others. `adapter` is "merged", "apart", or "" without one; `attention` what the model library
    calls it. `versions` are (package, version) pairs.

    >>> Arithmetic("bfloat16", batch=8).batch
    8
    """

    dtype: str
    batch: int = 1
    attention: str = ""
    adapter: Literal["merged", "apart", ""] = ""
    device: str = ""
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw of a cell.

    `index` counts from 0 within the cell; `seed` is the seed that was used, derived by hash from
    the run's seed and the cell's address (None for imported scores). `score` is None when the text
    holds no score, with `failure` saying why. `probabilities` are those of the cell's `support`
    given this draw's text before the score (`reasoned` cells), else None.

    >>> Draw(0, None, "no idea", failure="no score").score is None
    True
    """

    index: int
    score: Score | None
    text: str = ""
    seed: int | None = None
    probabilities: tuple[float, ...] | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class CellRecord:
    """Everything known of one cell.

    `support` are the scores that the format allows, ascending; `local` the probability of each
    under masked sampling at the cell's temperature (what a draw would be drawn from), `free` under
    the free model given that it answers in the format; each None when it was not computed. For
    `reasoned` cells `local` is the mean over draws. `removed_mass` is the probability (0 to 1) that
    the mask took away, `numerics_floor` how far probabilities may be off for reasons of arithmetic
    (dtype, batch); None when unknown. `arithmetic` is what it was computed with, None when that is
    not known (servers, imported scores, stores of before). `seconds` is the time spent,
    `prompt_tokens` the tokens read.

    >>> CellRecord("1", Address("e1", "plain"), "exact", (0.0, 1.0), local=(0.25, 0.75)).local
    (0.25, 0.75)
    """

    key: str
    address: Address
    kind: Kind
    support: tuple[Score, ...] = ()
    local: tuple[float, ...] | None = None
    free: tuple[float, ...] | None = None
    removed_mass: float | None = None
    numerics_floor: float | None = None
    draws: tuple[Draw, ...] = ()
    prompt_text: str = ""
    prompt_tokens: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())
    arithmetic: Arithmetic | None = None
