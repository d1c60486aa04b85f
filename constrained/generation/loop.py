"""The decoding loop: a batch of rows, each jumping over what is certain in one pass.

A row's certain tokens go into the same pass as the token chosen before them, so a pass is spent
only where the model has a choice. An output at which nothing can follow ends without a pass. Where
few choices can come at all (`1` may become `10`), the first pass scores them along with the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.generation.branches import BranchRows
from constrained.generation.guide import ENDED, Guide
from constrained.generation.model import LanguageModel
from constrained.generation.result import FinishReason
from constrained.generation.rows import SHARE_FROM, ModelRows, Tree, parts_of
from constrained.generation.sampling import Sampling
from constrained.vocabulary import Vocabulary

__all__ = ["Row", "decode"]


LOOK_AHEAD = 16
"""The first pass may look ahead by one token for this many tokens of the prompt."""

MOST_BRANCHES = 32
"""Rows after one prompt up to which they share one row of the model: each sees the others' slots,
masked, so many long rows would cost more than copies."""

Scored = tuple[NDArray[np.float32], list[float]]
"""Logits, shape (n, width), and the log of the sum of exponentials of each row."""


@dataclass(eq=False)
class Row:
    """One output in the making. `guide` None is a free row; `strict` keeps it inside its budget."""

    prompt: Sequence[int]
    guide: Guide | None
    vocabulary: Vocabulary
    sampling: Sampling
    generator: np.random.Generator
    budget: int
    strict: bool = True
    ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    token_logprobs: list[float | None] = field(default_factory=list)
    removed_mass: list[float | None] = field(default_factory=list)
    passes: int = 0
    finish_reason: FinishReason | None = None
    node: int = ENDED
    fed: int = 0
    trail: list[int] = field(default_factory=list)
    """The node after each id."""
    ahead: dict[int, tuple[NDArray[np.float32], float]] = field(default_factory=dict)
    """Logits that the first pass found at nodes below its head, with their totals."""
    until: Callable[[Row], bool] | None = None
    """Ends the row early, asked whenever its tokens have grown."""

    def begin(self) -> None:
        """Enter the guide and append what is certain from the start."""
        if self.guide is not None:
            self.node = self.guide.start
        self._jump()

    @property
    def complete(self) -> bool:
        """The output may end where it stands."""
        return self.guide is None or self.guide.accepting(self.node)

    @property
    def waiting(self) -> list[int]:
        """Tokens appended but not yet given to the model."""
        return self.ids[self.fed :]

    def look_ahead(self, most: int) -> tuple[Tree, list[int]]:
        """Where the output may choose later, as a tree below what is certain; and its nodes."""
        if self.guide is None:
            return Tree(), []
        return self.guide.ahead(self.node, most)

    def read(self, scored: Scored, first: int) -> None:
        """Take the logits of a pass, and choose the next token where none is certain.

        They score, in order, the ids from place `first` on, and the one after them when all known
        ids have been fed.
        """
        self.passes += 1
        for place, (row, total) in enumerate(zip(*scored, strict=True), start=first):
            if place == len(self.token_logprobs):
                self._take(row, total)
        while self.finish_reason is None and self.trail:
            known = self.ahead.get(self.trail[len(self.token_logprobs) - 1])
            if known is None:
                break
            self._take(*known)

    def _take(self, scores: NDArray[np.float32], total: float) -> None:
        """Score the next id that has no score, or choose it."""
        place = len(self.token_logprobs)
        if place == len(self.ids):
            self._choose(scores, total)
            return
        logprob = min(float(scores[self.ids[place]]) - total, 0.0)
        self.token_logprobs.append(logprob)
        self.removed_mass.append(-float(np.expm1(logprob)))

    def close(self) -> None:
        """Mark the certain tokens at the end, which needed no pass, as not scored."""
        missing = len(self.ids) - len(self.token_logprobs)
        self.token_logprobs += [None] * missing
        self.removed_mass += [None] * missing

    def cancel(self) -> None:
        """End here, wherever that is."""
        self.finish_reason = "cancelled"
        self.close()

    def _choose(self, scores: NDArray[np.float32], total: float) -> None:
        """Draw the next token, or the end, from what the mask allows; then jump."""
        allowed = self._allowed(None, len(scores))
        token, removed, local = self._draw(scores, allowed, total)
        following = self._after(token)
        left = self.budget - len(self.ids) - 1
        if self.strict and self.guide is not None and self.guide.cost(following) > left:
            # Drawing again inside the budget's own mask gives exactly its distribution.
            allowed = self._allowed(left + 1, len(scores))
            token, removed, local = self._draw(scores, allowed, total)
            following = self._after(token)
        self.logprob += local
        if token in self.vocabulary.end_ids:
            self.finish_reason = "stop"
            return
        self.node = following
        self.ids.append(token)
        self.trail.append(following)
        self.token_logprobs.append(min(float(scores[token]) - total, 0.0))
        self.removed_mass.append(removed)
        self._jump()

    def _allowed(self, budget: int | None, width: int) -> NDArray[np.int32]:
        if self.guide is None:
            return np.arange(width, dtype=np.int32)
        return self.guide.allowed(self.node, budget)

    def _after(self, token: int) -> int:
        return ENDED if self.guide is None else self.guide.advance(self.node, token)

    def _draw(
        self, scores: NDArray[np.float32], allowed: NDArray[np.int32], total: float
    ) -> tuple[int, float, float]:
        """A token, the probability that the mask removed, the token's local log-probability."""
        logits = scores[allowed].astype(np.float64)
        probabilities = self.sampling.probabilities(logits)
        at = self.sampling.draw(probabilities, self.generator)
        best = logits.max()
        inside = best + float(np.log(np.exp(logits - best).sum()))
        removed = max(0.0, -float(np.expm1(min(inside - total, 0.0))))
        greedy = self.sampling.temperature == 0
        local = float(logits[at]) - inside if greedy else float(np.log(probabilities[at]))
        return int(allowed[at]), removed, local

    def _jump(self) -> None:
        """Append the tokens that are certain; notice when nothing can follow or fit."""
        guide = self.guide
        if self._over():
            return
        if guide is not None:
            while True:
                left = self.budget - len(self.ids)
                run = guide.forced(self.node, left if self.strict else None)[:left]
                if not run:
                    break
                for token in run:
                    self.node = guide.advance(self.node, token)
                    self.trail.append(self.node)
                self.ids.extend(run)
                if self._over():
                    return
            if guide.final(self.node):
                self.finish_reason = "stop"
                return
        if len(self.ids) >= self.budget:
            self.finish_reason = "length"

    def _over(self) -> bool:
        """Whether `until` ends the row here."""
        if self.until is not None and self.until(self):
            self.finish_reason = "stop"
        return self.finish_reason is not None


