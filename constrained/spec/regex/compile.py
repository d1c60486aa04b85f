"""Compile a syntax tree to a node: reduce it, then settle what stands at the start of the text."""

from __future__ import annotations

from constrained.grammar import EMPTY, Node, cat
from constrained.limits import Limits
from constrained.spec.regex.classes import ALL, NEWLINE, negated
from constrained.spec.regex.languages import ANY_TEXT, Languages, character_set
from constrained.spec.regex.pieces import Piece
from constrained.spec.regex.reduce import Reducer
from constrained.spec.regex.rests import Rests, absorbed
from constrained.spec.regex.syntax import Anchor, Choice, Look, Sequence, Side, Syntax

__all__ = ["compile_tree"]


def compile_tree(tree: Syntax, *, search: bool, where: str, limits: Limits) -> Node:
    """The strings that the tree matches whole or, with `search`, somewhere."""
    languages = Languages(limits)
    reduced = Reducer(languages, where).reduce(tree)
    options = reduced.options if isinstance(reduced, Choice) else (reduced,)
    around = ANY_TEXT if search else EMPTY
    return languages.either(*(_between(languages, around, option, where) for option in options))


def _between(languages: Languages, around: Node, option: Syntax, where: str) -> Node:
    """The whole texts that are the option with `around` (anything or nothing) on both sides.

    Assertions that only plain parts precede are settled by these: they reach back to the start of
    the text, so that a look-behind may be of any width.
    """
    prefix = around
    parts = option.parts if isinstance(option, Sequence) else (option,)
    for i, part in enumerate(parts):
        settled = _after_prefix(languages, prefix, part)
        if settled is None:
            rests = Rests(languages, where, parts[i:])
            return rests.before(prefix, rests.sequence(parts[i:], rests.all(around)))[0]
        prefix = settled
    return cat(absorbed(prefix, last=True) if around is ANY_TEXT else prefix, around)


def _after_prefix(languages: Languages, prefix: Node, part: Syntax) -> Node | None:
    """The prefix cut or extended by the part; None when what follows the part matters."""
    match part:
        case Piece(node=node):
            return cat(prefix, absorbed(node, last=False) if prefix is ANY_TEXT else node)
        case Anchor(Side.START, negative=negative):
            return languages.edge_in(prefix, ALL) if negative else languages.empty_part(prefix)
        case Anchor(Side.LINE_START, negative=negative):
            wanted, empty = (negated(NEWLINE), False) if negative else (NEWLINE, True)
        case Look(body=Piece(node=node), ahead=False, negative=negative):
            single = character_set(node)
            if single is None:
                looked = cat(ANY_TEXT, node)
                if negative:
                    return languages.without(prefix, looked)
                return languages.both(prefix, looked)
            wanted, empty = (negated(single), True) if negative else (single, False)
        case _:
            return None
    cut = languages.edge_in(prefix, wanted, last=True)
    return languages.either(languages.empty_part(prefix), cut) if empty else cut
