r"""Compile a reduced tree with assertions, from right to left, each part before the whole rest.

What a part is followed by is known as a language: the *rest*, one node for each context, a context
being what stands before that place (the start of the text, or a character of one of the cells that
the pattern's look-behinds divide all characters into, with the states of longer ones). So every
assertion is an exact cut of the rest: `$` keeps its empty part, `(?=X)` intersects it with X and
anything, `\b` after a word character keeps what is empty or starts with something else.
"""

from __future__ import annotations

from constrained.errors import UnsupportedSpec
from constrained.grammar import NOTHING, Literal, Node, Nothing, Repeat, cat, literal, repeat
from constrained.grammar.nodes import Cat, Ranges
from constrained.spec.regex import loops
from constrained.spec.regex.classes import (
    ALL,
    NEWLINE,
    a_character,
    atoms_of,
    holds,
    negated,
    within,
)
from constrained.spec.regex.futures import Watch
from constrained.spec.regex.languages import ANY_TEXT, Languages, NotLinear, alphabet, character_set
from constrained.spec.regex.pieces import Piece, reduced_width
from constrained.spec.regex.syntax import (
    Anchor,
    Boundary,
    Choice,
    Look,
    Quantified,
    Sequence,
    Side,
    Syntax,
    changed,
    unsupported,
)

__all__ = ["Rest", "Rests", "absorbed"]

Rest = tuple[Node, ...]
"""What follows a place, by what stands before it: the start of the text, then other contexts."""

Context = tuple[Ranges, tuple[tuple[Watch, int], ...]]
"""The cell of the character before (none at the start), and the states of longer look-behinds."""

MAX_CONTEXTS = 32
MAX_ROUNDS_APART = 8
MAX_UNROLLED = 64
MAX_NESTING = 250


def absorbed(node: Node, *, last: bool) -> Node:
    """The node beside any text, without the repeats at that edge which any text covers."""
    parts = list(node.parts if isinstance(node, Cat) else (node,))
    if not last:
        parts.reverse()
    while parts and isinstance(edge := parts[-1], Repeat) and edge.least != edge.most:
        parts.pop()
        if edge.least:
            parts.append(repeat(edge.body, edge.least, edge.least))
    return cat(*(parts if last else parts[::-1]))