def decode(
    model: LanguageModel, rows: Sequence[Row], *, apart: bool = False
) -> Generator[None, None, None]:
    """Run all rows to their end, yielding after every pass; each row keeps its own record.

    Rows with the same prompt and the same certain head share the first pass. Rows that have ended
    leave the batch. `apart` gives every row passes of its own, so that not even the last bit of a
    logit depends on its neighbours; rows that ask the same still share their first pass.
    """
    for row in rows:
        row.begin()
    yield
    live = [row for row in rows if row.finish_reason is None]
    for group in _alike(live) if apart else [live] if live else []:
        batch, going = _first_pass(model, group, apart=apart)
        yield
        if apart:
            for place, row in enumerate(going):
                yield from _go_on(model, batch.only(place), [row])
        else:
            yield from _go_on(model, batch, going)
    for row in rows:
        row.close()


def _alike(live: Iterable[Row]) -> list[list[Row]]:
    """The rows in groups that start the same way, as a row alone would start."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in live:
        groups.setdefault((tuple(row.prompt), row.guide, tuple(row.ids)), []).append(row)
    return list(groups.values())


def _go_on(model: LanguageModel, batch: ModelRows, live: list[Row]) -> Iterator[None]:
    """The passes after the first one."""
    while live:
        chunks = _chunks(model, live)
        passed = _scored(batch.extend(chunks))
        for row, chunk, scored in zip(live, chunks, passed, strict=True):
            row.fed += len(chunk)
            row.read(scored, row.fed - len(chunk) + 1)
        live = _drop_ended(batch, live)
        yield


def _chunks(model: LanguageModel, live: Sequence[Row]) -> list[list[int]]:
    """What each row feeds next: all it has, or as much as every row has."""
    waiting = [row.waiting for row in live]
    if model.in_step:
        least = min(len(tokens) for tokens in waiting)
        return [tokens[:least] for tokens in waiting]
    return waiting


def _first_pass(
    model: LanguageModel, live: list[Row], *, apart: bool
) -> tuple[ModelRows, list[Row]]:
    """The prompts with what is certain after them, and the choices that may come soon."""
    heads = _chunks(model, live)
    most = [max(1, len(row.prompt) // LOOK_AHEAD) for row in live]
    if model.fits_trees([row.prompt for row in live], max(most) + max(map(len, heads))):
        trees = [row.look_ahead(tokens) for row, tokens in zip(live, most, strict=True)]
    else:
        trees = [(Tree(), [])] * len(live)
    places: dict[tuple[tuple[int, ...], tuple[int, ...], Tree], int] = {}
    index = [
        places.setdefault((tuple(row.prompt), tuple(head), tree), len(places))
        for row, head, (tree, _) in zip(live, heads, trees, strict=True)
    ]
    asked = list(places)
    batches: list[ModelRows] = []
    at: dict[int, int] = {}
    scored: dict[int, tuple[Scored, Scored]] = {}
    for part in parts_of(model, [prompt for prompt, _, _ in asked]):
        batch = ModelRows(model)
        found = _begin(batch, [asked[place] for place in part])
        for place, both in zip(part, found, strict=True):
            at[place] = len(at)
            scored[place] = both
        batches.append(batch)
    for row, head, (_, nodes), place in zip(live, heads, trees, index, strict=True):
        above, below = scored[place]
        row.fed = len(head)
        row.ahead = dict(zip(nodes, zip(*below, strict=True), strict=True))
        row.read(above, 0)
        row.ahead = {}
    going = [i for i, row in enumerate(live) if row.finish_reason is None]
    if not going:
        return batches[0], []
    if len(asked) == 1 and not apart and _branches(model, asked[0][0], len(going)):
        return BranchRows(batches[0], len(going)), [live[i] for i in going]
    batch = ModelRows.joined(batches)
    batch.select([at[index[i]] for i in going])
    return batch, [live[i] for i in going]


def _branches(model: LanguageModel, prompt: Sequence[int], rows: int) -> bool:
    """Whether rows after one prompt are better kept in one row of the model than copied."""
    return model.takes_trees and 1 < rows <= MOST_BRANCHES and len(prompt) >= SHARE_FROM


def _begin(
    batch: ModelRows, asked: Sequence[tuple[tuple[int, ...], tuple[int, ...], Tree]]
) -> list[tuple[Scored, Scored]]:
    """What one pass says after the prompts and heads, and below them in the trees."""
    prompts, heads, trees = (list(part) for part in zip(*asked, strict=True))
    if any(tree.tokens for tree in trees):
        found = batch.begin_with_trees(prompts, heads, trees)
        above = _scored([logits for logits, _ in found])
        return list(zip(above, _scored([logits for _, logits in found]), strict=True))
    return [(one, (one[0][:0], [])) for one in _scored(batch.begin(prompts, heads))]


def _drop_ended(batch: ModelRows, live: Sequence[Row]) -> list[Row]:
    """The rows that go on, and the batch cut down to them."""
    kept = [i for i, row in enumerate(live) if row.finish_reason is None]
    if kept:
        batch.select(kept)
    return [live[i] for i in kept]


def _scored(logits: Sequence[torch.Tensor]) -> list[Scored]:
    """The logits of every row on the CPU in float32, with their totals: one transfer for all."""
    scores = torch.cat(list(logits)).detach().to("cpu", torch.float32)
    totals = torch.logsumexp(scores, dim=-1).tolist()
    rows, found, first = scores.numpy(), [], 0
    for row in logits:
        found.append((rows[first : first + len(row)], totals[first : first + len(row)]))
        first += len(row)
    return found
