"""Reduce a syntax tree: every part without assertions becomes a `Piece`, a plain language.

Assertions that their neighbours settle are gone afterwards (`settle`). What is left is for `rests`,
which knows the whole rest of the text. What no language can express is refused here.
"""

from __future__ import annotations

from functools import reduce

from constrained.errors import UnsupportedSpec
from constrained.grammar import Literal, Nothing, literal, repeat
from constrained.grammar.nodes import Ranges
from constrained.spec.regex.atomic import first_way
from constrained.spec.regex.languages import Languages, character_set
from constrained.spec.regex.pieces import (
    FALSE,
    TRUE,
    Piece,
    character_node,
    joined,
    reduced_width,
    text_piece,
    union,
)
from constrained.spec.regex.settle import settled
from constrained.spec.regex.syntax import (
    Anchor,
    Atomic,
    BackReference,
    Boundary,
    CharSet,
    Choice,
    Conditional,
    Group,
    Look,
    Quantified,
    Sequence,
    Syntax,
    Text,
    changed,
    unsupported,
)
from constrained.spec.regex.width import either_width, times_width

__all__ = ["Reducer"]


class Reducer:
    """Reduces trees of one pattern; `where` is put before positions in errors."""

    def __init__(self, languages: Languages, where: str) -> None:
        self.languages = languages
        self.where = where
        self._characters: dict[str | Ranges, Piece] = {}
        self._repeats: dict[tuple[Piece, int, int | None], Piece] = {}

    def refusal(self, position: int, feature: str, problem: str, hint: str) -> UnsupportedSpec:
        """The error for what cannot be compiled exactly."""
        return unsupported(self.where, position, feature, problem, hint)

    def reduce(self, tree: Syntax) -> Syntax:
        """A tree of `Piece`, `Sequence`, `Choice`, `Quantified`, `Anchor`, `Boundary`, `Look`."""
        match tree:
            case Text(text):
                return self._character(text) if len(text) == 1 else text_piece(text)
            case CharSet(ranges):
                return self._character(ranges)
            case Sequence(parts):
                return self._sequence(parts)
            case Choice(options):
                return self._choice([self.reduce(option) for option in options])
            case Quantified():
                return self._quantified(tree)
            case Atomic(body, position):
                return self._atomic(body, position)
            case Look():
                return self._look(tree)
            case Group(body):
                return self.reduce(body)
            case BackReference(position=position, reason=reason):
                raise self.refusal(
                    position,
                    "back-reference",
                    f"a back-reference to {reason}",
                    "write out the alternatives, or check it after generation",
                )
            case Conditional(position=position, reason=reason):
                raise self.refusal(
                    position,
                    "conditional group",
                    f"a condition on {reason}",
                    "write out the two cases as alternatives",
                )
        return tree

    # One function per kind. What one character or its repeat compiles to is kept: patterns of a
    # megabyte have few different ones.

    def _character(self, wanted: str | Ranges) -> Piece:
        found = self._characters.get(wanted)
        if found is None:
            node = literal(wanted) if isinstance(wanted, str) else character_node(wanted)
            found = self._characters[wanted] = Piece(node, (1, 1))
        return found

    def _choice(self, options: list[Syntax]) -> Syntax:
        pieces = [option for option in options if isinstance(option, Piece)]
        others = [option for option in options if not isinstance(option, Piece)]
        if pieces:
            width = reduce(either_width, (piece.width for piece in pieces))
            merged = Piece(union([piece.node for piece in pieces]), width)
            if not others:
                return merged
            if not isinstance(merged.node, Nothing):
                others.insert(0, merged)
        return others[0] if len(others) == 1 else Choice(tuple(others))

    def _quantified(self, tree: Quantified) -> Syntax:
        body = self.reduce(tree.body)
        least, most = tree.least, tree.most
        if _is_simple(tree) and isinstance(body, Quantified) and _is_simple(body):
            # (x+)* is x*: one loop is solved where two would be, one inside the other
            endless = most is None or body.most is None
            tree = changed(body, least=least * body.least, most=None if endless else 1)
            body, least, most = tree.body, tree.least, tree.most
        known = self._repeats.get((body, least, most)) if isinstance(body, Piece) else None
        if known is not None and not tree.possessive:
            return known
        width = reduced_width(body)
        if most == 0 or (least == 0 and width[1] == 0):
            return TRUE
        if width[1] == 0 or (least, most) == (1, 1):
            return body  # an assertion that holds once holds as often as one likes
        fixed = least == most and width[0] == width[1]
        if isinstance(body, Piece) and (not tree.possessive or fixed):
            node = repeat(body.node, least, most)
            found = Piece(node, times_width(body.width, least, most))
            self._repeats[body, least, most] = found
            return found
        if tree.possessive and (width != (1, 1) or not isinstance(body, Piece)):
            way = first_way(tree, tree.position, self.languages, self.reduce)
            if way is not None:
                return self.reduce(way)
            raise self.refusal(
                tree.position,
                "possessive quantifier",
                "a possessive quantifier on more than one character cuts off matches",
                "leave out the '+' after the quantifier, which may allow more",
            )
        return changed(tree, body=body)

    def _atomic(self, body: Syntax, position: int) -> Syntax:
        found = first_way(body, position, self.languages, self.reduce)
        if found is not None:
            return self.reduce(found)
        raise self.refusal(
            position,
            "atomic group",
            "an atomic group cuts off matches",
            "write (?:...) in place of (?>...), which may allow more",
        )

    def _look(self, tree: Look) -> Syntax:
        body = self.reduce(tree.body)
        match body:
            case Piece(node=node):
                if isinstance(node, Nothing):
                    return TRUE if tree.negative else FALSE
                if self.languages.nullable(node):
                    return FALSE if tree.negative else TRUE
            case Anchor() | Boundary() | Look():
                return _negated(body) if tree.negative else body
            case Choice(options) if all(map(_settles_alone, options)):
                looks = [self._look(changed(tree, body=option)) for option in options]
                return self._sequence(tuple(looks)) if tree.negative else self._choice(looks)
        return changed(tree, body=body)

    def _sequence(self, parts: tuple[Syntax, ...]) -> Syntax:
        items = joined(settled(self.languages, self._flat(parts)))
        if any(isinstance(item, Piece) and isinstance(item.node, Nothing) for item in items):
            return FALSE
        if not items:
            return TRUE
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _flat(self, parts: tuple[Syntax, ...]) -> list[Syntax]:
        """The reduced parts, runs of single characters joined."""
        items: list[Syntax] = []
        text: list[str] = []
        for part in parts:
            if isinstance(part, Text):
                text.append(part.text)
                continue
            reduced = part if isinstance(part, Piece) else self.reduce(part)
            if isinstance(reduced, Piece) and isinstance(reduced.node, Literal):
                text.append(reduced.node.data.decode("utf-8"))
                continue
            _flush(text, items)
            if isinstance(reduced, Sequence):
                items.extend(reduced.parts)
            elif not (items and _same_assertion(items[-1], reduced)):
                items.append(reduced)
        _flush(text, items)
        return [item for item in items if item is not TRUE]


def _is_simple(tree: Quantified) -> bool:
    """Whether it is ``?``, ``*`` or ``+``, greedy or lazy."""
    return tree.least <= 1 and tree.most in (1, None) and not tree.possessive


def _flush(text: list[str], items: list[Syntax]) -> None:
    if text:
        run = "".join(text)
        items.append(text_piece(run))
        text.clear()


def _same_assertion(one: Syntax, other: Syntax) -> bool:
    """Whether two neighbours are the same anchor or boundary, so that one of them is enough."""
    match one, other:
        case Anchor(), Anchor():
            return (one.side, one.negative) == (other.side, other.negative)
        case Boundary(), Boundary():
            key = (one.word, one.negative, one.on_empty)
            return key == (other.word, other.negative, other.on_empty)
    return False


def _settles_alone(tree: Syntax) -> bool:
    """Whether a look at this is settled by one character, or is an assertion of its own."""
    if isinstance(tree, Piece):
        return character_set(tree.node) is not None
    return isinstance(tree, Anchor | Boundary)


def _negated(tree: Anchor | Boundary | Look) -> Syntax:
    if isinstance(tree, Boundary):
        return changed(tree, negative=not tree.negative, on_empty=not tree.on_empty)
    return changed(tree, negative=not tree.negative)
