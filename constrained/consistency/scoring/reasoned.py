"""Reason, then score: the exact distribution of the score after each text that was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from constrained.consistency.records import Draw, Score
from constrained.consistency.scoring.outcomes import ScoreDistribution, score_distribution
from constrained.consistency.scoring.split import split_at_score
from constrained.errors import GenerationError, InvalidSpec
from constrained.spec.spec import Spec

__all__ = ["ReasonedScores"]

Head = tuple[tuple[int, ...], str]
"""The tokens that come before the score, and the text between them and the score."""


class ReasonedScores:
    """What a format's score would be after the reasons that were drawn for it.

    `generator` drew them; `field` names the score's hole, `support` are the scores of the whole
    format (None: those that occur). Raises `InvalidSpec` for a format that does not say where the
    score begins, and for models with an encoder.
    """

    def __init__(
        self, spec: Spec[Any], field: str, support: tuple[Score, ...] | None, generator: Any
    ) -> None:
        self._split = split_at_score(spec, field)
        self._support = support
        self._generator = _reader(spec, generator)
        self._rests: dict[str, Spec[Any]] = {}

    def parts(
        self,
        prompt: Sequence[int],
        draws: Sequence[Draw],
        results: Sequence[Any],
        temperature: float,
        **cuts: Any,
    ) -> dict[str, Any]:
        """The fields of the cell's record: draws with probabilities, and their means.

        `results` are what the generator gave for the draws; `cuts` are `top_k`, `top_p` and `tails`
        of `Generator.distribution`. Equal texts before the score are asked for once.
        """
        heads = [self._head(result) for result in results]
        found: dict[Head, ScoreDistribution] = {}
        for head in dict.fromkeys(heads):
            tokens, literal = head
            distribution = self._generator.distribution(
                [*prompt, *tokens], self._rest(literal), temperature=temperature, **cuts
            )
            found[head] = score_distribution(
                distribution.outcomes, lambda _, value: value, self._support
            )
        support = self._support or tuple(
            sorted({score for one in found.values() for score in one.support})
        )
        each = [found[head] for head in heads]
        local = [_over(support, one.support, one.local) for one in each]
        free = [_over(support, one.support, one.free) for one in each if one.free is not None]
        removed = [one.removed_mass for one in each if one.removed_mass is not None]
        return {
            "support": support,
            "draws": tuple(
                replace(draw, probabilities=p) for draw, p in zip(draws, local, strict=True)
            ),
            "local": _mean(local),
            "free": _mean(free) if len(free) == len(each) else None,
            "removed_mass": sum(removed) / len(each) if len(removed) == len(each) else None,
        }

    def _head(self, result: Any) -> Head:
        """Cut a result before its score.

        A token may hold the end of the text before the score and the beginning of the score (as
        `` 7`` does); it belongs to what is scored then.
        """
        before = self._split.before(result.text)
        if before is None:
            raise GenerationError(
                f"{result.text[:80]!r} cannot be divided at the score", text=result.text
            )
        spell = self._generator.vocabulary.spell
        lead = spell(result.token_ids).removesuffix(result.text.encode("utf-8"))
        wanted = lead + before.encode("utf-8")
        kept = length = spelled = 0
        for place, token in enumerate(result.token_ids, start=1):
            length += len(spell([token]))
            if length > len(wanted):
                break
            if _whole(wanted[length:]):
                kept, spelled = place, length
        return tuple(result.token_ids[:kept]), wanted[spelled:].decode("utf-8")

    def _rest(self, literal: str) -> Spec[Any]:
        if literal not in self._rests:
            self._rests[literal] = self._split.rest(literal)
        return self._rests[literal]


def _reader(spec: Spec[Any], generator: Any) -> Any:
    """A generator whose distributions count the spellings that draws of `spec` may use."""
    from constrained.generation import Generator
    from constrained.generation.policy import MOST_CANONICAL

    if getattr(generator.model.config, "is_encoder_decoder", False):
        raise InvalidSpec(
            "reason-then-exact scoring needs a model that goes on from its own text, and this one "
            "has an encoder",
            hint="use kind: sampled",
        )
    outputs = spec.summary().outputs
    if outputs is not None and outputs <= MOST_CANONICAL:
        return generator
    return Generator(generator.model, generator.tokenizer, spellings="all", batch_invariant=True)


def _over(
    support: tuple[Score, ...], scores: Sequence[Score], probabilities: Sequence[float]
) -> tuple[float, ...]:
    """The same distribution over more scores."""
    by_score = dict(zip(scores, probabilities, strict=True))
    return tuple(by_score.get(score, 0.0) for score in support)


def _mean(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def _whole(data: bytes) -> bool:
    """Whether bytes begin and end with whole characters."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