class Rests:
    """The compiler of one sequence of parts: contexts, and one method per kind of part."""

    def __init__(self, languages: Languages, where: str, parts: tuple[Syntax, ...]) -> None:
        self.languages = languages
        self.where = where
        self.loops = 0
        self._holds: dict[int, tuple[Ranges, list[bool]]] = {}
        self._looked: dict[int, tuple[Look, Rest]] = {}
        self._watches: dict[int, Watch] = {}
        behind: dict[Ranges, None] = {}
        longer: dict[Node, None] = {}
        starts = False
        for part in parts:
            starts |= _looks_back(part, behind, longer)
        self.contexts: list[Context] = [((), ())]
        if starts or behind or longer:
            try:
                watches = tuple(self.watch(cat(ANY_TEXT, node)) for node in longer)
                self.contexts = _contexts(list(behind), watches)
            except NotLinear:
                raise UnsupportedSpec(
                    "look-behind",
                    "its look-behinds tell too much of what stands before them apart",
                    where=where,
                    hint="simplify the pattern",
                ) from None

    def all(self, node: Node) -> Rest:
        """The same rest in every context."""
        return (node,) * len(self.contexts)

    def holds(self, behind: Ranges) -> list[bool]:
        """For each context: whether a character of this set stands before."""
        known = self._holds.get(id(behind))
        if known is None:
            known = (behind, [bool(cell) and within(cell, behind) for cell, _ in self.contexts])
            self._holds[id(behind)] = known  # holding the set keeps its id its own
        return known[1]

    def ended(self, node: Node) -> list[bool]:
        """For each context: whether what the node matches stands before."""
        watch = self.watch(cat(ANY_TEXT, node))
        return [dict(states)[watch] in watch.at_the_end for _, states in self.contexts]

    def refusal(self, position: int, feature: str, problem: str, hint: str) -> UnsupportedSpec:
        """The error for what cannot be compiled exactly."""
        return unsupported(self.where, position, feature, problem, hint)

    # Parts.

    def sequence(self, parts: tuple[Syntax, ...], rest: Rest) -> Rest:
        """The parts and then the rest."""
        for part in reversed(parts):
            rest = self.part(part, rest)
            if any(self.languages.size(node)[1] > MAX_NESTING for node in rest):
                raise UnsupportedSpec(
                    "many assertions",
                    f"its assertions nest more than {MAX_NESTING} deep when written out",
                    where=self.where,
                    hint="split the pattern, or leave some of them out",
                )
        return rest

    def part(self, part: Syntax, rest: Rest) -> Rest:
        """What `part` and then `rest` match, by context."""
        match part:
            case Piece(node=node):
                return self.before(node, rest)
            case Sequence(parts):
                return self.sequence(parts, rest)
            case Choice(options):
                found = [self.part(option, rest) for option in options]
                return tuple(self.languages.either(*nodes) for nodes in zip(*found, strict=True))
            case Anchor():
                return self._anchor(part, rest)
            case Boundary():
                return self._boundary(part, rest)
            case Look():
                return self._look(part, rest)
            case Quantified():
                return self._quantified(part, rest)
        raise TypeError(f"{part!r} is not a reduced part")

    def before(self, node: Node, rest: Rest) -> Rest:
        """A plain node before the rest; its last character is the rest's context."""
        start, others = rest[0], rest[1:]
        if all(other is start for other in others):
            if start is ANY_TEXT:
                node = absorbed(node, last=True)
            return self.all(cat(node, start))
        if self.contexts[0][1]:
            return self._before_longer(node, rest)
        by_rest: dict[int, tuple[Node, list[tuple[int, int]]]] = {}
        for (cell, _), other in zip(self.contexts[1:], others, strict=True):
            if not isinstance(other, Nothing):
                by_rest.setdefault(id(other), (other, []))[1].extend(cell)
        languages = self.languages
        after = languages.either(
            *(
                cat(languages.edge_in(node, tuple(sorted(ranges)), last=True), other)
                for other, ranges in by_rest.values()
            )
        )
        if not languages.nullable(node):
            return self.all(after)
        if all(other is others[0] for other in others):
            whole = cat(node, others[0])
            return (languages.either(after, start), *(whole for _ in others))
        return tuple(languages.either(after, here) for here in rest)

    def _before_longer(self, node: Node, rest: Rest) -> Rest:
        """The same where look-behinds over several characters have states of their own."""
        languages = self.languages
        ends = {cell: languages.edge_in(node, cell, last=True) for cell, _ in self.contexts[1:]}
        from_states: dict[object, Node] = {}
        out: list[Node] = []
        for (_, states), here in zip(self.contexts, rest, strict=True):
            if states not in from_states:
                options: list[Node] = []
                for (cell, later), other in zip(self.contexts[1:], rest[1:], strict=True):
                    found = NOTHING if isinstance(other, Nothing) else ends[cell]
                    for (watch, state), (_, to) in zip(states, later, strict=True):
                        found = watch.between(found, state, to)
                    options.append(cat(found, other))
                from_states[states] = languages.either(*options)
            after = from_states[states]
            out.append(languages.either(after, here) if languages.nullable(node) else after)
        return tuple(out)

    def _anchor(self, anchor: Anchor, rest: Rest) -> Rest:
        languages, negative = self.languages, anchor.negative
        match anchor.side:
            case Side.START:
                holds = [not cell for cell, _ in self.contexts]
            case Side.LINE_START:
                holds = [True, *self.holds(NEWLINE)[1:]]
            case Side.END:
                if negative:
                    return tuple(languages.edge_in(r, ALL) for r in rest)
                return tuple(languages.empty_part(r) for r in rest)
            case Side.LINE_END:
                if negative:
                    return tuple(languages.edge_in(r, negated(NEWLINE)) for r in rest)
                return self.unless(NEWLINE, rest, wanted=True)
            case Side.LAST_END:
                return tuple(self._last_end(anchor, r) for r in rest)
        return tuple(r if h != negative else NOTHING for r, h in zip(rest, holds, strict=True))

    def _last_end(self, anchor: Anchor, rest: Node) -> Node:
        languages = self.languages
        if not anchor.negative:
            return languages.either(languages.empty_part(rest), languages.newline_part(rest))
        return self.longer_than_newline(languages.edge_in(rest, ALL))

    def longer_than_newline(self, node: Node) -> Node:
        """The node without the string of one newline."""
        if isinstance(self.languages.newline_part(node), Nothing):
            return node
        return self.languages.without(node, literal("\n"))

    def unless(self, ranges: Ranges, rest: Rest, *, wanted: bool = False) -> Rest:
        """What is empty or starts outside (`wanted`: inside) the ranges."""
        kept = ranges if wanted else negated(ranges)
        languages = self.languages
        return tuple(
            languages.either(languages.empty_part(r), languages.edge_in(r, kept)) for r in rest
        )

    def _boundary(self, boundary: Boundary, rest: Rest) -> Rest:
        out: list[Node] = []
        after_word = self.holds(boundary.word)
        for context, node in enumerate(rest):
            before_word = after_word[context] == boundary.negative
            wanted = boundary.word if before_word else boundary.other
            kept = self.languages.edge_in(node, wanted)
            if boundary.on_empty if context == 0 else not before_word:
                kept = self.languages.either(self.languages.empty_part(node), kept)
            out.append(kept)
        return tuple(out)

    def _look(self, look: Look, rest: Rest) -> Rest:
        languages = self.languages
        single = character_set(look.body.node) if isinstance(look.body, Piece) else None
        if not look.ahead:
            if not isinstance(look.body, Piece):
                raise self.refusal(
                    look.position,
                    "look-behind",
                    "an assertion in a look-behind over several characters is not compiled here",
                    "put it after the plain text that it looks at, or at the end of the pattern",
                )
            held = self.ended(look.body.node) if single is None else self.holds(single)
            kept = zip(rest, held, strict=True)
            return tuple(r if h != look.negative else NOTHING for r, h in kept)
        if single is not None:
            if look.negative:
                return self.unless(single, rest)
            return tuple(languages.edge_in(r, single) for r in rest)
        pairs = zip(rest, self.looked(look), strict=True)
        try:
            return tuple(self._seen(r, x, look.negative) for r, x in pairs)
        except NotLinear:
            raise self.refusal(
                look.position,
                "look-ahead",
                "a look-ahead inside a repeat that reaches beyond one round is not compiled",
                "put it before the repeat",
            ) from None

    def _seen(self, rest: Node, looked: Node, negative: bool) -> Node:
        """What of the rest is `looked` (or is not)."""
        if isinstance(rest, Nothing):
            return NOTHING
        if self.languages.has_hole(rest):
            return self.watch(looked).cut(rest, 0, not negative)
        return (self.languages.without if negative else self.languages.both)(rest, looked)

    def looked(self, look: Look) -> Rest:
        """All that a look-ahead allows to follow, by context."""
        found = self._looked.get(id(look))
        if found is None:
            found = (look, self.part(look.body, self.all(ANY_TEXT)))
            self._looked[id(look)] = found  # holding the look keeps its id its own
        return found[1]

    def watch(self, looked: Node) -> Watch:
        """The automaton of what a look-ahead allows to follow."""
        found = self._watches.get(id(looked))
        if found is None:
            found = next((w for w in self._watches.values() if w.node == looked), None)
            found = found or Watch(self.languages, looked)
            self._watches[id(looked)] = found
        return found

    # Repeats around assertions.

    def _quantified(self, part: Quantified, rest: Rest) -> Rest:
        least, most = part.least, part.most
        either = self.languages.either
        if part.possessive:
            return self._possessive(part, rest)
        guarded = self._guarded(part, rest)
        if guarded is not None:
            return guarded
        rounds, width = max(least, most or 0), reduced_width(part.body)
        if rounds > MAX_ROUNDS_APART and width[0] == width[1]:
            return self._loop(part, rest)
        if rounds > MAX_UNROLLED:
            raise self.refusal(
                part.position,
                "assertion in a repeat",
                f"a repeat of more than {MAX_UNROLLED} around an assertion is not compiled",
                "move the assertion out of the repeat",
            )
        if most is None:
            rest = self._loop(changed(part, least=0), rest)
            for _ in range(least):
                rest = self.part(part.body, rest)
            return rest
        after = rest
        for done in reversed(range(most)):
            more = self.part(part.body, after)
            pairs = zip(rest, more, strict=True)
            after = tuple(either(r, m) for r, m in pairs) if done >= least else more
        return after

    def _loop(self, part: Quantified, rest: Rest) -> Rest:
        try:
            return loops.solve(self, part, rest)
        except NotLinear:
            raise self.refusal(
                part.position,
                "assertion in a repeat",
                "the assertions inside this repeat are not compiled",
                "move them out of the repeat",
            ) from None

    def _possessive(self, part: Quantified, rest: Rest) -> Rest:
        """A single character's repeat that takes all it can: no such character may follow."""
        node = part.body.node if isinstance(part.body, Piece) else NOTHING
        characters = character_set(node)
        if characters is None:
            raise self.refusal(
                part.position,
                "possessive quantifier",
                "a possessive quantifier around an assertion is not compiled",
                "leave out the '+' after the quantifier",
            )
        stopped = self.unless(characters, rest)
        if part.most is None:
            return self.before(repeat(node, part.least), stopped)
        full = self.before(repeat(node, part.most, part.most), rest)
        if part.least == part.most:
            return full
        short = self.before(repeat(node, part.least, part.most - 1), stopped)
        return tuple(self.languages.either(s, f) for s, f in zip(short, full, strict=True))

    def _guarded(self, part: Quantified, rest: Rest) -> Rest | None:
        """`(?:(?!X)c)*`: characters without an X among them; None where that is not all.

        It is where the rest is empty or starts with a character that no X has in it, for then no X
        begins in the repeat and ends in the rest. And where X is one text and the rest begins with
        it, the repeat ends where the first X begins.
        """
        match part.body:
            case Sequence(
                (
                    Look(body=Piece(node=guard), ahead=True, negative=True),
                    Piece(node=node, width=(1, 1)),
                )
            ) if all(other is rest[0] for other in rest):
                found = self._up_to(repeat(node, part.least, part.most), guard, rest[0])
                return None if found is None else self.all(found)
        return None

    def _up_to(self, body: Node, guard: Node, rest: Node) -> Node | None:
        languages = self.languages
        if isinstance(rest, Nothing):
            return NOTHING
        characters = alphabet(guard)
        if isinstance(languages.edge_in(rest, characters), Nothing):
            return cat(languages.without(body, cat(ANY_TEXT, guard, ANY_TEXT)), rest)
        if rest is ANY_TEXT and languages.nullable(body):
            return ANY_TEXT
        first = rest.parts[0] if isinstance(rest, Cat) else rest
        if not isinstance(guard, Literal) or not isinstance(first, Literal):
            return None
        if not first.data.startswith(guard.data):
            return None
        others = rest.parts[1:] if isinstance(rest, Cat) else ()
        once = languages.without(
            cat(body, guard), cat(ANY_TEXT, guard, languages.edge_in(ANY_TEXT, ALL))
        )
        return cat(once, literal(first.data[len(guard.data) :]), *others)


