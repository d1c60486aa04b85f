"""`spelled`: the part of a grammar that tokens can be joined to, character by character or not."""

from __future__ import annotations

from collections.abc import Callable

from constrained.errors import LimitExceeded, UnsupportedSpec, VocabularyError
from constrained.grammar.build import alt, char_class, complement, intersect, literals, repeat
from constrained.grammar.passes.regular import check_regular
from constrained.grammar.passes.restriction import Loss, restrict
from constrained.grammar.rules import Grammar
from constrained.grammar.spelling import Spelling, is_character

__all__ = ["NOTHING_JOINED", "spelled"]

NOTHING_JOINED = (
    "the tokenizer cannot spell the spec: no output can be joined from its tokens (use a tokenizer "
    "with byte tokens, or ask for other texts)"
)


def spelled(
    grammar: Grammar,
    spelling: Spelling | None,
    loss: Loss,
    shortest: Callable[[Grammar], bytes | None],
) -> Grammar:
    """The part of the language that pieces can be joined to; what goes is added to `loss`.

    Characters decide, and literals as a whole (`restrict`). Where a piece of several characters
    may say more than they do, a regular grammar is cut to the joined texts instead; one that nests
    is not. `shortest` gives the shortest text of a grammar, None when nothing matches.

    Raises `VocabularyError` when nothing is left.
    """
    if spelling is None or not spelling.longer:
        return restrict(grammar, spelling, loss)
    try:
        left = restrict(grammar, spelling, loss)
    except VocabularyError:
        joined = _joined(grammar, spelling, loss, shortest)
        if joined is None:
            raise
        return joined
    return (loss and _joined(grammar, spelling, loss, shortest)) or left


def _joined(
    grammar: Grammar,
    spelling: Spelling,
    loss: Loss,
    shortest: Callable[[Grammar], bytes | None],
) -> Grammar | None:
    """A regular grammar cut to the texts that pieces can be joined to; None for another."""
    whole = [piece for piece in spelling.pieces if not is_character(piece)]
    texts = repeat(alt(char_class(*spelling.characters.ranges), literals(whole)))
    joined = Grammar(intersect(grammar.start, texts), grammar.rules)
    others = Grammar(intersect(grammar.start, complement(texts)), grammar.rules)
    try:
        check_regular(joined)
        if shortest(joined) is None:
            raise VocabularyError(NOTHING_JOINED)
        lost = shortest(others)
    except (UnsupportedSpec, LimitExceeded):
        return None
    loss.parts.clear()
    loss.characters = ()
    loss.example = None if lost is None else lost.decode("utf-8", "replace")
    return joined
