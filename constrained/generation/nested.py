"""`NestedDistribution`: a finite field inside a longer format, exact given each sampled beginning.

Reason first, then score: reasons are sampled, and after each one the distribution of the score is
worked out exactly instead of being sampled once. The average over reasons then has no sampling
error but that of the reasons (Rao-Blackwell), and the variance splits into what the reasons decide
and what is left open after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from constrained.chat import PromptIds
from constrained.errors import GenerationError, UnsupportedSpec
from constrained.generation.distribution import Distribution, Pmf
from constrained.generation.focus import Focus, focus_of
from constrained.generation.guide import Guide
from constrained.generation.paths import Paths, grow
from constrained.generation.progress import run_rows
from constrained.generation.row import Row
from constrained.generation.runtime import Runtime
from constrained.generation.sampling import Sampling
from constrained.generation.scoring import Request, distribution_of, score
from constrained.spec.spec import Spec

__all__ = ["NestedDistribution", "NestedDraw", "nested_distribution"]


@dataclass(frozen=True, slots=True)
class NestedDraw:
    """One sampled beginning and the exact distribution of the field after it."""

    text: str
    distribution: Distribution[Any]


@dataclass(frozen=True, eq=False, repr=False)
class NestedDistribution:
    """The distribution of a field whose beginning was sampled; see the module.

    ``variance == within + between``: the average variance after a beginning, and the variance of
    the means between beginnings (both unbiased estimates under masked sampling).
    """

    draws: tuple[NestedDraw, ...]

    @cached_property
    def pooled(self) -> Pmf[Any]:
        """The average of the exact distributions."""
        return Pmf(
            [
                (outcome.text, outcome.value, outcome.local / len(self.draws))
                for draw in self.draws
                for outcome in draw.distribution.outcomes
            ]
        )

    @property
    def pmf(self) -> dict[Any, float]:
        """Probability of each value."""
        return self.pooled.pmf

    @property
    def mean(self) -> float:
        """The expected value; `GenerationError` when values are not numbers."""
        return sum(self._means) / len(self._means)

    @property
    def standard_error(self) -> float:
        """Of `mean`: what comes from having sampled the beginnings."""
        return float((self.between / len(self.draws)) ** 0.5)

    @property
    def within(self) -> float:
        """The variance that is left after the beginning, on average."""
        return sum(draw.distribution.sd**2 for draw in self.draws) / len(self.draws)

    @property
    def between(self) -> float:
        """The variance of the conditional means; needs two draws or more."""
        if len(self.draws) < 2:
            raise GenerationError(
                "the variance between beginnings needs at least 2 samples, and there is 1"
            )
        mean = self.mean
        return sum((one - mean) ** 2 for one in self._means) / (len(self._means) - 1)

    @property
    def variance(self) -> float:
        """The variance of the field in all."""
        return self.within + self.between

    @cached_property
    def _means(self) -> tuple[float, ...]:
        return tuple(draw.distribution.mean for draw in self.draws)

    def __repr__(self) -> str:
        return f"NestedDistribution({self.pooled!r}, {len(self.draws)} draws)"


def nested_distribution(
    runtime: Runtime,
    prompt: PromptIds,
    spec: Spec[Any],
    field: str | int,
    sampling: Sampling,
    *,
    samples: int,
    seed: int | None,
    max_new_tokens: int,
    apart: bool,
    at_once: int | None,
) -> NestedDistribution:
    """See `Generator.nested_distribution`."""
    guide = runtime.guide(spec, prompt)
    focus = focus_of(spec, field, guide.lead)
    rows = runtime.rows(
        [prompt],
        [spec],
        max_new_tokens=max_new_tokens,
        sampling=sampling,
        samples=samples,
        seed=seed,
    )
    for row in rows:
        row.until = _watch(focus)
    run_rows(runtime.model, rows, apart=apart, at_once=at_once)
    grown: dict[tuple[int, ...], Paths] = {}
    prefixes = []
    for row in rows:
        prefix = _beginning(focus, row, field)
        if prefix not in grown:
            grown[prefix] = _continuations(runtime, guide, focus, prefix)
        prefixes.append(prefix)
    requests = [Request(prompt.ids, grown[prefix], prefix) for prefix in prefixes]
    scored = score(runtime.model, requests, [sampling.temperature], apart=apart, at_once=at_once)
    exact = {id(one): distribution_of(one, sampling) for one in scored}
    return NestedDistribution(
        tuple(
            NestedDraw(guide.text(prefix), exact[id(one)])
            for prefix, one in zip(prefixes, scored, strict=True)
        )
    )


def _watch(focus: Focus) -> Callable[[Row], bool]:
    """Says of a row that the field is reached; looks at each token once."""
    reader, seen = focus.start, 0

    def reached(row: Row) -> bool:
        nonlocal reader, seen
        while not focus.reached(reader) and seen < len(row.ids):
            reader = reader.advance(row.vocabulary.tokens[row.ids[seen]] or b"")
            seen += 1
        return focus.reached(reader)

    return reached


def _beginning(focus: Focus, row: Row, field: str | int) -> tuple[int, ...]:
    """The tokens up to the first border between two at which the field is reached.

    That border is known when it is reached, whatever comes after it, so cutting there leaves the
    beginnings distributed as sampling does.
    """
    reader = focus.start
    for place in range(len(row.ids) + 1):
        if focus.reached(reader):
            return tuple(row.ids[:place])
        if place < len(row.ids):
            reader = reader.advance(row.vocabulary.tokens[row.ids[place]] or b"")
    text = row.vocabulary.spell(row.ids).decode("utf-8", errors="replace")
    raise UnsupportedSpec(
        "fields",
        f"{field!r} is never settled before the end of the output {text!r}: what comes before it "
        "can go on past it, or the output leaves it out",
        hint="end free text with text(stop=...) or lines=1, and make the field required",
    )


def _continuations(runtime: Runtime, guide: Guide, focus: Focus, prefix: tuple[int, ...]) -> Paths:
    """All token paths from the end of a beginning until the field is decided."""
    node, reader = guide.start, focus.start
    for token in prefix:
        node = guide.advance(node, token)
        reader = reader.advance(guide.vocabulary.tokens[token] or b"")
    return grow(
        guide,
        runtime.limits,
        focus.read,
        start=node,
        before=prefix,
        reader=reader,
        decided=focus.decided,
    )
