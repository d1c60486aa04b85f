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

from constrained.generation.branches import BranchRows
from constrained.generation.device_scores import DeviceDraws, DeviceScores
from constrained.generation.guide import ENDED, Guide
from constrained.generation.heads import SHARE_FROM
from constrained.generation.model import LanguageModel
from constrained.generation.parts import parts_of
from constrained.generation.result import FinishReason
from constrained.generation.rows import ModelRows
from constrained.generation.sampling import Sampling
from constrained.generation.scores import Choice, Scores, host_scores
from constrained.generation.tree import Tree
from constrained.vocabulary import Vocabulary

__all__ = ["Row", "decode"]


LOOK_AHEAD = 16
"""The first pass may look ahead by one token for this many tokens of the prompt."""

MOST_BRANCHES = 32
"""Rows after one prompt up to which they share one row of the model: each sees the others' slots,
masked, so many long rows would cost more than copies."""

Scored = Sequence[Scores]
"""What a pass says after each of some tokens of a row."""


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
    ahead: dict[int, Scores] = field(default_factory=dict)
    """What the first pass said at nodes below its head."""
    until: Callable[[Row], bool] | None = None
    """Ends the row early, asked whenever its tokens have grown."""
    draws: DeviceDraws | None = None
    """Draws the tokens where the logits are, if that is a device it serves."""

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
        """Take what a pass says, and choose the next token where none is certain.

        It scores, in order, the ids from place `first` on, and the one after them when all known
        ids have been fed.
        """
        self.passes += 1
        for place, scores in enumerate(scored, start=first):
            if place == len(self.token_logprobs):
                self._take(scores)
        while self.finish_reason is None and self.trail:
            known = self.ahead.get(self.trail[len(self.token_logprobs) - 1])
            if known is None:
                break
            self._take(known)

    def asks(self, scored: Scored, first: int) -> list[tuple[Scores, int | Choice]]:
        """What `read` will ask, as far as it is known before."""
        known = len(self.token_logprobs)
        found: list[tuple[Scores, int | Choice]] = []
        for place, scores in enumerate(scored, start=first):
            if known <= place < len(self.ids):
                found.append((scores, self.ids[place]))
            elif place == len(self.ids):
                found.append((scores, self.choice(None)))
        return found

    def choice(self, budget: int | None) -> Choice:
        """The choice where the output stands."""
        return Choice(self.guide, self.node, budget, self.sampling, self.generator)

    def _take(self, scores: Scores) -> None:
        """Score the next id that has no score, or choose it."""
        place = len(self.token_logprobs)
        if place == len(self.ids):
            self._choose(scores)
            return
        logprob = scores.logprob(self.ids[place])
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

    def _choose(self, scores: Scores) -> None:
        """Draw the next token, or the end, from what the mask allows; then jump."""
        drawn = scores.draw(self.choice(None))
        following = self._after(drawn.token)
        left = self.budget - len(self.ids) - 1
        if self.strict and self.guide is not None and self.guide.cost(following) > left:
            # Drawing again inside the budget's own mask gives exactly its distribution.
            drawn = scores.draw(self.choice(left + 1))
            following = self._after(drawn.token)
        self.logprob += drawn.local
        if drawn.token in self.vocabulary.end_ids:
            self.finish_reason = "stop"
            return
        self.node = following
        self.ids.append(drawn.token)
        self.trail.append(following)
        self.token_logprobs.append(drawn.logprob)
        self.removed_mass.append(drawn.removed)
        self._jump()

    def _after(self, token: int) -> int:
        return ENDED if self.guide is None else self.guide.advance(self.node, token)

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
        most = batch.stride([len(chunk) for chunk in chunks])
        chunks = [chunk[:most] for chunk in chunks]
        _prepare(live, chunks)
        passed = _scored(live[0].draws, batch.extend(chunks))
        firsts = [row.fed + 1 for row in live]
        for row, chunk in zip(live, chunks, strict=True):
            row.fed += len(chunk)
        _read(live, passed, firsts)
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
    _prepare(live, heads)
    batches: list[ModelRows] = []
    at: dict[int, int] = {}
    scored: dict[int, tuple[Scored, Scored]] = {}
    for part in parts_of(model, [prompt for prompt, _, _ in asked]):
        batch = ModelRows(model)
        found = _begin(live[0].draws, batch, [asked[place] for place in part])
        for place, both in zip(part, found, strict=True):
            at[place] = len(at)
            scored[place] = both
        batches.append(batch)
    for row, head, (_, nodes), place in zip(live, heads, trees, index, strict=True):
        row.fed = len(head)
        row.ahead = dict(zip(nodes, scored[place][1], strict=True))
    _read(live, [scored[place][0] for place in index], [0] * len(live))
    for row in live:
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
    draws: DeviceDraws | None,
    batch: ModelRows,
    asked: Sequence[tuple[tuple[int, ...], tuple[int, ...], Tree]],
) -> list[tuple[Scored, Scored]]:
    """What one pass says after the prompts and heads, and below them in the trees."""
    prompts, heads, trees = (list(part) for part in zip(*asked, strict=True))
    if any(tree.tokens for tree in trees):
        found = batch.begin_with_trees(prompts, heads, trees)
        above = _scored(draws, [logits for logits, _ in found])
        return list(zip(above, _scored(draws, [logits for _, logits in found]), strict=True))
    return [(one, []) for one in _scored(draws, batch.begin(prompts, heads))]


def _drop_ended(batch: ModelRows, live: Sequence[Row]) -> list[Row]:
    """The rows that go on, and the batch cut down to them."""
    kept = [i for i, row in enumerate(live) if row.finish_reason is None]
    if kept:
        batch.select(kept)
    return [live[i] for i in kept]


def _scored(draws: DeviceDraws | None, logits: Sequence[torch.Tensor]) -> Sequence[Scored]:
    """What the logits of every row say: where they are, or on the CPU."""
    if draws is not None and draws.serves(logits[0].device):
        return draws.scores(logits)
    return host_scores(logits)


def _prepare(live: Sequence[Row], chunks: Sequence[Sequence[int]]) -> None:
    """Let the masks be made, while the model runs, of the choices that follow its pass."""
    draws = live[0].draws
    if draws is not None:
        choosing = zip(live, chunks, strict=True)
        draws.prepare(row.choice(None) for row, c in choosing if row.fed + len(c) == len(row.ids))


def _read(live: Sequence[Row], passed: Sequence[Scored], firsts: Sequence[int]) -> None:
    """Let every row read what a pass says, with one wait for the device if it is there."""
    draws = live[0].draws
    if draws is not None and isinstance(passed[0][0], DeviceScores):
        draws.answer(
            [
                ask
                for row, scored, first in zip(live, passed, firsts, strict=True)
                for ask in row.asks(scored, first)
            ]
        )
    for row, scored, first in zip(live, passed, firsts, strict=True):
        row.read(scored, first)
