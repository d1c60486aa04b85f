"""`Result` and `Chunk`: what generation hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

__all__ = ["Chunk", "FinishReason", "Result"]

T = TypeVar("T")

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True, repr=False)
class Result(Generic[T]):
    """One answer.

    The three tuples below run along `token_ids`. Probabilities are the model's own, at temperature
    1 and before any mask; None stands where no forward pass was needed to know the token.

    >>> from constrained.generation import Generator
    >>> from constrained.testing import ByteTokenizer, ScriptedModel
    >>> model = ScriptedModel(257, lambda ids: {ord("1"): 0.6, ord("2"): 0.2})
    >>> generator = Generator(model, ByteTokenizer())
    >>> result = generator("Score: ", range(1, 3))
    >>> result.value, result.complete, [round(p, 2) for p in result.removed_mass]
    (1, True, [0.2])
    """

    value: T | None
    """What the text means; None when it is not complete."""

    text: str
    """The output, without prompt and end token."""

    token_ids: tuple[int, ...]
    """The ids of the output, without prompt and end token."""

    tokens: tuple[str, ...]
    """What each id appends (unfinished UTF-8 characters shown as the replacement character)."""

    finish_reason: FinishReason
    """``"stop"``: the model ended the output, or nothing could follow. ``"length"``: the budget
    ended; the output is complete all the same unless `complete` says otherwise. ``"cancelled"``:
    the caller ended it, and it is not complete."""

    complete: bool
    """Whether the text is an output of the spec; only ``partial=True`` and cancelling let an
    incomplete one through."""

    logprob: float
    """Log-probability (nats) that masked sampling gives this output, at the temperature used (1
    for greedy): the sum over choices, the choice to end included."""

    token_logprobs: tuple[float | None, ...]
    """Log-probability (nats) of each token under the model without a mask."""

    removed_mass: tuple[float | None, ...]
    """Probability that the mask took away at each token, in [0, 1]."""

    forward_passes: int
    """Passes of the model in which this row took part."""

    prompt_tokens: int
    """Length of the prompt in tokens."""

    def __repr__(self) -> str:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        value = "" if self.value == self.text else f"value={self.value!r}, "
        ending = self.finish_reason if self.complete else f"{self.finish_reason}, incomplete"
        return (
            f"Result({value}text={shown!r}, {ending}, {len(self.token_ids)} tokens in "
            f"{self.forward_passes} passes, logprob={self.logprob:.3f})"
        )


@dataclass(frozen=True, slots=True)
class Chunk(Generic[T]):
    """A piece of a streamed answer: `text` is new, `result` comes with the last piece.

    `value` is what the text so far means: the fields and items that are finished.

    >>> Chunk(" 7", value={"score": 7}).text
    ' 7'
    """

    text: str
    result: Result[T] | None = None

    value: Any = None
    """What the text so far means: the fields and items that are settled, in dicts and lists, and
    text that is still growing as `Unfinished`; None while nothing is settled. With the last piece
    the value of the result."""
