"""Exact probabilities of all outputs of finite specs, from as few passes as the model allows.

What a model has to say about a tree of token paths is kept as logits (`Scores`), and any
temperature is answered from them (`distribution_of`). Trees after one prompt are scored as one, in
the prompt's own pass where they are small, else in passes over its cache; prompts are padded into
one pass where they are of similar length. A leaf needs no scoring: its probability comes from the
node before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.errors import GenerationError
from constrained.generation.distribution import Distribution, Outcome
from constrained.generation.heads import SHARE_FROM
from constrained.generation.model import LanguageModel
from constrained.generation.outside import outside
from constrained.generation.paths import Paths
from constrained.generation.rows import ModelRows
from constrained.generation.sampling import Sampling
from constrained.generation.tree import Tree

__all__ = ["Request", "Scores", "distribution_of", "score"]

TOKENS_AT_ONCE = 512
"""Tokens of trees scored in one pass, so that masks and logits stay small."""

PROMPT_TOKENS_AT_ONCE = 4096
"""Tokens of prompts in one pass, padding counted."""

MOST_PADDING = 0.25
"""The share of a pass that may be padding."""


@dataclass(frozen=True, eq=False)
class Request:
    """Paths to score after a prompt and, behind it, a `prefix` of output that is settled."""

    prompt: tuple[int, ...]
    paths: Paths
    prefix: tuple[int, ...] = ()
    tails: bool = True

    @property
    def places(self) -> tuple[int, ...]:
        """The nodes that need a model, but for the root."""
        return (*self.paths.head[1:], *self.paths.wanted(tails=self.tails))


@dataclass(eq=False)
class Scores:
    """What a model says of paths: logits of the allowed tokens at each node that was scored.

    `totals` has the log of the sum of all exponentials, at each of `temperatures`.
    """

    paths: Paths
    temperatures: tuple[float, ...]
    inside: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    totals: dict[int, tuple[float, ...]] = field(default_factory=dict)

    def take(self, places: Sequence[int], logits: torch.Tensor) -> None:
        """Keep what is needed of the logits after some nodes: floating, (len(places), width)."""
        scores = logits.detach().to("cpu", torch.float32)
        totals = torch.stack([torch.logsumexp(scores / t, dim=-1) for t in self.temperatures], 1)
        for place, row, total in zip(places, scores.numpy(), totals.tolist(), strict=True):
            self.inside[place] = row[self.paths.nodes[place].allowed].astype(np.float64)
            self.totals[place] = tuple(total)


def score(
    model: LanguageModel,
    requests: Sequence[Request],
    temperatures: Sequence[float],
    *,
    apart: bool = False,
    at_once: int | None = None,
    together: bool = False,
) -> list[Scores]:
    """Run the passes for all requests; 0 among the `temperatures` counts as 1.

    `apart` gives every request passes of its own, so that no bit depends on the others. `at_once`
    bounds the prompts of one pass. `together` pads all prompts into one, whatever their lengths;
    raises `GenerationError` where they do not fit.
    """
    free = tuple(t or 1.0 for t in temperatures)
    made: dict[tuple[object, ...], Scores] = {}
    asked: dict[tuple[object, ...], list[tuple[Request, Scores]]] = {}
    found = []
    for place, request in enumerate(requests):
        before = (request.prompt, request.prefix)
        key = (*before, request.paths, request.tails)
        if key not in made:
            made[key] = Scores(request.paths, free)
            if request.paths.head:
                own = (*before, place) if apart else before
                asked.setdefault(own, []).append((request, made[key]))
        found.append(made[key])
    if together:
        _score_in_one_pass(model, list(asked.values()))
        return found
    small = []
    for group in asked.values():
        size = 1 + sum(len(request.places) for request, _ in group)
        if size <= TOKENS_AT_ONCE and model.fits_trees([_before(group[0][0])], size):
            small.append(group)
        else:
            _score_in_steps(model, group)
    for batch in _batches(model, small, 1 if apart else at_once):
        _score_together(model, batch)
    return found


def _score_in_one_pass(model: LanguageModel, groups: Sequence[Group]) -> None:
    """`_score_together` for all groups there are; `GenerationError` where it cannot be."""
    if not groups:
        return
    trees = [1 + sum(len(request.places) for request, _ in group) for group in groups]
    fits = model.fits_trees([_before(group[0][0]) for group in groups], max(trees))
    if not fits or max(trees) > TOKENS_AT_ONCE:
        raise GenerationError(
            f"{len(groups)} prompts with all their answers do not fit into one pass of this model; "
            "take fewer together, or formats with fewer outputs"
        )
    _score_together(model, groups)


Group = list[tuple[Request, Scores]]
"""Requests after one prompt."""


def _before(request: Request) -> tuple[int, ...]:
    return (*request.prompt, *request.prefix)


def _batches(
    model: LanguageModel, groups: Sequence[Group], at_once: int | None
) -> Iterator[list[Group]]:
    """Groups for one pass each: prompts that share a beginning, or of similar length."""

    def beginning(group: Group) -> tuple[int, ...]:
        return _before(group[0][0])[:SHARE_FROM]

    heads = [beginning(group) for group in groups]
    shared = {head for head in heads if len(head) == SHARE_FROM and heads.count(head) > 1}

    def kept(group: Group) -> tuple[int, ...]:
        prompt = _before(group[0][0])
        return prompt[: model.kept_head([prompt])]

    ordered = sorted(
        groups,
        key=lambda group: (
            kept(group),
            beginning(group) if beginning(group) in shared and model.shares_heads else (),
            len(_before(group[0][0])),
        ),
    )
    batch: list[Group] = []
    for group in ordered:
        wider = [*batch, group]
        lengths = [len(_before(g[0][0])) for g in wider]
        trees = [1 + sum(len(request.places) for request, _ in g) for g in wider]
        area = len(wider) * (max(lengths) + max(trees))
        fits = (
            len(wider) <= (at_once or len(wider))
            and area <= PROMPT_TOKENS_AT_ONCE
            and len(wider) * max(trees) <= TOKENS_AT_ONCE
            and model.fits_trees([_before(g[0][0]) for g in wider], max(trees))
            and kept(wider[0]) == kept(group)
            and (
                beginning(wider[0]) == beginning(group)
                or sum(lengths) + sum(trees) >= (1 - MOST_PADDING) * area
            )
        )
        if batch and not fits:
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


def _score_together(model: LanguageModel, groups: Sequence[Group]) -> None:
    """One pass (two where prompts share a beginning) for prompts with all their trees."""
    prompts = [_before(group[0][0]) for group in groups]
    forests = [_forest(group) for group in groups]
    passed = ModelRows(model).begin_with_trees(prompts, [()] * len(prompts), forests)
    for group, (root, below) in zip(groups, passed, strict=True):
        first = 0
        for request, scores in group:
            after = first + len(request.places)
            scores.take((0, *request.places), torch.cat([root, below[first:after]]))
            first = after


def _forest(group: Group) -> Tree:
    """The trees of all requests after one prompt, side by side."""
    tokens: list[int] = []
    parents: list[int] = []
    for request, _ in group:
        tree, first = request.paths.tree(request.places), len(tokens)
        tokens += tree.tokens
        parents += [parent + first if parent >= 0 else -1 for parent in tree.parents]
    return Tree(tuple(tokens), tuple(parents))


def _score_in_steps(model: LanguageModel, group: Group) -> None:
    """The prompt first, then passes over its cache for the trees after it."""
    first = group[0][0]
    alone = len(group) == 1
    head = first.paths.head[1:] if alone else ()
    tokens = [first.paths.nodes[i].token for i in head]
    rows = ModelRows(model)
    if model.encoder_decoder:
        (logits,) = rows.begin([first.prompt], [[*first.prefix, *tokens]])
        logits = logits[len(first.prefix) :]
    else:
        (logits,) = rows.begin([_before(first)], [tokens])
    for request, scores in group:
        scores.take((0, *head), logits)
        rest = [place for place in request.places if place not in set(head)]
        for places in _pieces(request.paths, rest):
            scores.take(places, torch.stack(rows.branch(request.paths.tree(places))))


def _pieces(paths: Paths, wanted: Sequence[int]) -> Iterator[list[int]]:
    """`wanted` in pieces for one pass each, every node with its wanted ancestors."""
    inside = set(wanted)
    piece: set[int] = set()
    for index in wanted:
        piece.add(index)
        above = paths.nodes[index].parent
        while above in inside and above not in piece:
            piece.add(above)
            above = paths.nodes[above].parent
        if len(piece) >= TOKENS_AT_ONCE:
            yield sorted(piece)
            piece = set()
    if piece:
        yield sorted(piece)


def distribution_of(scores: Scores, sampling: Sampling) -> Distribution[Any]:
    """The distribution at one of the temperatures that were scored."""
    paths = scores.paths
    nodes, at = paths.nodes, scores.temperatures.index(sampling.temperature or 1.0)
    ends_of = sorted(paths.guide.vocabulary.end_ids)
    local, free = [1.0] * len(nodes), _unknown(len(nodes))
    end_local, end_free = [1.0] * len(nodes), _unknown(len(nodes), 1.0)
    removed = _unknown(len(nodes))
    free[0] = 1.0
    for place, node in enumerate(nodes):  # parents first, so what leads here is settled
        inside, here = scores.inside.get(place), free[place]
        if inside is None:
            for child in node.children:
                local[child] = local[place]
            if node.children:
                end_free[place] = None
            continue
        shares = np.exp(inside / (sampling.temperature or 1.0) - scores.totals[place][at])
        drawn = sampling.probabilities(inside)
        ends = np.isin(node.allowed, ends_of)
        removed[place] = outside(float(shares.sum()))
        for child, p, q in zip(node.children, drawn[~ends], shares[~ends], strict=True):
            local[child] = local[place] * float(p)
            free[child] = None if here is None else here * float(q)
        if node.ending and node.children:
            end_local[place] = float(drawn[ends].sum())
            end_free[place] = float(shares[ends].sum())
    outcomes = []
    for output in paths.outputs:
        said = [_product(free[end], end_free[end]) for end in output.ends]
        outcomes.append(
            Outcome(
                text=output.text,
                value=output.value,
                local=sum(local[end] * end_local[end] for end in output.ends),
                free=_sum(said),
                token_ids=paths.ids(max(output.ends, key=lambda end: local[end] * end_local[end])),
                spellings=len(output.ends),
            )
        )
    steps = _removed_by_step(paths, local, removed)
    return Distribution(tuple(outcomes), steps, sampling.temperature)


def _unknown(size: int, value: float | None = None) -> list[float | None]:
    return [value] * size


def _product(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a * b


def _sum(parts: Iterable[float | None]) -> float | None:
    known = list(parts)
    return None if None in known else sum(part for part in known if part is not None)


def _removed_by_step(
    paths: Paths, local: Sequence[float], removed: Sequence[float | None]
) -> tuple[float | None, ...]:
    """The average over the paths that masked sampling takes, for each token."""
    steps: list[float | None] = [0.0] * (max(node.depth for node in paths.nodes) + 1)
    reached = [0.0] * len(steps)
    for place, node in enumerate(paths.nodes):
        if node.children:
            share = _product(local[place], removed[place])
            steps[node.depth] = _sum((steps[node.depth], share))
            reached[node.depth] += local[place]
    return tuple(
        None if total is None else total / share
        for total, share in zip(steps, reached, strict=True)
        if share > 0
    )
