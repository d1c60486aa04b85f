"""Settle assertions by their neighbours, so that they may stand anywhere, inside repeats too.

A look-ahead not longer than what follows it, as in ``(?!000)[0-9]{3}``, a look-behind not longer
than what precedes it, a word boundary between two known characters: each cuts down its neighbours,
and is gone.
"""

from __future__ import annotations

from collections import deque

from constrained.grammar import NOTHING, Literal, cat
from constrained.spec.regex.classes import NEWLINE, negated
from constrained.spec.regex.languages import ANY_TEXT, Languages, character_set
from constrained.spec.regex.pieces import Piece, concatenated, text_piece
from constrained.spec.regex.syntax import Anchor, Boundary, Look, Side, Syntax
from constrained.spec.regex.width import sum_width

__all__ = ["settled"]

_REACH = 16  # how many neighbours an assertion may take


def settled(languages: Languages, items: list[Syntax]) -> list[Syntax]:
    """A sequence's reduced items, less the assertions that their neighbours settle."""
    if all(isinstance(item, Piece) for item in items):
        return items
    return _settle_behind(languages, _settle_ahead(languages, items))


def _take(side: deque[Syntax] | list[Syntax], needed: int, *, before: bool) -> list[Piece] | None:
    """The nearest pieces with at least `needed` characters, off the side's end; None: too few.

    `before`: the side stands before the place, so that the last characters of a text are near.
    """
    taken: list[Piece] = []
    while needed > 0:
        item = side[-1] if side else None
        if not isinstance(item, Piece) or len(taken) == _REACH:
            side.extend(reversed(taken))
            return None
        side.pop()
        if isinstance(item.node, Literal) and item.width[0] > needed:
            far, item = _split(item.node.data.decode("utf-8"), needed, before)
            side.append(far)
        taken.append(item)
        needed -= item.width[0]
    return taken


def _split(text: str, needed: int, before: bool) -> tuple[Piece, Piece]:
    """A text as its far part and its `needed` near characters."""
    if before:
        return text_piece(text[:-needed]), text_piece(text[-needed:])
    return text_piece(text[needed:]), text_piece(text[:needed])


def _settle_ahead(languages: Languages, items: list[Syntax]) -> list[Syntax]:
    """Settle, from the right, look-aheads and line ends by what follows them."""
    out: list[Syntax] = []  # from right to left
    for item in reversed(items):
        reach = _reach(item, ahead=True)
        taken = None if reach is None else _take(out, reach, before=False)
        if taken is None:
            out.append(item)
        else:
            out.append(_cut(languages, item, concatenated(taken), last=False))
    return out[::-1]


def _settle_behind(languages: Languages, items: list[Syntax]) -> list[Syntax]:
    """Settle, from the left, look-behinds and line starts by what precedes them, and boundaries."""
    out: list[Syntax] = []
    following = deque(reversed(items))
    while following:
        item = following.pop()
        if isinstance(item, Boundary):
            out.extend(_boundary(languages, item, out, following))
            continue
        reach = _reach(item, ahead=False)
        taken = None if reach is None else _take(out, reach, before=True)
        if taken is None:
            out.append(item)
        else:
            out.append(_cut(languages, item, concatenated(taken[::-1]), last=True))
    return out


def _reach(item: Syntax, *, ahead: bool) -> int | None:
    """How many characters on that side settle the item; None: no number does."""
    match item:
        case Look(body=Piece(width=(_, int(most)))) if item.ahead == ahead:
            return most
        case Anchor(Side.LINE_END | Side.END) if ahead:
            return 1
        case Anchor(Side.LAST_END) if ahead:
            return 2
        case Anchor(Side.LINE_START | Side.START) if not ahead:
            return 1
    return None


def _cut(languages: Languages, item: Syntax, piece: Piece, *, last: bool) -> Piece:
    """The neighbouring piece, cut down to where the assertion holds."""
    node = piece.node
    match item:
        case Look(body=Piece(node=looked), negative=negative):
            single = character_set(looked)
            if single is not None:
                wanted = negated(single) if negative else single
                cut = languages.edge_in(node, wanted, last=last)
            else:
                around = cat(ANY_TEXT, looked) if last else cat(looked, ANY_TEXT)
                cut = languages.without(node, around) if negative else languages.both(node, around)
        case Anchor(Side.LINE_START | Side.LINE_END, negative=negative):
            cut = languages.edge_in(node, negated(NEWLINE) if negative else NEWLINE, last=last)
        case Anchor(negative=negative):
            cut = node if negative else NOTHING
        case _:
            raise TypeError(f"{item!r} is not settled by one side")
    return Piece(cut, piece.width)


def _boundary(
    languages: Languages, item: Boundary, before: list[Syntax], following: deque[Syntax]
) -> list[Syntax]:
    """The boundary between the nearest pieces on both sides, or itself where one is missing."""
    left = _take(before, 1, before=True)
    if left is None:
        return [item]
    right = _take(following, 1, before=False)
    if right is None:
        before.extend(reversed(left))
        return [item]
    one, other = concatenated(left[::-1]), concatenated(right)
    word, rest = item.word, item.other
    pairs = [(word, word), (rest, rest)] if item.negative else [(word, rest), (rest, word)]
    node = languages.either(
        *(
            cat(languages.edge_in(one.node, a, last=True), languages.edge_in(other.node, b))
            for a, b in pairs
        )
    )
    return [Piece(node, sum_width(one.width, other.width))]
