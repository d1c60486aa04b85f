"""Next tokens drawn where the logits are: masked, drawn and scored there, only answers come back.

For every pass the masks of new nodes are made while the model runs, one number per row says which
mask it has, and a few numbers per token are read. That read is the only time that anyone waits for
the device.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.generation.kernels import Backend
from constrained.generation.mask_table import MOST_BYTES, MaskTable
from constrained.generation.masking import MaskKey, fill_masks, mask_words
from constrained.generation.outside import outside_of_log
from constrained.generation.sampling import Sampling, no_finite_logit
from constrained.generation.scores import Choice, Drawn, Scores
from constrained.generation.transfer import upload
from constrained.vocabulary import Vocabulary

__all__ = ["DeviceDraws", "DeviceScores", "draw_rows"]

ROWS_AT_ONCE = 64
"""Rows whose logits are held in float64 at the same time."""

Ask = int | Choice
"""What is to be known of the logits after a token: a token's log-probability, or a draw."""


class _Batch:
    """The logits of one pass, shape (rows, width), on their device."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits

    @cached_property
    def totals(self) -> torch.Tensor:
        """The log of the sum of exponentials of each row: float32, on the device."""
        parts = [self.logits[part] for part in _parts(len(self.logits))]
        return torch.cat([torch.logsumexp(part.float(), dim=-1) for part in parts])

    @cached_property
    def on_host(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits and totals on the CPU; for those who need them all."""
        return self.logits.float().cpu().numpy(), self.totals.cpu().numpy()


class DeviceScores:
    """The logits after one token of a row, on a device; `Scores` describes the methods."""

    def __init__(self, draws: DeviceDraws, batch: _Batch, place: int) -> None:
        self.batch = batch
        self.place = place
        self.logprobs: dict[int, float] = {}
        self.drawn: dict[Choice, Drawn] = {}
        self._draws = draws

    @property
    def logits(self) -> NDArray[np.float32]:
        """Shape (width,), on the CPU."""
        row: NDArray[np.float32] = self.batch.on_host[0][self.place]
        return row

    @property
    def total(self) -> float:
        """The log of the sum of their exponentials."""
        return float(self.batch.on_host[1][self.place])

    def logprob(self, token: int) -> float:
        """The log-probability of a token under the model."""
        if token not in self.logprobs:
            self._draws.answer([(self, token)])
        return self.logprobs[token]

    def draw(self, choice: Choice) -> Drawn:
        """Draw the next token."""
        if choice not in self.drawn:
            self._draws.answer([(self, choice)])
        return self.drawn.pop(choice)


