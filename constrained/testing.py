"""For tests of what reads model outputs: vocabularies, outputs of any spec, a model by rule.

>>> from hypothesis import given
>>> from constrained.spec import template
>>> grade = template("Score: {score:0..10}")
>>> @given(outputs_of(grade))
... def test_my_parser(text):
...     assert 0 <= int(text.removeprefix("Score: ")) <= 10
>>> test_my_parser()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from constrained.engine import ByteEngine
from constrained.errors import MissingPackage
from constrained.packages import remedy
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["ByteTokenizer", "ScriptedModel", "byte_vocabulary", "outputs_of", "values_of"]

T = TypeVar("T")

IMPOSSIBLE = 1e-13
"""The least probability that `ScriptedModel` gives to a token that its rule does not name."""


def byte_vocabulary(words: Iterable[str | bytes] = ()) -> Vocabulary:
    """One token per byte (its id is the byte), then the end token 256, then `words`.

    >>> byte_vocabulary([" / 10"]).tokens[257]
    b' / 10'
    """
    tokens: list[bytes | None] = [bytes([byte]) for byte in range(256)]
    tokens.append(None)
    tokens += [word.encode("utf-8") if isinstance(word, str) else word for word in words]
    return Vocabulary(tokens, end_ids=[256])


class ByteTokenizer:
    """The tokenizer of `byte_vocabulary`: one id per byte of UTF-8; 256 ends a text.

    >>> ByteTokenizer()("né")["input_ids"]
    [110, 195, 169]
    """

    name_or_path = "bytes"
    eos_token_id = 256
    mergeable_ranks: ClassVar[Mapping[bytes, int]] = {bytes([byte]): byte for byte in range(256)}

    def __len__(self) -> int:
        return 257

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        """The ids of a text, as transformers tokenizers hand them back."""
        return {"input_ids": self.encode(text)}

    def encode(self, text: str, **_: Any) -> list[int]:
        """The ids of a text."""
        return list(text.encode("utf-8"))


def outputs_of(spec: Any, *, max_choices: int = 40) -> SearchStrategy[str]:
    """A Hypothesis strategy for texts that match a spec (anything that `as_spec` takes).

    An output is walked byte by byte, so every output can come up; after `max_choices` choices it
    takes a shortest way out. Shrinks towards short outputs and low bytes. Raises `MissingPackage`
    without hypothesis, and what the spec's own engine raises.

    >>> from hypothesis import given
    >>> @given(outputs_of("Score: " + as_spec(range(0, 11))))
    ... def test_my_parser(text):
    ...     assert int(text.removeprefix("Score: ")) <= 10
    >>> test_my_parser()
    """
    strategies = _strategies()
    one = as_spec(spec)
    engine = one.engine

    def draw_output(draw: DrawFn) -> str:
        return _walk(draw, strategies, engine, max_choices).decode("utf-8")

    found: SearchStrategy[str] = strategies.composite(draw_output)()
    return found


def values_of(spec: Spec[T], *, max_choices: int = 40) -> SearchStrategy[T]:
    """A Hypothesis strategy for the typed values of a spec's outputs.

    >>> from hypothesis import given
    >>> @given(values_of(as_spec(range(0, 11))))
    ... def test_my_scale(score):
    ...     assert 0 <= score <= 10
    >>> test_my_scale()
    """
    one = as_spec(spec)
    return outputs_of(one, max_choices=max_choices).map(one.parse)


def _strategies() -> Any:
    try:
        from hypothesis import strategies
    except ImportError:
        install = remedy("testing")
        raise MissingPackage("hypothesis", "drawing outputs of a spec", install=install) from None
    return strategies


def _walk(draw: DrawFn, strategies: Any, engine: ByteEngine, max_choices: int) -> bytes:
    output = bytearray()
    state, choices = engine.start, 0
    while True:
        ways = sorted(engine.transitions(state))
        if not ways:
            return bytes(output)
        if engine.accepting(state) and (choices >= max_choices or draw(strategies.booleans())):
            return bytes(output)
        if choices >= max_choices:
            return bytes(output) + engine.completion(state)
        if len(ways) > 1 or len(ways[0][0]) > 1:
            choices += 1
        data, state = draw(strategies.sampled_from(ways)) if len(ways) > 1 else ways[0]
        byte = draw(strategies.sampled_from(sorted(data))) if len(data) > 1 else data[0]
        output.append(byte)


class ScriptedModel:
    """A model without weights for `Generator`: `rule` says how likely each next token is.

    `rule` gets all ids of the row so far, the prompt included, and gives probabilities for the
    tokens it names; the other tokens share what is left of 1. Exact answers can then be worked out
    by hand. `calls` counts the passes.

    >>> model = ScriptedModel(257, lambda ids: {ord("7"): 0.75, ord("8"): 0.25})
    >>> model.config.get_text_config().vocab_size
    257
    """

    def __init__(self, width: int, rule: Callable[[Sequence[int]], Mapping[int, float]]) -> None:
        self.width = width
        self.rule = rule
        self.calls = 0
        self.config = _ScriptedConfig(width)
        self.device = "cpu"

    def get_output_embeddings(self) -> None:
        """None: there are no weights."""

    def forward(
        self,
        input_ids: Any,
        attention_mask: Any,
        position_ids: Any = None,
        past_key_values: Any = None,
        **_: Any,
    ) -> Any:
        """Logits for new tokens: float32, shape (rows, new tokens, width)."""
        import torch

        del position_ids
        self.calls += 1
        past = past_key_values.rows if past_key_values is not None else [()] * len(input_ids)
        fresh = attention_mask[:, -input_ids.shape[1] :].tolist()
        logits = torch.zeros((*input_ids.shape, self.width))
        rows = []
        for i, (before, tokens) in enumerate(zip(past, input_ids.tolist(), strict=True)):
            ids = tuple(before)
            for j, token in enumerate(tokens):
                if fresh[i][j]:
                    ids = (*ids, token)
                    named = self.rule(ids)
                    rest = (1 - sum(named.values())) / max(1, self.width - len(named))
                    logits[i, j] = torch.tensor(max(rest, IMPOSSIBLE)).log()
                    for index, probability in named.items():
                        logits[i, j, index] = torch.tensor(probability).log()
            rows.append(ids)
        return _ScriptedOutput(logits, _ScriptedCache(rows))

    __call__ = forward


class _ScriptedConfig:
    def __init__(self, width: int) -> None:
        self.vocab_size = width

    def get_text_config(self, **_: Any) -> _ScriptedConfig:
        return self


class _ScriptedOutput:
    def __init__(self, logits: Any, past_key_values: _ScriptedCache) -> None:
        self.logits = logits
        self.past_key_values = past_key_values


class _ScriptedCache:
    """The ids of every row, with the part of a cache's interface that batches use."""

    layers: tuple[Any, ...] = ()

    def __init__(self, rows: list[tuple[int, ...]]) -> None:
        self.rows = rows

    def batch_select_indices(self, indices: Any) -> None:
        """Keep these rows, in this order."""
        self.rows = [self.rows[i] for i in indices.tolist()]
