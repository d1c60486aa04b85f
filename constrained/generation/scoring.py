"""Exact probabilities of all outputs of a finite spec, from one pass where the model allows it.

The token paths of a guide form a tree. What is certain before the first choice follows the prompt;
below it, every node that has something after it is scored side by side, in the prompt's own pass
for small trees, else in passes over its cache. A leaf needs no scoring: its probability comes from
the node before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.errors import LimitExceeded, UnsupportedSpec
from constrained.generation.distribution import Distribution, Outcome
from constrained.generation.guide import Guide
from constrained.generation.model import LanguageModel
from constrained.generation.rows import ModelRows, Tree
from constrained.generation.sampling import Sampling
from constrained.limits import Limits
from constrained.spec.spec import Spec

__all__ = ["score"]

TOKENS_AT_ONCE = 512
"""Tokens of the tree scored in one pass, so that masks and logits stay small."""


@dataclass(eq=False, slots=True)
class _Node:
    """A token path that the guide allows; `node` is where it leads."""

    node: int
    parent: int
    token: int
    depth: int
    allowed: NDArray[np.int32]
    children: list[int] = field(default_factory=list)
    ending: bool = False
    local: float = 1.0
    """Probability of the path under masked sampling; of its last token until `_accumulate`."""
    free: float | None = None
    """The same under the free model; None where the model was not asked."""
    end_local: float = 1.0
    end_free: float | None = 1.0
    """Probabilities that the output ends here once it is here."""
    removed: float | None = None
    """Probability that the mask removes at the next token."""

    @property
    def chooses(self) -> bool:
        return len(self.children) + self.ending > 1


def score(
    model: LanguageModel,
    prompt: Sequence[int],
    spec: Spec[Any],
    guide: Guide,
    sampling: Sampling,
    *,
    tails: bool,
    limits: Limits,
) -> Distribution[Any]:
    """The distribution of `spec` after `prompt`; see `Generator.distribution`."""
    try:
        next(iter(spec.enumerate(1)), None)
    except UnsupportedSpec as error:
        raise UnsupportedSpec(
            error.feature,
            f"an exact distribution needs a finite spec, and {spec!r} has infinitely many outputs",
            hint="bound its repeats and numbers, or draw samples",
        ) from error
    tree = _grow(guide, limits)
    head = _head(tree)
    wanted = _wanted(tree, head, tails=tails)
    _walk(model, prompt, guide, tree, head, wanted, sampling)
    _accumulate(tree)
    return _collect(spec, guide, tree, sampling)


def _grow(guide: Guide, limits: Limits) -> list[_Node]:
    """All token paths; parents before children."""
    ends = guide.vocabulary.end_ids
    tree = [_Node(guide.start, -1, -1, 0, guide.allowed(guide.start))]
    outputs = 0
    for index, node in enumerate(tree):
        node.ending = guide.accepting(node.node)
        outputs += node.ending
        if outputs > limits.max_outputs or len(tree) > 20 * limits.max_outputs:
            raise LimitExceeded(
                "max_outputs", limits.max_outputs, "listing the token paths of a distribution"
            )
        for token in node.allowed.tolist():
            if token in ends:
                continue
            after = guide.advance(node.node, token)
            node.children.append(len(tree))
            tree.append(_Node(after, index, token, node.depth + 1, guide.allowed(after)))
    return tree


def _head(tree: list[_Node]) -> list[int]:
    """The nodes on the way to the first choice, the root first."""
    head = [0]
    while not tree[head[-1]].chooses and tree[head[-1]].children:
        head.append(tree[head[-1]].children[0])
    return head


def _wanted(tree: list[_Node], head: list[int], *, tails: bool) -> set[int]:
    """The nodes below the head whose logits are needed."""
    wanted = {i for i, node in enumerate(tree) if (node.children if tails else node.chooses)}
    for index in sorted(wanted, reverse=True):
        parent = tree[index].parent
        while parent >= 0 and parent not in wanted:
            wanted.add(parent)
            parent = tree[parent].parent
    return wanted - set(head)


def _walk(
    model: LanguageModel,
    prompt: Sequence[int],
    guide: Guide,
    tree: list[_Node],
    head: list[int],
    wanted: set[int],
    sampling: Sampling,
) -> None:
    """Run the passes and fill in the probability of every token given the ones before it."""
    if not tree[head[-1]].children:
        head = head[:-1]
    if not head:
        return
    rows, tokens = ModelRows(model), [tree[i].token for i in head[1:]]
    groups = list(_groups(tree, sorted(wanted)))
    if len(groups) == 1 and model.fits_trees([[*prompt, *tokens]], len(wanted)):
        ((logits, branches),) = rows.begin_with_trees([prompt], [tokens], [_tree(tree, groups[0])])
        _fill(tree, [*head, *groups[0]], torch.cat([logits, branches]), guide, sampling)
        return
    (logits,) = rows.begin([prompt], [tokens])
    _fill(tree, head, logits, guide, sampling)
    for group in groups:
        _fill(tree, group, torch.stack(rows.branch(_tree(tree, group))), guide, sampling)


def _tree(tree: list[_Node], group: Sequence[int]) -> Tree:
    """The nodes of a group as the model takes them."""
    places = {index: place for place, index in enumerate(group)}
    return Tree(
        tuple(tree[index].token for index in group),
        tuple(places.get(tree[index].parent, -1) for index in group),
    )


def _groups(tree: list[_Node], wanted: Sequence[int]) -> Iterator[list[int]]:
    """`wanted` in groups for one pass each, every node with its wanted ancestors."""
    inside = set(wanted)
    group: set[int] = set()
    for index in wanted:
        group.add(index)
        above = tree[index].parent
        while above in inside and above not in group:
            group.add(above)
            above = tree[above].parent
        if len(group) >= TOKENS_AT_ONCE:
            yield sorted(group)
            group = set()
    if group:
        yield sorted(group)


def _fill(
    tree: list[_Node],
    places: Sequence[int],
    logits: torch.Tensor,
    guide: Guide,
    sampling: Sampling,
) -> None:
    """What may follow some nodes: local and free probability of each token, and of the end.

    `logits`: floating, shape (len(places), width).
    """
    temperature = sampling.temperature or 1.0
    scores = logits.detach().to("cpu", torch.float32)
    totals = torch.logsumexp(scores / temperature, dim=-1).tolist()
    ends_of = sorted(guide.vocabulary.end_ids)
    for place, row, total in zip(places, scores.numpy(), totals, strict=True):
        node = tree[place]
        inside = row[node.allowed].astype(np.float64)
        free = np.exp(inside / temperature - total)
        local = sampling.probabilities(inside)
        ends = np.isin(node.allowed, ends_of)
        node.removed = max(0.0, 1.0 - float(free.sum()))
        for child, p, q in zip(node.children, local[~ends], free[~ends], strict=True):
            tree[child].local, tree[child].free = float(p), float(q)
        if node.ending and node.children:
            node.end_local, node.end_free = float(local[ends].sum()), float(free[ends].sum())


def _accumulate(tree: list[_Node]) -> None:
    """Turn the probabilities of single tokens into those of whole paths."""
    tree[0].free = 1.0
    for node in tree[1:]:
        above = tree[node.parent]
        node.local *= above.local
        known = node.free is not None and above.free is not None
        node.free = node.free * above.free if known else None  # type: ignore[operator]


def _path(tree: list[_Node], end: int, above: set[int]) -> list[int]:
    """The nodes from below `above` down to `end`."""
    path = []
    while end not in above:
        path.append(end)
        end = tree[end].parent
    return path[::-1]


def _collect(
    spec: Spec[Any], guide: Guide, tree: list[_Node], sampling: Sampling
) -> Distribution[Any]:
    """The outcomes, spellings of one text added up, and the mass removed at each token."""
    spelled: dict[str, list[tuple[float, float | None, tuple[int, ...]]]] = {}
    for index, node in enumerate(tree):
        if node.ending:
            ids = _ids(tree, index)
            free = None if node.free is None or node.end_free is None else node.free * node.end_free
            paths = spelled.setdefault(guide.text(ids), [])
            paths.append((node.local * node.end_local, free, ids))
    outcomes = []
    for text in sorted(spelled, key=lambda text: text.encode("utf-8")):
        paths = spelled[text]
        known = [free for _, free, _ in paths if free is not None]
        outcomes.append(
            Outcome(
                text=text,
                value=spec.parse(text),
                local=sum(local for local, _, _ in paths),
                free=sum(known) if len(known) == len(paths) else None,
                token_ids=max(paths, key=lambda path: path[0])[2],
                spellings=len(paths),
            )
        )
    return Distribution(tuple(outcomes), _removed_by_step(tree), sampling.temperature)


def _ids(tree: list[_Node], index: int) -> tuple[int, ...]:
    """The tokens from the start to a node."""
    ids = []
    while index:
        ids.append(tree[index].token)
        index = tree[index].parent
    return tuple(ids[::-1])


def _removed_by_step(tree: list[_Node]) -> tuple[float | None, ...]:
    """The average over the paths that masked sampling takes, for each token."""
    steps: list[float | None] = [0.0] * (max(node.depth for node in tree) + 1)
    reached = [0.0] * len(steps)
    for node in tree:
        if node.children:
            known = steps[node.depth]
            missing = node.removed is None or known is None
            steps[node.depth] = None if missing else known + node.local * node.removed  # type: ignore[operator]
            reached[node.depth] += node.local
    return tuple(
        None if removed is None else removed / share
        for removed, share in zip(steps, reached, strict=True)
        if share > 0
    )
