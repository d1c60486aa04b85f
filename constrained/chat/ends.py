"""The ids at which an answer ends, and where each of them was found.

A tokenizer names one end of sequence, and a chat model often ends its turns with another token:
``<|eot_id|>``, ``<|end|>``, ``<end_of_turn>``. The model's generation config may list it or not.
The chat template always has it: it is the first token after an answer that the template writes.
That has to be a special or an added token (a line feed after an answer ends nothing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from constrained.chat.answer_turn import answer_turn
from constrained.chat.template import has_template
from constrained.errors import GenerationError, MissingPackage
from constrained.tokenizers import end_id

__all__ = ["End", "ends_of", "first_marker", "template_end"]

LOOKED_AT = 64
"""Characters after an answer that are given to the tokenizer: no end token is as long."""


@dataclass(frozen=True, slots=True)
class End:
    """An id at which an answer ends.

    `sources` says where it was found: ``eos_token`` of the tokenizer, ``generation_config`` of the
    model (or its config), ``template`` (what the chat template writes after an answer), ``given``
    by the caller.
    """

    id: int
    token: str
    sources: tuple[str, ...]


def ends_of(
    tokenizer: Any,
    *,
    model: Iterable[int] = (),
    given: Iterable[int] = (),
    arguments: Mapping[str, Any] | None = None,
) -> tuple[End, ...]:
    """The ends of a tokenizer's answers, by id.

    `model` are the ids that the model's own settings name, `given` those of the caller;
    `arguments` are of the chat template.

    >>> from constrained.testing import ByteTokenizer
    >>> ends_of(ByteTokenizer(), given=[10])
    (End(id=10, token='10', sources=('given',)), End(id=256, token='256', sources=('eos_token',)))
    """
    eos = end_id(tokenizer)
    last = template_end(tokenizer, arguments)
    found: dict[int, list[str]] = {}
    for source, ids in (
        ("eos_token", () if eos is None else (eos,)),
        ("generation_config", model),
        ("template", () if last is None else (last,)),
        ("given", given),
    ):
        for index in dict.fromkeys(ids):
            found.setdefault(index, []).append(source)
    return tuple(
        End(index, _written(tokenizer, index), tuple(sources))
        for index, sources in sorted(found.items())
    )


_KNOWN: WeakKeyDictionary[Any, dict[str, int | None]] = WeakKeyDictionary()


def template_end(tokenizer: Any, arguments: Mapping[str, Any] | None = None) -> int | None:
    """The id of the token that the chat template writes after an answer.

    None without a template, for one that takes no conversation of a question and an answer, and
    where what follows an answer is no special or added token. The arguments are looked at as far
    as they choose another template. Read once per template, tokens and special tokens.

    >>> template_end(object()) is None
    True
    """
    if not has_template(tokenizer):
        return None
    special = getattr(tokenizer, "special_tokens_map", None)
    size = len(tokenizer) if hasattr(tokenizer, "__len__") else None
    chosen = (arguments or {}).get("chat_template")
    key = repr((tokenizer.chat_template, chosen, special, size))
    known = _KNOWN.setdefault(tokenizer, {})
    if key not in known:
        try:
            known[key] = first_marker(tokenizer, answer_turn(tokenizer, arguments).after)
        except (GenerationError, MissingPackage):
            return None
    return known[key]


def first_marker(tokenizer: Any, text: str) -> int | None:
    """The special or added token that `text` begins with, white space aside; None for another."""
    text = text.lstrip()[:LOOKED_AT]
    if not text or not hasattr(tokenizer, "decode"):
        return None
    marked = {*getattr(tokenizer, "all_special_ids", ())}
    marked |= {*getattr(tokenizer, "added_tokens_decoder", {})}
    marked.discard(getattr(tokenizer, "unk_token_id", None))
    for index in tokenizer(text, add_special_tokens=False)["input_ids"]:
        written = tokenizer.decode([index], clean_up_tokenization_spaces=False)
        if written.strip():
            return index if index in marked and text.startswith(written.strip()) else None
    return None


def _written(tokenizer: Any, index: int) -> str:
    name = getattr(tokenizer, "convert_ids_to_tokens", None)
    return str(index) if name is None else str(name(index))
