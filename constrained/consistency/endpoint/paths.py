"""`TokenPaths`: the outputs of a format as token paths, and their exact distribution.

What masked sampling draws follows from the free model's log-probability of every token on the
paths: at each step the tokens that lead to an output share what is there, at the temperature asked
for. No other token has to be known for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from constrained.consistency.endpoint.logprobs import KNOWN, Distributed, Rest, settled
from constrained.errors import GenerationError
from constrained.generation.outside import outside

__all__ = ["Path", "Step", "TokenPaths"]

Path = tuple[int, ...]


@dataclass(slots=True)
class Step:
    """What is known after one beginning of an output.

    `logs` are the log-probabilities of the tokens that may follow, `ends` those of the tokens that
    end the answer, `listed` those of the likeliest tokens.
    """

    logs: dict[int, float] = field(default_factory=dict)
    ends: dict[int, float] = field(default_factory=dict)
    listed: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class _Range:
    """A product that lies between two bounds."""

    low: float = 1.0
    high: float = 1.0

    def times(self, low: float, high: float) -> _Range:
        return _Range(self.low * low, self.high * high)


class TokenPaths:
    """The token paths of a format's outputs, by text.

    >>> paths = TokenPaths({"1": (49,), "10": (49, 48), "7": (55,)})
    >>> paths.leaves, paths.inner_ends
    ([(49, 48), (55,)], [(49,)])
    """

    def __init__(self, outputs: Mapping[str, Path]) -> None:
        self.outputs = outputs
        self._children: dict[Path, list[int]] = {}
        for path in outputs.values():
            for place, token in enumerate(path):
                following = self._children.setdefault(path[:place], [])
                if token not in following:
                    following.append(token)
        if len(set(outputs.values())) < len(outputs):
            raise GenerationError("two outputs have the same tokens; score with kind: sampled")
        ends = set(outputs.values())
        self.leaves = [path for path in outputs.values() if path not in self._children]
        """Paths that nothing follows: they pass all the others."""
        self.inner_ends = [path for path in outputs.values() if path in self._children]
        """Paths of outputs with which longer outputs begin: there, the answer may end or go on."""
        self._ends = ends
        self._shared = self._on_all_paths()

    def distribution(
        self, steps: Mapping[Path, Step], temperature: float, *, free: bool
    ) -> Distributed:
        """The distribution at `temperature`, from what is known of every step.

        `free` asks for the free model's too, which at temperatures other than 1 needs what is
        `listed` at each step. Raises `GenerationError` when no output has any probability.
        """
        local: dict[Path, float] = {(): 1.0}
        said: dict[Path, _Range] = {(): _Range()}
        head: dict[Path, _Range] = {(): _Range()}
        own: dict[str, float] = {}
        whole: dict[str, _Range] = {}
        apart: dict[str, _Range] = {}
        names = {path: text for text, path in self.outputs.items()}
        for path in sorted({*self._children, *self._ends}, key=len):
            children = self._children.get(path, ())
            text = names.get(path)
            if not children:
                if text is not None:
                    own[text], whole[text], apart[text] = local[path], said[path], head[path]
                continue
            step = steps[path]
            logs = {token: step.logs[token] for token in children}
            ends = step.ends if text is not None else {}
            weights, total = _weights([*logs.values(), *ends.values()], temperature)
            shares = [weight / total for weight in weights]
            low, high = _unit(step, temperature) if free else (1.0, 1.0)
            top = max(*logs.values(), *ends.values(), -math.inf)
            scale = _scale(step, top, temperature) if free else 1.0
            for token, share, weight in zip(children, shares, weights, strict=False):
                following = (*path, token)
                local[following] = local[path] * (share if len(shares) > 1 else 1.0)
                p = weight * scale
                said[following] = said[path].times(p / high, p / low)
                shared = path in self._shared
                head[following] = head[path].times(
                    p if shared else p / high, p if shared else p / low
                )
            if text is not None:
                p = sum(weights[len(children) :]) * scale
                own[text] = local[path] * sum(shares[len(children) :])
                whole[text] = said[path].times(p / high, p / low)
                apart[text] = head[path].times(p / high, p / low)
        pmf = {text: own[text] for text in self.outputs}
        if not free:
            return Distributed(pmf, None, None, None)
        given = _given_the_format(apart, self.outputs)
        removed, note = settled(
            outside(math.fsum(one.high for one in whole.values())),
            outside(math.fsum(one.low for one in whole.values())),
        )
        if given is None and not note:
            note = (
                "what the free model would say is not known: at this temperature the listed "
                "log-probabilities are not enough"
            )
        return Distributed(pmf, given, removed, None, note)

    def _on_all_paths(self) -> set[Path]:
        """Beginnings that every output has: what is unknown there is the same for all."""
        shared: set[Path] = set()
        path: Path = ()
        while path not in self._ends and len(self._children.get(path, ())) == 1:
            shared.add(path)
            path = (*path, self._children[path][0])
        shared.add(path)
        return shared


def _weights(logs: Sequence[float], temperature: float) -> tuple[list[float], float]:
    top = max(logs)
    if top == -math.inf:
        raise GenerationError("no output has any probability left: all of them underflow to zero")
    weights = [math.exp((log - top) / temperature) for log in logs]
    return weights, math.fsum(weights)


def _unit(step: Step, temperature: float) -> tuple[float, float]:
    """Bounds of the sum over all tokens, in units of the likeliest one's part."""
    if temperature == 1:
        return 1.0, 1.0
    rest = Rest(step.listed, temperature)
    return rest.low, rest.high


def _scale(step: Step, top: float, temperature: float) -> float:
    """What a weight in units of `top`'s has to be multiplied by, for the unit of `_unit`."""
    if temperature == 1:
        return math.exp(top)
    return math.exp((top - Rest(step.listed, temperature).top) / temperature)


def _given_the_format(
    parts: Mapping[str, _Range], outputs: Mapping[str, Path]
) -> Mapping[str, float] | None:
    """The parts of a whole of 1; None where their bounds are too far apart."""
    low = math.fsum(one.low for one in parts.values())
    high = math.fsum(one.high for one in parts.values())
    found: dict[str, float] = {}
    for text in outputs:
        one = parts[text]
        least = one.low + high - one.high
        most = one.high + low - one.low
        if not least > 0 or not most > 0:
            return None
        bounds = one.low / least, one.high / most
        if bounds[1] - bounds[0] > 2 * KNOWN:
            return None
        found[text] = sum(bounds) / 2
    total = math.fsum(found.values())
    return {text: p / total for text, p in found.items()} if total > 0 else None
