"""The decoding loop: a batch of rows, each jumping over what is certain in one pass.

A row's certain tokens go into the same pass as the token chosen before them, so a pass is spent
only where the model has a choice. An output at which nothing can follow ends without a pass. Where
few choices can come at all (`1` may become `10`), the first pass scores them along with the prompt.
Later passes try the choices that are likely after what the row wrote before (`drafts`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

import torch

from constrained.generation.branches import BranchRows
from constrained.generation.device_scores import DeviceDraws, DeviceScores
from constrained.generation.drafts import Draft
from constrained.generation.heads import SHARE_FROM
from constrained.generation.model import LanguageModel
from constrained.generation.parts import parts_of
from constrained.generation.pass_cost import worth_trying
from constrained.generation.row import Row, Scored
from constrained.generation.rows import ModelRows
from constrained.generation.scores import host_scores
from constrained.generation.tree import Tree

__all__ = ["decode"]

LOOK_AHEAD = 16
"""The first pass may look ahead by one token for this many tokens of the prompt."""

MOST_BRANCHES = 32
"""Rows after one prompt up to which they share one row of the model: each sees the others' slots,
masked, so many long rows would cost more than copies."""


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
        waiting = [row.waiting for row in live]
        drafts = _drafts(model, live)
        chances = [
            [1.0] * len(tokens) + draft.chances
            for tokens, draft in zip(waiting, drafts, strict=True)
        ]
        most = batch.stride(chances)
        if model.in_step:
            most = min(most, *map(len, waiting))
        chunks = [
            [*tokens, *draft.tokens][:most] for tokens, draft in zip(waiting, drafts, strict=True)
        ]
        _prepare(live, chunks, drafts)
        passed = _scored(live[0].draws, batch.extend(chunks))
        batch.retract(_read(live, passed, chunks, drafts))
        live = _drop_ended(batch, live)
        yield


def _drafts(model: LanguageModel, live: Sequence[Row]) -> list[Draft]:
    """What each row may come to choose; nothing where that cannot be tried and taken back."""
    draws = live[0].draws
    on_device = draws is not None and draws.serves(model.device)
    if not model.takes_drafts(len(live)):
        return [Draft([row.node]) for row in live]
    least = worth_trying(len(live), model.device.type)
    return [
        # A device draws ahead, so each try would use up a random number.
        Draft([row.node]) if on_device and row.sampling.temperature else row.draft(least)
        for row in live
    ]


def _first_pass(
    model: LanguageModel, live: list[Row], *, apart: bool
) -> tuple[ModelRows, list[Row]]:
    """The prompts with what is certain after them, and the choices that may come soon."""
    heads = [row.waiting for row in live]
    if model.in_step:
        least = min(map(len, heads))
        heads = [head[:least] for head in heads]
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
    drafts = [Draft([row.node]) for row in live]
    _prepare(live, heads, drafts)
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
    for row, (_, nodes), place in zip(live, trees, index, strict=True):
        row.ahead = dict(zip(nodes, scored[place][1], strict=True))
    _read(live, [scored[place][0] for place in index], heads, drafts)
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


def _prepare(live: Sequence[Row], chunks: Sequence[Sequence[int]], drafts: Sequence[Draft]) -> None:
    """Let the masks be made, while the model runs, of the choices that follow its pass."""
    draws = live[0].draws
    if draws is not None:
        draws.prepare(
            row.choice(None, node)
            for row, chunk, draft in zip(live, chunks, drafts, strict=True)
            for node in draft.asked(row.fed + len(chunk) - len(row.ids))
        )


def _read(
    live: Sequence[Row],
    passed: Sequence[Scored],
    chunks: Sequence[Sequence[int]],
    drafts: Sequence[Draft],
) -> list[int]:
    """Let every row read what a pass says, with one wait for the device if it is there.

    Gives how many of the tokens that each row fed are to be taken back.
    """
    draws = live[0].draws
    if draws is not None and isinstance(passed[0][0], DeviceScores):
        draws.answer(
            [
                ask
                for row, scored, chunk, draft in zip(live, passed, chunks, drafts, strict=True)
                for ask in row.asks(scored, chunk, draft)
            ]
        )
    return [
        row.read(scored, chunk) for row, scored, chunk in zip(live, passed, chunks, strict=True)
    ]
