"""What the two dialects' parsers share: alternatives, sequences, quantifiers, classes, errors.

Recursive descent with one method per construct and an explicit bound on nesting. Runs of plain
characters are taken in one step, so that a pattern of a megabyte parses in about a second.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from constrained.errors import InvalidSpec
from constrained.grammar.build import SURROGATES, ranges_of
from constrained.grammar.nodes import Ranges
from constrained.spec.regex.classes import negated
from constrained.spec.regex.syntax import (
    Anchor,
    Boundary,
    CharSet,
    Choice,
    Look,
    Quantified,
    Sequence,
    Syntax,
    Text,
    invalid,
)

__all__ = ["MAX_DEPTH", "MAX_REPEAT", "Members", "Parser"]

MAX_DEPTH = 64
"""How deep groups may nest."""

MAX_REPEAT = 2**32 - 1
"""Repetition counts must stay below it, as in Python's `re`."""

_WRAPPED = (Text, Quantified, Anchor, Boundary, Look)  # what `quantify` treats by its kind
_COUNTS = re.compile(r"([0-9]*+)(,?+)([0-9]*+)\}")


@dataclass
class Members:
    """What stands in the class that begins at `start`."""

    start: int
    codes: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    classes: list[Ranges] = field(default_factory=list)

    def add(self, member: int | Ranges) -> None:
        """A single character or a whole class."""
        if isinstance(member, int):
            self.codes.append(member)
        else:
            self.classes.append(member)

    def literal(self) -> Ranges:
        """The characters and the spans."""
        return ranges_of([*((code, code) for code in self.codes), *self.spans])

    def joined(self, literal: Ranges) -> Ranges:
        """The classes together with the characters and spans, as the flags have these."""
        return ranges_of([*literal, *(pair for ranges in self.classes for pair in ranges)])