def _contexts(behind: list[Ranges], watches: tuple[Watch, ...]) -> list[Context]:
    """The contexts that texts lead to, from the start of the text on."""
    cells = atoms_of(behind[: MAX_CONTEXTS + 1])
    if len(cells) > MAX_CONTEXTS:
        raise NotLinear
    found: list[Context] = [((), tuple((watch, 0) for watch in watches))]
    if not watches:
        return [*found, *((cell, ()) for cell in cells)]
    atoms = atoms_of([*cells, *(ranges for watch in watches for ranges, _ in watch.atoms)])
    codes = [code for code in map(a_character, atoms) if code is not None]
    for _, states in found:  # grows while it is walked
        for code in codes:
            cell = next(cell for cell in cells if holds(cell, code))
            after = cell, tuple((watch, watch.after(state, code)) for watch, state in states)
            if after not in found:
                found.append(after)
        if len(found) > MAX_CONTEXTS:
            raise NotLinear
    return found


def _looks_back(tree: Syntax, sets: dict[Ranges, None], longer: dict[Node, None]) -> bool:
    """Whether the tree asks what stands before a place.

    Adds the sets of characters that it asks for, and what it asks for that is longer.
    """
    match tree:
        case Boundary(word=word):
            sets[word] = None
            return True
        case Anchor(side=side):
            if side is Side.LINE_START:
                sets[NEWLINE] = None
            return side in (Side.START, Side.LINE_START)
        case Look(body=Piece(node=node), ahead=False):
            single = character_set(node)
            if single is None:
                longer[node] = None
            else:
                sets[single] = None
            return True
        case Sequence(parts) | Choice(parts):
            found = [_looks_back(part, sets, longer) for part in parts]
            return any(found)
        case Look(body=body) | Quantified(body=body):
            return _looks_back(body, sets, longer)
    return False
