r"""Atomic groups without the group: ``(?>a|ab)c`` is ``(?:a|(?!a)ab)c``.

An atomic group takes the first way in which its body matches, and no other. Where texts of the body
are never the beginning of longer ones, there is only one way. Else what is taken first is said by
look-aheads: a later option only where no earlier one matches, a greedy repeat to its end.
"""

from __future__ import annotations

from collections.abc import Callable

from constrained.engine import ByteEngine
from constrained.errors import LimitExceeded, UnsatisfiableSpec
from constrained.grammar import Grammar, cat, intersect
from constrained.grammar.nodes import Ranges
from constrained.limits import Limits
from constrained.spec.regex.classes import ALL
from constrained.spec.regex.languages import ANY_TEXT, Languages, character_set
from constrained.spec.regex.pieces import Piece, character_node, reduced_width
from constrained.spec.regex.syntax import (
    Atomic,
    Choice,
    Group,
    Look,
    Quantified,
    Sequence,
    Syntax,
    changed,
)

__all__ = ["first_way"]

SEARCH = Limits(max_steps=50_000)

Reduce = Callable[[Syntax], Syntax]


def first_way(body: Syntax, position: int, languages: Languages, reduce: Reduce) -> Syntax | None:
    """A tree without `Atomic` for the first way in which the body matches; None: not found.

    `reduce` makes a `Piece` of a part without assertions.
    """
    while isinstance(body, Group | Atomic) or (isinstance(body, Sequence) and len(body.parts) == 1):
        body = body.parts[0] if isinstance(body, Sequence) else body.body
    if isinstance(body, Quantified):
        body = _flattened(body, languages, reduce)
    possessive = isinstance(body, Quantified) and body.possessive
    if not possessive and _one_way(reduce(body), languages):
        return body

    def after(parts: list[Syntax], rest: Syntax) -> Syntax | None:
        found = first_way(rest, position, languages, reduce)
        return None if found is None else Sequence((*parts, found))

    def no(tree: Syntax) -> Syntax:
        return Look(tree, position, ahead=True, negative=True)

    match body:
        case Choice(options, ordered=True):
            ways: list[Syntax] = []
            for i, option in enumerate(options):
                way = after([no(earlier) for earlier in options[:i]], option)
                if way is None:
                    return None
                ways.append(way)
            return Choice(tuple(ways))
        case Quantified():
            return _repeated(body, languages, reduce, no, position)
        case Sequence(parts) if parts:
            first, rest = parts[0], Sequence(parts[1:])
            start = reduce(first)
            if _one_way(start, languages):
                return after([first], rest)
            if isinstance(first, Quantified) and not first.lazy:
                first = _flattened(first, languages, reduce)
                if _stops_before(first, reduce(rest), languages, reduce):
                    return after([changed(first, possessive=False)], rest)
                characters = _characters(reduce(first.body))
                if characters is not None and _starts_apart(reduce(rest), characters, languages):
                    return after([changed(first, possessive=True)], rest)
    return None


def _repeated(
    tree: Quantified,
    languages: Languages,
    reduce: Reduce,
    no: Callable[[Syntax], Syntax],
    position: int,
) -> Syntax | None:
    """A repeat that ends the group: it goes on as long as it can, a lazy one stops at once."""
    body = reduce(tree.body)
    characters = _characters(body)
    if tree.possessive and characters is not None:
        return changed(tree, body=Piece(character_node(characters), (1, 1)))
    if reduced_width(body)[0] == 0 or (tree.least > 1 and not _one_way(body, languages)):
        return None
    least, most = tree.least, tree.most
    round_ = Atomic(tree.body, position)
    if tree.lazy and not tree.possessive:
        return changed(tree, body=round_, most=least, lazy=False)
    stopped = no(tree.body)
    if most is None:
        return Sequence((changed(tree, body=round_, possessive=False), stopped))
    full = changed(tree, body=round_, least=most, possessive=False)
    if least == most:
        return full
    short = changed(tree, body=round_, most=most - 1, possessive=False)
    return Choice((full, Sequence((short, stopped))))


def _flattened(tree: Quantified, languages: Languages, reduce: Reduce) -> Quantified:
    r"""``(?>a+|b)*`` as ``(?:a|b)*``, where either takes a text apart in the one same way.

    Both go on equally far; the second can also stop inside a run of ``a``, which callers exclude.
    """
    if tree.lazy or tree.least > 1 or tree.most is not None:
        return tree
    body = tree.body
    while isinstance(body, Atomic | Group):
        body = body.body
    options = [
        option.body
        if isinstance(option, Quantified) and (option.least, option.most) == (1, None)
        else option
        for option in (body.options if isinstance(body, Choice) else (body,))
    ]
    flat = options[0] if len(options) == 1 else Choice(tuple(options))
    return changed(tree, body=flat) if _is_code(reduce(flat), languages) else tree


def _is_code(tree: Syntax, languages: Languages) -> bool:
    """Whether texts of the tree, one after another, can be taken apart in one way only."""
    return isinstance(tree, Piece) and tree.width[0] > 0 and _one_way(tree, languages)


def _stops_before(tree: Quantified, rest: Syntax, languages: Languages, reduce: Reduce) -> bool:
    """Whether no round of the repeat begins where the rest does, so that it stops in one place."""
    body = reduce(tree.body)
    if not (isinstance(rest, Piece) and isinstance(body, Piece) and _is_code(body, languages)):
        return False
    return _is_empty(Grammar(intersect(cat(body.node, ANY_TEXT), cat(rest.node, ANY_TEXT))))


def _characters(tree: Syntax) -> Ranges | None:
    return character_set(tree.node) if isinstance(tree, Piece) else None


def _starts_apart(rest: Syntax, characters: Ranges, languages: Languages) -> bool:
    """Whether nothing that the rest matches begins with one of the characters."""
    if not isinstance(rest, Piece):
        return False
    start = languages.edge_in(rest.node, characters)
    return _is_empty(Grammar(start))


def _one_way(tree: Syntax, languages: Languages) -> bool:
    """Whether no text of the tree is the beginning of a longer one."""
    least, most = reduced_width(tree)
    if least == most:
        return True
    if not isinstance(tree, Piece):
        return False
    longer = cat(tree.node, languages.edge_in(ANY_TEXT, ALL))
    return _is_empty(Grammar(intersect(tree.node, longer)))


def _is_empty(grammar: Grammar) -> bool:
    try:
        ByteEngine(grammar, SEARCH)
    except UnsatisfiableSpec:
        return True
    except LimitExceeded:
        return False
    return False
