"""`Distribution`: the exact probabilities of all outputs of a finite spec under a model.

Two distributions over the same outputs, never mixed up:

* *local*: what masked sampling draws from. At every token the model's distribution is cut to what
  the spec allows and renormalised. `Distribution` itself answers for this one.
* *global* (`Distribution.global_`): the free model's own probability of each output, renormalised
  once over the spec: P(output | the output is in the spec). An output counts as said when the
  model's text begins with it and, where a longer output begins the same way, ends there.

Their distance, `Distribution.divergence`, says how much masking bends the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from numbers import Real
from typing import Any, Generic, TypeVar

import numpy as np

from constrained.arguments import real_number
from constrained.errors import GenerationError
from constrained.generation.outside import outside

__all__ = ["Distribution", "Outcome", "Pmf", "field_of"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """One output, its value and its two probabilities.

    `local` is its probability under masked sampling; `free` the free model's probability of it,
    not renormalised, None when it was not asked for.

    >>> from constrained.generation import Generator
    >>> from constrained.testing import ByteTokenizer, ScriptedModel
    >>> model = ScriptedModel(257, lambda ids: {ord("1"): 0.6, ord("2"): 0.2})
    >>> generator = Generator(model, ByteTokenizer())
    >>> one = generator.distribution("Score: ", range(1, 3)).outcomes[0]
    >>> one.value, round(one.local, 2), round(one.free, 2)
    (1, 0.75, 0.6)
    """

    text: str
    value: T
    local: float
    free: float | None
    token_ids: tuple[int, ...]
    """The likeliest spelling under masked sampling."""
    spellings: int = 1
    """Token sequences that spell the text and were added up."""


class Pmf(Generic[T]):
    """Probabilities of values: what a distribution answers, for one set of weights.

    Values that are equal are one value, however they were written. A value that is an object with
    a single field (a template with one hole) counts as that field.

    >>> pmf = Pmf([("7", 7, 0.2), ("7.0", 7.0, 0.3), ("8", 8, 0.5)])
    >>> pmf.pmf, pmf.mean, pmf.mode
    ({7: 0.5, 8: 0.5}, 7.5, 7)
    """

    def __init__(self, entries: Sequence[tuple[str, T, float]]) -> None:
        total = sum(weight for _, _, weight in entries)
        if math.isnan(total):
            raise GenerationError(
                "the probabilities are not known: the model's scores of some tokens that the "
                "format does not allow are NaN"
            )
        if not total > 0:
            raise GenerationError(
                "no output has any probability left: under this model and these settings all of "
                "them underflow to zero"
            )
        self._entries = [(text, value, weight / total) for text, value, weight in entries]

    @cached_property
    def pmf(self) -> dict[Any, float]:
        """Probability of each value, sorted where values can be sorted, else in text order."""
        sums: dict[Any, float] = {}
        for _, value, weight in self._entries:
            key = value_key(value)
            sums[key] = sums.get(key, 0.0) + weight
        try:
            return {key: sums[key] for key in sorted(sums)}
        except TypeError:
            return sums

    @cached_property
    def by_text(self) -> dict[str, float]:
        """Probability of each text."""
        sums: dict[str, float] = {}
        for text, _, weight in self._entries:
            sums[text] = sums.get(text, 0.0) + weight
        return sums

    @property
    def mean(self) -> float:
        """The expected value; `GenerationError` when values are not numbers."""
        return sum(value * weight for value, weight in self._numbers)

    @property
    def sd(self) -> float:
        """The standard deviation; `GenerationError` when values are not numbers."""
        mean = self.mean
        variance = sum((value - mean) ** 2 * weight for value, weight in self._numbers)
        return float(np.sqrt(variance))

    @property
    def entropy(self) -> float:
        """Shannon entropy of the values, in bits."""
        weights = np.array([weight for weight in self.pmf.values() if weight > 0])
        return float(max(0.0, -(weights * np.log2(weights)).sum()))

    @property
    def mode(self) -> Any:
        """The likeliest value; the first of equals."""
        return max(self.pmf, key=self.pmf.__getitem__)

    def quantile(self, share: float) -> Any:
        """The smallest value that at least this share (0 to 1) of the probability does not exceed.

        >>> Pmf([("1", 1, 0.5), ("2", 2, 0.3), ("3", 3, 0.2)]).quantile(0.75)
        2
        """
        if not 0 <= real_number(share, "share", GenerationError) <= 1:
            raise GenerationError(f"a quantile is a share between 0 and 1, got {share}")
        keys = list(self.pmf)
        if any(a > b for a, b in pairwise(keys)):
            raise GenerationError("quantiles need values that can be sorted")
        cumulated = np.cumsum(list(self.pmf.values()))
        return keys[min(int(np.searchsorted(cumulated, share - 1e-12)), len(keys) - 1)]

    @property
    def _numbers(self) -> list[tuple[float, float]]:
        wrong = next((k for k in self.pmf if not isinstance(k, (Real, Decimal))), None)
        if wrong is not None:
            raise GenerationError(
                f"mean and sd need numbers, and {wrong!r} is none; use pmf, or dist[name] for one "
                "field of an object"
            )
        return [(float(value), weight) for value, weight in self.pmf.items()]

    def __repr__(self) -> str:
        top = sorted(self.pmf.items(), key=lambda item: -item[1])[:5]
        shown = ", ".join(f"{value!r}: {weight:.3f}" for value, weight in top)
        more = ", ..." if len(self.pmf) > 5 else ""
        numbers = all(isinstance(key, (Real, Decimal)) for key in self.pmf)
        moments = f", mean={self.mean:.3f}, sd={self.sd:.3f}" if numbers else ""
        return f"{{{shown}{more}}}{moments}, entropy={self.entropy:.3f} bits"


@dataclass(frozen=True, eq=False, repr=False)
class Distribution(Generic[T]):
    """The exact distribution over the outputs of a finite spec.

    `pmf`, `by_text`, `mean`, `sd`, `entropy` (bits), `mode` and `quantile` answer for the local
    distribution; `global_` has the same for the free model. ``dist["score"]`` is the distribution
    of one field of the value, `joint` of several; `given` keeps the outputs that meet a condition.

    >>> from constrained.generation import Generator
    >>> from constrained.testing import ByteTokenizer, ScriptedModel
    >>> model = ScriptedModel(257, lambda ids: {ord("1"): 0.6, ord("2"): 0.2})
    >>> generator = Generator(model, ByteTokenizer())
    >>> found = generator.distribution("Score: ", range(1, 3))
    >>> {score: round(p, 2) for score, p in found.pmf.items()}, round(found.removed_mass, 2)
    ({1: 0.75, 2: 0.25}, 0.2)
    """

    outcomes: tuple[Outcome[T], ...]
    """All outputs, in the order of their texts' bytes."""

    removed_by_step: tuple[float | None, ...]
    """Probability that the mask takes away at each token, on average over what masked sampling
    reaches; None at steps that were not scored."""

    temperature: float

    @cached_property
    def local(self) -> Pmf[T]:
        """What masked sampling draws from."""
        return Pmf([(o.text, o.value, o.local) for o in self.outcomes])

    @cached_property
    def global_(self) -> Pmf[T]:
        """The free model's probabilities, renormalised over the spec."""
        return Pmf([(o.text, o.value, self._free(o)) for o in self.outcomes])

    @property
    def removed_mass(self) -> float:
        """Probability that the free model's text is none of the outputs, in [0, 1].

        NaN where the model's scores outside the format are NaN.
        """
        return outside(sum(self._free(o) for o in self.outcomes))

    @property
    def divergence(self) -> float:
        """Total variation distance between local and global over the texts, in [0, 1]."""
        free = self.global_.by_text
        return sum(abs(p - free[text]) for text, p in self.local.by_text.items()) / 2

    @property
    def pmf(self) -> dict[Any, float]:
        """Probability of each value under masked sampling."""
        return self.local.pmf

    @property
    def by_text(self) -> dict[str, float]:
        """Probability of each text under masked sampling."""
        return self.local.by_text

    @property
    def mean(self) -> float:
        """The expected value; `GenerationError` when values are not numbers."""
        return self.local.mean

    @property
    def sd(self) -> float:
        """The standard deviation; `GenerationError` when values are not numbers."""
        return self.local.sd

    @property
    def entropy(self) -> float:
        """Shannon entropy of the values, in bits."""
        return self.local.entropy

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        return self.local.mode

    def quantile(self, share: float) -> Any:
        """See `Pmf.quantile`."""
        return self.local.quantile(share)

    def __getitem__(self, name: str | int) -> Distribution[Any]:
        """The distribution of one field (a hole's name, a key, an attribute, a place in a tuple).

        Raises `GenerationError` when the values have no such field.
        """
        return self._read(lambda value: field_of(value, name))

    def joint(self, *names: str | int) -> Distribution[tuple[Any, ...]]:
        """The joint distribution of several fields; its values are tuples in the order of `names`.

        Raises `GenerationError` when the values have no such field.
        """
        return self._read(lambda value: tuple(field_of(value, name) for name in names))

    def _read(self, read: Callable[[T], Any]) -> Distribution[Any]:
        """The same outputs with what is read from their values."""
        outcomes = tuple(
            Outcome(o.text, read(o.value), o.local, o.free, o.token_ids, o.spellings)
            for o in self.outcomes
        )
        return Distribution(outcomes, self.removed_by_step, self.temperature)

    def given(
        self, condition: Callable[[T], bool] | None = None, /, **fields: Any
    ) -> Distribution[T]:
        """The distribution among the outputs whose value has these fields, or meets a condition.

        ``dist.given(label="good")["score"]`` is the distribution of the score of what is good.
        Raises `GenerationError` when no output qualifies.
        """
        if not (condition is None or callable(condition)):
            raise GenerationError(f"a condition must be a function of a value, got {condition!r}")
        wanted = {name: value_key(value) for name, value in fields.items()}
        outcomes = tuple(
            o
            for o in self.outcomes
            if (condition is None or condition(o.value))
            and all(value_key(field_of(o.value, name)) == key for name, key in wanted.items())
        )
        if not outcomes:
            asked = ", ".join(f"{name}={value!r}" for name, value in fields.items())
            raise GenerationError(f"no output has {asked or 'a value that meets the condition'}")
        return Distribution(outcomes, self.removed_by_step, self.temperature)

    def bars(self) -> list[tuple[str, float]]:
        """(label, probability) of each value under masked sampling, in order: for charts."""
        return [(str(value), weight) for value, weight in self.pmf.items()]

    def _free(self, outcome: Outcome[T]) -> float:
        if outcome.free is None:
            raise GenerationError(
                "the global distribution was left out; ask for it with "
                "generator.distribution(..., tails=True)"
            )
        return outcome.free

    def __repr__(self) -> str:
        scored = all(outcome.free is not None for outcome in self.outcomes)
        removed = f", removed_mass={self.removed_mass:.3f}" if scored else ""
        return f"Distribution({self.local!r}{removed})"


def _items(value: Any) -> list[tuple[Any, Any]] | None:
    """The fields of an object, None for anything else."""
    if isinstance(value, Mapping):
        return list(value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in fields(value)]
    names = getattr(type(value), "model_fields", None)
    if isinstance(names, Mapping):
        return [(name, getattr(value, name)) for name in names]
    return None


def value_key(value: Any) -> Hashable:
    """What stands for a value in a table: a single field for itself, objects as tuples.

    >>> value_key({"score": 7}), value_key({"a": 1, "b": [2]})
    (7, (('a', 1), ('b', (2,))))
    """
    items = _items(value)
    if items is not None and len(items) == 1:
        return value_key(items[0][1])
    if items is not None:
        return tuple((name, value_key(item)) for name, item in items)
    if isinstance(value, list):
        return tuple(value_key(item) for item in value)
    return value if isinstance(value, Hashable) else repr(value)


def field_of(value: Any, name: str | int) -> Any:
    """One field of a value."""
    if isinstance(value, (list, tuple)) and isinstance(name, int) and name < len(value):
        return value[name]
    for key, item in _items(value) or ():
        if key == name:
            return item
    raise GenerationError(f"the value {value!r} has no field {name!r}")
