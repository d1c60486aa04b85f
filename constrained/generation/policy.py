"""`guide_of`: which spellings of a spec count as its outputs.

* ``"all"`` (`EngineGuide`): every token sequence that spells a text of the spec. Text that is
  certain is forced in its canonical tokens.
* ``"canonical"`` (`TrieGuide`): only the tokens that the tokenizer itself uses for each output; for
  finite specs. A label then has one path, not the dozens in which byte tokens could spell it.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from constrained.arguments import check_switch
from constrained.engine import Engine
from constrained.errors import GenerationError, UnsupportedSpec, VocabularyError
from constrained.generation.canonical import Speller
from constrained.generation.engine_guide import EngineGuide
from constrained.generation.guide import Guide
from constrained.generation.trie_guide import TrieGuide
from constrained.grammar import Grammar, cat, literal
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

__all__ = ["MOST_CANONICAL", "Spellings", "check_spellings", "guide_of"]

Spellings = Literal["auto", "canonical", "all"]

MOST_CANONICAL = 4096
"""Outputs up to which a finite spec gets the canonical policy by default."""


def check_spellings(spellings: Any) -> None:
    """Raise `GenerationError` for what is not one of the `Spellings`."""
    check_switch(spellings, "spellings", GenerationError, known=get_args(Spellings))


def guide_of(
    spec: Spec[Any],
    vocabulary: Vocabulary,
    speller: Speller | None,
    *,
    spellings: Spellings = "auto",
    fresh: bool = False,
    lead: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Guide:
    """The guide of a spec for a vocabulary.

    `fresh` says that the output is the first text that the model sees in this sequence (the
    decoder of T5), where many tokenizers put a space in front. `lead` is the white space that a
    chat template writes before an answer; a format that begins with white space of its own is
    taken to have it already. ``"auto"`` is canonical for a spec
    of at most 4,096 outputs that the tokenizer gives back unchanged, else every spelling.

    Raises `UnsupportedSpec` when ``"canonical"`` is asked of a spec that is not finite, and
    `VocabularyError` when the tokenizer cannot spell it.
    """
    written = _lead(spec, speller, lead, fresh=fresh)
    if spellings != "all" and speller is not None:
        trie = _canonical(
            spec,
            vocabulary,
            speller,
            written,
            fresh=fresh,
            strict=spellings == "canonical",
            limits=limits,
        )
        if trie is not None:
            return trie
    elif spellings == "canonical":
        raise VocabularyError(
            "canonical spellings need the tokenizer: pass it instead of a bare Vocabulary"
        )
    grammar = spec.grammar
    if written:
        grammar = Grammar(cat(literal(written), grammar.start), grammar.rules)
    engine = Engine(grammar, vocabulary, limits)
    return EngineGuide(engine, vocabulary, speller, lead=written, fresh=fresh)


def _lead(spec: Spec[Any], speller: Speller | None, lead: str, *, fresh: bool) -> bytes:
    """What is written before the text of the output."""
    if fresh:
        return b"" if speller is None else speller.prefix
    if lead and spec.engine.forced(spec.engine.start)[:1].isspace():
        return b""
    return lead.encode("utf-8")


def _canonical(
    spec: Spec[Any],
    vocabulary: Vocabulary,
    speller: Speller,
    lead: bytes,
    *,
    fresh: bool,
    strict: bool,
    limits: Limits,
) -> TrieGuide | None:
    try:
        outputs = list(spec.enumerate(None if strict else MOST_CANONICAL + 1, limits=limits))
    except UnsupportedSpec as error:
        if not strict:
            return None
        raise UnsupportedSpec(
            error.feature,
            f"canonical spellings need all outputs listed, and {error.problem}",
            hint='use spellings="all"',
        ) from error
    if not strict and len(outputs) > MOST_CANONICAL:
        return None
    paths = []
    for output in outputs:
        _check_characters(output, vocabulary)
        data = lead + output.encode("utf-8")
        path = speller.start(data) if lead and fresh else speller.within(data)
        if path is None:
            if strict:
                raise VocabularyError(
                    f"the tokenizer does not give {output!r} back unchanged, so it has no "
                    'canonical spelling; use spellings="all"'
                )
            return None
        paths.append(path)
    return TrieGuide(paths, vocabulary, lead=lead)


def _check_characters(output: str, vocabulary: Vocabulary) -> None:
    """Refuse an output that the tokenizer has no tokens for, rather than leave it out."""
    spelling = vocabulary.spelling
    if spelling is None or spelling.joins(output.encode("utf-8")):
        return
    missing = next((char for char in output if char not in spelling.characters), output)
    raise VocabularyError(
        f"the tokenizer has no token for {missing!r}, so the output {output!r} could never "
        "be generated; leave it out of the spec, or use a tokenizer with byte fallback"
    )