class Parser(ABC):
    """A cursor over one pattern; subclasses say what their dialect's escapes and groups mean.

    `where` is put before the position in errors (a JSON pointer, or nothing).
    """

    plain: re.Pattern[str]
    """A run of characters that stand for themselves."""

    def __init__(self, pattern: str, where: str) -> None:
        self.pattern = pattern
        self.where = where
        self.at = 0
        self.depth = 0
        self.references = False  # whether there are back-references
        self.classes: dict[str, CharSet] = {}  # by their text, under the flags in force

    # The cursor.

    def error(self, problem: str, position: int, hint: str = "") -> InvalidSpec:
        """The error for a malformed pattern."""
        return invalid(self.where, position, problem, hint)

    def peek(self) -> str:
        """The character at the cursor; empty at the end."""
        return self.pattern[self.at : self.at + 1]

    def take(self, text: str) -> bool:
        """Step over `text` if it stands at the cursor."""
        if not self.pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def take_until(self, end: str, what: str) -> str:
        """The text up to `end`, which is stepped over; it must not be empty."""
        start = self.at
        stop = self.pattern.find(end, start)
        if stop < 0:
            raise self.error(f"{what} without its closing {end!r}", start)
        if stop == start:
            raise self.error(f"{what} is empty", start)
        self.at = stop + len(end)
        return self.pattern[start:stop]

    # Structure.

    def parse(self) -> Syntax:
        """The whole pattern."""
        tree = self.choice()
        if self.at < len(self.pattern):
            raise self.error("')' without its '('", self.at, "write \\) for the character")
        return tree

    def choice(self) -> Syntax:
        """Alternatives, up to the end or a closing parenthesis."""
        options = [self.sequence()]
        while self.take("|"):
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self) -> Syntax:
        """Items one after the other, up to the end, `|` or `)`."""
        items: list[Syntax] = []
        while self.at < len(self.pattern):
            run = self.plain.match(self.pattern, self.at)
            if run:
                self.at = run.end()
                self.add_text(items, run.group())
                continue
            if self.peek() in "|)":
                break
            if not self.skip():
                self.item(items)
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def skip(self) -> bool:
        """Step over what the dialect ignores; True when there was something."""
        return False

    def add_text(self, items: list[Syntax], text: str) -> None:
        """Characters that stand for themselves."""
        items.append(Text(text))

    def add_character(self, items: list[Syntax], code: int) -> None:
        """A character that stands for itself, however it was written."""
        if SURROGATES[0] <= code <= SURROGATES[1]:
            items.append(CharSet(((code, code),)))  # UTF-8 cannot spell it: matches nothing
        else:
            self.add_text(items, chr(code))

    def item(self, items: list[Syntax]) -> None:
        """One construct that begins with a special character."""
        start = self.at
        char = self.pattern[start]
        self.at += 1
        match char:
            case "\\":
                self.escape(items, start)
            case "[":
                items.append(self.char_class(start))
            case "(":
                group = self.group(start)
                if group is not None:
                    items.append(group)
            case "*":
                self.quantify(items, 0, None, start)
            case "+":
                self.quantify(items, 1, None, start)
            case "?":
                self.quantify(items, 0, 1, start)
            case "{":
                self.brace(items, start)
            case "." | "^" | "$":
                items.append(self.symbol(char, start))
            case _:
                self.lenient(start)
                self.add_character(items, ord(char))

    def brace(self, items: list[Syntax], start: int) -> None:
        """`{n}`, `{n,}`, `{n,m}`, or the character `{` where it begins none of them."""
        found = _COUNTS.match(self.pattern, self.at)
        if not found or not self.counts(found):
            self.lenient(start)
            self.add_character(items, ord("{"))
            return
        self.at = found.end()
        least, comma, most = found.groups()
        low = self.count(least, start) if least else 0
        high = (self.count(most, start) if most else None) if comma else low
        if high is not None and high < low:
            raise self.error(f"repeat of at least {low} and at most {high}", start)
        self.quantify(items, low, high, start)

    def count(self, digits: str, start: int) -> int:
        """The number that the digits of a quantifier spell."""
        # Ten digits are enough to tell; int() of a megabyte of digits would take minutes.
        value = int(digits.lstrip("0")[:11] or "0")
        if value >= MAX_REPEAT:
            raise self.error(f"a repeat count must be below {MAX_REPEAT}", start)
        return value

    def quantify(self, items: list[Syntax], least: int, most: int | None, start: int) -> None:
        """Apply a quantifier to the last item."""
        if not items or not self.repeatable(items[-1]):
            raise self.error(
                f"nothing to repeat before {self.pattern[start]!r}",
                start,
                f"write \\{self.pattern[start]} for the character",
            )
        body = items.pop()
        if isinstance(body, Quantified):
            raise self.error(
                "a quantifier after a quantifier", start, "put the first one's part in (?:...)"
            )
        if isinstance(body, Text) and len(body.text) > 1:
            items.append(Text(body.text[:-1]))
            body = Text(body.text[-1])
        lazy = self.take("?")
        possessive = not lazy and self.take_possessive()
        items.append(Quantified(body, least, most, start, lazy, possessive))

    def repeatable(self, item: Syntax) -> bool:
        """Whether a quantifier may follow the item."""
        return not isinstance(item, Anchor | Boundary)

    def nested(self, start: int, parse: Callable[[], Syntax]) -> Syntax:
        """Parse the inside of a group and its closing parenthesis."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"groups nested more than {MAX_DEPTH} deep", start)
        tree = parse()
        if not self.take(")"):
            raise self.error("'(' without its ')'", start, "write \\( for the character")
        self.depth -= 1
        # A group is one thing to repeat, whatever its inside.
        return Sequence((tree,)) if isinstance(tree, _WRAPPED) else tree

    def look(self, start: int, *, ahead: bool, negative: bool) -> Look:
        """The inside of a look-ahead or look-behind."""
        return Look(self.nested(start, self.choice), start, ahead, negative)

    # Classes.

    def char_class(self, start: int) -> CharSet:
        """A bracketed class; the cursor stands after the `[`."""
        negative = self.take("^")
        members = Members(start)
        first = True
        while not self.class_ends(first):
            first = False
            low_at = self.at
            low = self.class_member(start)
            if self.peek() != "-" or self.pattern.startswith("-]", self.at):
                members.add(low)
                continue
            self.at += 1
            high = self.class_member(start)
            if not isinstance(low, int) or not isinstance(high, int):
                self.no_range(low_at)
                for member in (low, ord("-"), high):
                    members.add(member)
            elif high < low:
                text = self.pattern[low_at : self.at]
                raise self.error(f"the range {text!r} is in reverse", low_at)
            else:
                members.spans.append((low, high))
        text = self.pattern[start : self.at]
        if text not in self.classes:
            ranges = self.class_ranges(members)
            self.classes[text] = CharSet(negated(ranges) if negative else ranges)
        return self.classes[text]

    def class_ends(self, first: bool) -> bool:
        """Whether the class ends here (stepping over the `]`); False: a member follows."""
        return (not first or self.empty_classes) and self.take("]")

    def class_member(self, start: int) -> int | Ranges:
        """One member of the class that began at `start`: a code point, or a set."""
        char = self.peek()
        if not char:
            raise self.error("'[' without its ']'", start, "write \\[ for the character")
        self.at += 1
        return self.class_escape(self.at - 1) if char == "\\" else ord(char)

    def hexadecimal(self, digits: int, start: int) -> int:
        """Exactly `digits` hexadecimal digits of an escape that began at `start`."""
        text = self.pattern[self.at : self.at + digits]
        if len(text) < digits or not all(c in "0123456789abcdefABCDEF" for c in text):
            escape = self.pattern[start : self.at]
            raise self.error(f"{escape} needs {digits} hexadecimal digits", start)
        self.at += digits
        return int(text, 16)

    # What the dialects decide.

    @abstractmethod
    def lenient(self, start: int) -> None:
        """A character that stands for itself though it is special; the cursor stands after it."""

    empty_classes: bool
    """Whether `[]` is the empty class (else its `]` is the first member)."""

    @abstractmethod
    def counts(self, found: re.Match[str]) -> bool:
        """Whether these braces are a quantifier: groups least, comma and most."""

    @abstractmethod
    def take_possessive(self) -> bool:
        """Step over the mark of a possessive quantifier, if the dialect has one."""

    @abstractmethod
    def symbol(self, char: str, start: int) -> Syntax:
        """What `.`, `^` or `$` means."""

    @abstractmethod
    def escape(self, items: list[Syntax], start: int) -> None:
        """A backslash escape outside a class; the cursor stands after the backslash."""

    @abstractmethod
    def class_escape(self, start: int) -> int | Ranges:
        """A backslash escape inside a class; the cursor stands after the backslash."""

    @abstractmethod
    def group(self, start: int) -> Syntax | None:
        """What begins with `(`; the cursor stands after it. None: nothing to add."""

    @abstractmethod
    def class_ranges(self, members: Members) -> Ranges:
        """What a class with these members matches, before it is negated."""

    @abstractmethod
    def no_range(self, start: int) -> None:
        """A class that stands at the end of a range: an error, or three members."""