class DeviceDraws:
    """Draws tokens on the devices of a model's logits, each with its table of masks.

    `always` draws on every device like that; else only CUDA devices count. `most_bytes` and
    `backend` as for `MaskTable`.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        always: bool = False,
        most_bytes: int = MOST_BYTES,
        backend: Backend | None = None,
    ) -> None:
        self.tables: dict[torch.device, MaskTable[MaskKey]] = {}
        self._vocabulary = vocabulary
        self._always = always
        self._most_bytes = most_bytes
        self._backend = backend
        self._latest: MaskTable[MaskKey] | None = None

    def serves(self, device: torch.device) -> bool:
        """Whether logits on this device are drawn from there."""
        return self._always or device.type == "cuda"

    def prepare(self, choices: Iterable[Choice]) -> None:
        """Begin to make the masks of choices to come, and return at once."""
        if self._latest is not None:
            self._latest.prepare([_key(choice) for choice in choices])

    def scores(self, logits: Sequence[torch.Tensor]) -> list[list[DeviceScores]]:
        """The logits of every row, shape (n, width), as they are to be asked."""
        with torch.inference_mode():
            batch = _Batch(torch.cat(list(logits)).detach())
        places = iter(range(len(batch.logits)))
        return [
            [DeviceScores(self, batch, next(places)) for _ in range(len(row))] for row in logits
        ]

    def answer(self, asked: Sequence[tuple[Scores, Ask]]) -> None:
        """Settle what is asked of scores: one read from the device for each pass they are of."""
        batches: dict[_Batch, list[tuple[DeviceScores, Ask]]] = {}
        for scores, ask in asked:
            if isinstance(scores, DeviceScores):  # those on the CPU answer by themselves
                batches.setdefault(scores.batch, []).append((scores, ask))
        for batch, questions in batches.items():
            self._answer(batch, questions)

    def _answer(self, batch: _Batch, asked: Sequence[tuple[DeviceScores, Ask]]) -> None:
        device = batch.logits.device
        choices = [ask for _, ask in asked if isinstance(ask, Choice)]
        with torch.inference_mode():
            places = upload([scores.place for scores, _ in asked], torch.int64, device)
            tokens = upload([a if isinstance(a, int) else 0 for _, a in asked], torch.int64, device)
            found = torch.zeros((len(asked), 5), dtype=torch.float64, device=device)
            if choices:
                which = [i for i, (_, ask) in enumerate(asked) if isinstance(ask, Choice)]
                at = upload(which, torch.int64, device)
                drawn = self._draw(batch.logits[places[at]], choices)
                tokens.index_copy_(0, at, drawn[:, 0].long())
                found[:, 2:].index_copy_(0, at, drawn[:, 1:])
            found[:, 0] = tokens
            found[:, 1] = batch.logits[places, tokens].double()
            totals = batch.totals[places].double()
            found[:, 1] = (found[:, 1] - totals).clamp(max=0.0)
            found[:, 2] -= totals
        numbers = found.cpu().tolist()  # the one wait for the device
        for (scores, ask), (token, logprob, inside, local, best) in zip(
            asked, numbers, strict=True
        ):
            if isinstance(ask, int):
                scores.logprobs[ask] = logprob
                continue
            if not np.isfinite(best):
                raise no_finite_logit(best)
            removed = outside_of_log(inside)
            scores.drawn[ask] = Drawn(int(token), logprob, removed, local)

    def _draw(self, logits: torch.Tensor, choices: Sequence[Choice]) -> torch.Tensor:
        """`draw_rows` from logits that may be overwritten."""
        table = self._table(logits.device)
        table.block_(logits, [_key(choice) for choice in choices])
        samplings = [choice.sampling for choice in choices]
        uniform = [c.generator.random() if c.sampling.temperature else 0.0 for c in choices]
        parts = _parts(len(choices))
        return torch.cat([draw_rows(logits[p], samplings[p], uniform[p]) for p in parts])

    def _table(self, device: torch.device) -> MaskTable[MaskKey]:
        table = self.tables.get(device)
        if table is None:
            table = self.tables[device] = MaskTable(
                mask_words(self._vocabulary),
                device,
                partial(fill_masks, self._vocabulary),
                most_bytes=self._most_bytes,
                backend=self._backend,
            )
        self._latest = table
        return table


def _parts(rows: int) -> list[slice]:
    return [slice(first, first + ROWS_AT_ONCE) for first in range(0, rows, ROWS_AT_ONCE)]


def _key(choice: Choice) -> MaskKey | None:
    return None if choice.guide is None else MaskKey(choice.guide, choice.node, choice.budget)


def draw_rows(
    logits: torch.Tensor, samplings: Sequence[Sampling], uniform: Sequence[float]
) -> torch.Tensor:
    """Draw a token from each row, as `Sampling` does, on the device of the logits.

    `logits`: floating, shape (rows, width), ``-inf`` where the mask has a 0. `uniform`: one number
    from [0, 1) per row. Gives float64, shape (rows, 4): the token, the log of the sum of
    exponentials of the row, the log-probability of the token in the row, the row's best logit.
    """
    logits = logits.double()
    best = logits.amax(dim=-1, keepdim=True)
    shifted = logits - best
    sums = shifted.exp().sum(dim=-1, keepdim=True).log()
    greedy = logits.argmax(dim=-1, keepdim=True)
    if all(sampling.temperature == 0 for sampling in samplings):
        return torch.cat([greedy.double(), best + sums, -sums, best], dim=1)
    settings = upload(
        [_numbers(s, u, logits.shape[1]) for s, u in zip(samplings, uniform, strict=True)],
        torch.float64,
        logits.device,
    )
    temperature, most, share, number = settings.T[:, :, None]
    weights = (shifted / temperature.where(temperature > 0, 1.0)).exp()
    if any(s.top_k is not None or s.top_p is not None for s in samplings):
        weights = _cut(weights, most, share)
    probabilities = weights / weights.sum(dim=-1, keepdim=True)
    cumulated = probabilities.cumsum(dim=-1)
    at = torch.searchsorted(cumulated, number * cumulated[:, -1:], right=True)
    # A sum made in parallel need not rise with every term, so the place is moved to a token that
    # has a probability: the mask holds whatever the rounding does.
    ids = torch.arange(logits.shape[1], device=logits.device)
    possible = probabilities > 0
    last = ids.where(possible, -1).amax(dim=-1, keepdim=True)
    following = ids.where(possible & (ids >= at), logits.shape[1]).amin(dim=-1, keepdim=True)
    sampled = following.minimum(last).clamp(min=0)
    token = greedy.where(temperature == 0, sampled)
    local = (-sums).where(temperature == 0, probabilities.gather(1, sampled).log())
    return torch.cat([token.double(), best + sums, local, best], dim=1)


def _numbers(sampling: Sampling, uniform: float, width: int) -> list[float]:
    most = width if sampling.top_k is None else sampling.top_k
    share = float("inf") if sampling.top_p is None else sampling.top_p - 1e-12
    return [sampling.temperature, most, share, uniform]


def _cut(weights: torch.Tensor, most: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """The weights without those outside `top_k` and `top_p`; both of shape (rows, 1)."""
    ordered, order = weights.sort(dim=-1, descending=True, stable=True)
    ranks = torch.arange(weights.shape[1], device=weights.device)
    ordered = ordered.where(ranks < most, 0.0)
    shares = ordered.cumsum(dim=-1) / ordered.sum(dim=-1, keepdim=True)
    ordered = ordered.where(ranks <= (shares < share).sum(dim=-1, keepdim=True), 0.0)
    return torch.zeros_like(weights).scatter_(1, order, ordered)
