r"""The parser of ECMA-262 patterns, as JSON Schema's `pattern` uses them.

The meaning is that of the `u` flag: one code point at a time, `\d` and `\w` for ASCII. The syntax
is more lenient, for what real schemas write: escapes of any punctuation, and `{`, `}`, `]` and `-`
for themselves where they can mean nothing else (annex B of the standard). What annex B would read
as plain characters though its author surely meant something else (`\A`, `\h`, `{,3}`) is an error.
"""

from __future__ import annotations

import re
import warnings

from constrained.errors import PatternWarning
from constrained.grammar.build import MAX_CODE_POINT
from constrained.grammar.nodes import Ranges
from constrained.spec.regex.classes import ECMA_CLASSES, ECMA_DOT, category, negated
from constrained.spec.regex.parser import Members, Parser
from constrained.spec.regex.syntax import (
    Anchor,
    BackReference,
    Boundary,
    CharSet,
    Group,
    Look,
    Side,
    Syntax,
    unsupported,
)

__all__ = ["EcmaParser"]

_CONTROLS = {"f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_MEANT = {
    "A": "write ^ for the start of the text",
    "Z": "write $ for the end of the text",
    "z": "write $ for the end of the text",
    "a": "write \\x07 for the bell",
    "e": "write \\x1b for the escape character",
    "h": "write [ \\t] for blanks",
    "N": "write [^\\n] for anything but a newline",
    "Q": "escape each special character by itself",
    "R": "write (?:\\r\\n|\\n|\\r) for line ends",
    "U": "write \\u{...} for a character beyond \\uFFFF",
}
_HIGH = range(0xD800, 0xDC00)
_LOW = range(0xDC00, 0xE000)
_PLAIN = re.compile(r"[^\\\[\]{}()*+?.^$|\ud800-\udfff]+")
_SYNTAX = "^$\\.*+?()[]{}|/"
_NAME = re.compile(r"(?:[^\W\d]|\$)[\w$]*")
# An escape, or a class (to the end where it does not close): what may hide a parenthesis.
_HIDDEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*+(?:\]|\Z)", re.DOTALL)
_CAPTURING = re.compile(r"\((?!\?)|\(\?P?<(?![=!])")


class EcmaParser(Parser):
    """One pattern of ECMA-262."""

    empty_classes = True

    def __init__(self, pattern: str, where: str) -> None:
        super().__init__(pattern, where)
        self.plain = _PLAIN
        self.groups = 0
        self.names: set[str] = set()
        self.named: list[tuple[str, int]] = []  # references by name, and where they stand
        self.lenient_at: list[tuple[int, int, str, str]] = []

    def parse(self) -> Syntax:
        """The whole pattern; a `PatternWarning` where it is well formed by annex B alone."""
        tree = super().parse()
        for name, start in self.named:  # a group may follow its reference
            if name not in self.names:
                hint = f"name a group (?<{name}>...)"
                raise self.error(f"there is no group named {name!r}", start, hint)
        if self.lenient_at:
            start, end, means, remedy = self.lenient_at[0]
            place = f"{self.where}, position {start}" if self.where else f"position {start}"
            more = len(self.lenient_at) - 1
            others = f" (and {more} more such)" if more else ""
            warnings.warn(
                f"at {place}: {self.pattern[start:end]!r} in the pattern {self.pattern!r:.80} is "
                f"read as {means}, but with the flag u, which JSON Schema recommends, it is "
                f"malformed{others}; {remedy}",
                PatternWarning,
                stacklevel=2,
            )
        return tree

    def lenient(self, start: int) -> None:
        """Annex B: what with the flag u would be malformed."""
        if self.pattern[start] in "\\[]{}":
            means = self.pattern[self.at - 1 : self.at]
            self._noted(
                start,
                f"the character {means!r}",
                "look for a backslash in the wrong place, or write "
                f"{means if self.at - start > 1 else chr(92) + means} for the character",
            )

    def _noted(self, start: int, means: str, remedy: str) -> None:
        self.lenient_at.append((start, self.at, means, remedy))

    def class_ranges(self, members: Members) -> Ranges:
        """All that is in it."""
        return members.joined(members.literal())

    def no_range(self, start: int) -> None:
        """Annex B: the minus stands for itself."""
        remedy = "look for an end of the range, or write \\- for the character"
        self._noted(start, "no range, its minus as a character", remedy)

    def symbol(self, char: str, start: int) -> Syntax:
        """The anchors know no lines; the dot leaves out four line ends."""
        match char:
            case ".":
                return CharSet(ECMA_DOT)
            case "^":
                return Anchor(Side.START, start)
            case _:
                return Anchor(Side.END, start)

    # Quantifiers.

    def counts(self, found: re.Match[str]) -> bool:
        """The least count must be there; else the brace is a character."""
        if found[3] and not found[1]:
            raise self.error(
                "a repeat without its least count", found.start() - 1, "write 0 before the comma"
            )
        return bool(found[1])

    def take_possessive(self) -> bool:
        """There are none."""
        return False

    def repeatable(self, item: Syntax) -> bool:
        """Annex B: a look-ahead may be repeated, other assertions may not."""
        if isinstance(item, Look):
            if item.ahead:
                remedy = "leave the quantifier out, or repeat a group around more than that"
                self._noted(item.position, "a look-ahead that is repeated", remedy)
            return item.ahead
        return super().repeatable(item)

    # Escapes.

    def escape(self, items: list[Syntax], start: int) -> None:
        """Classes, properties, boundaries; the rest are characters."""
        letter = self.peek()
        if letter and letter in "dDwWsS":
            self.at += 1
            items.append(CharSet(ECMA_CLASSES[letter]))
        elif letter and letter in "pP":
            self.at += 1
            items.append(CharSet(self.property(letter, start)))
        elif letter and letter in "bB":
            self.at += 1
            negative = letter == "B"
            word, other = ECMA_CLASSES["w"], ECMA_CLASSES["W"]
            items.append(Boundary(word, other, start, negative, on_empty=negative))
        elif letter and letter in "123456789":
            items.append(self.number(start))
        elif letter == "k":
            self.at += 1
            name = self.take_until(">", "a group name") if self.take("<") else ""
            if not _NAME.fullmatch(name):
                raise self.error("\\k without a group name in <>", start)
            self.named.append((name, start))
            items.append(self.reference(name, start))
        else:
            self.add_character(items, self.escaped(start, _SYNTAX))

    def class_escape(self, start: int) -> int | Ranges:
        """As outside, but ``b`` is the backspace and there are no boundaries."""
        letter = self.peek()
        if letter and letter in "dDwWsS":
            self.at += 1
            return ECMA_CLASSES[letter]
        if letter and letter in "pP":
            self.at += 1
            return self.property(letter, start)
        if letter == "b":
            self.at += 1
            return 8
        return self.escaped(start, _SYNTAX + "-")

    def escaped(self, start: int, known: str) -> int:
        """A character, with a note where its escape is not one of the known ones of the flag u."""
        letter = self.peek()
        code = self.character(start)
        if letter not in known and not (letter.isascii() and letter.isalnum()):
            self.lenient(start)
        return code

    def character(self, start: int) -> int:
        """The code point of an escape that means one character; the cursor stands on its letter."""
        letter = self.peek()
        self.at += 1
        match letter:
            case "":
                raise self.error("a backslash at the end of the pattern", start)
            case "x":
                return self.hexadecimal(2, start)
            case "u":
                return self.unicode(start)
            case "c":
                return self.control(start)
            case "0":
                if self.peek() and self.peek() in "0123456789":
                    raise self.error("\\0 before a digit", start, "write \\x.. for a character")
                return 0
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isascii() and letter.isalnum():
            hint = _MEANT.get(letter, "" if letter.isdigit() else f"write {letter} for the letter")
            raise self.error(f"\\{letter} is no escape of ECMA-262 here", start, hint)
        return ord(letter)

    def unicode(self, start: int) -> int:
        r"""`\uhhhh`, a surrogate pair of them, or `\u{h...}`."""
        if self.take("{"):
            digits = self.take_until("}", "the code point in \\u{...}")
            if not re.fullmatch("[0-9a-fA-F]+", digits):
                raise self.error(f"\\u{{{digits}}} is not hexadecimal", start)
            code = int(digits.lstrip("0")[:7] or "0", 16)
            if code > MAX_CODE_POINT:
                raise self.error(f"there is no character \\u{{{digits}}}", start)
            return code
        code = self.hexadecimal(4, start)
        if code in _HIGH:
            pair = re.compile(r"\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE | re.ASCII).match(
                self.pattern, self.at
            )
            if pair:
                self.at = pair.end()
                return 0x10000 + (code - _HIGH.start) * 0x400 + int(pair[1], 16) - _LOW.start
        return code

    def control(self, start: int) -> int:
        """A control character by its letter."""
        letter = self.peek()
        if not (letter.isascii() and letter.isalpha()):
            raise self.error("\\c without a letter", start)
        self.at += 1
        return ord(letter) % 32

    def property(self, letter: str, start: int) -> Ranges:
        r"""`\p{...}` and `\P{...}`: general categories."""
        if not self.take("{"):
            raise self.error(f"\\{letter} without a property in braces", start)
        text = self.take_until("}", "a Unicode property")
        key, equals, value = text.rpartition("=")
        known = not equals or key in ("General_Category", "gc")
        ranges = category(value) if known else None
        if ranges is None or (equals and value in ("Any", "ASCII", "Assigned", "AHex")):
            raise unsupported(
                self.where,
                start,
                "Unicode property",
                f"the Unicode property {text!r} is not known here",
                "general categories such as \\p{L} or \\p{Lu} are; list the ranges instead",
            )
        return negated(ranges) if letter == "P" else ranges

    def number(self, start: int) -> Syntax:
        """A back-reference, or nothing that the `u` flag knows."""
        found = re.compile("[0-9]{0,11}").match(self.pattern, self.at)
        digits = found[0] if found else ""
        # A reference may point forward, so the groups of the whole pattern count.
        if int(digits) <= len(_CAPTURING.findall(_HIDDEN.sub(".", self.pattern))):
            self.at += len(digits)
            return self.reference(int(digits), start)
        raise self.error(f"there is no group {digits}", start, "write \\x.. for a character")

    def reference(self, key: int | str, start: int) -> Syntax:
        """A back-reference; its group may follow."""
        self.references = True
        return BackReference(key, None, start)

    # Groups.

    def capturing(self, start: int, name: str | None) -> Syntax:
        """A numbered group, perhaps with a name."""
        self.groups += 1
        number = self.groups
        return Group(self.nested(start, self.choice), start, number, name)

    def group(self, start: int) -> Syntax | None:
        """Plain, named and non-capturing groups, look-ahead and look-behind."""
        if not self.take("?"):
            return self.capturing(start, None)
        if self.take(":"):
            return self.nested(start, self.choice)
        for mark, ahead, negative in (
            ("=", True, False),
            ("!", True, True),
            ("<=", False, False),
            ("<!", False, True),
        ):
            if self.take(mark):
                return self.look(start, ahead=ahead, negative=negative)
        if self.take("<") or self.take("P<"):
            name = self.take_until(">", "a group name")
            if not _NAME.fullmatch(name):
                raise self.error(f"{name!r} is no group name", start)
            if name in self.names:
                raise unsupported(
                    self.where,
                    start,
                    "group name used twice",
                    f"two groups with the name {name!r} are not ECMA-262 of before 2025",
                    "give each group a name of its own",
                )
            self.names.add(name)
            return self.capturing(start, name)
        flags = re.compile("[a-zA-Z-]+[:)]").match(self.pattern, self.at)
        if flags:
            raise unsupported(
                self.where,
                start,
                "inline flags",
                f"the inline flags (?{flags.group()} are not ECMA-262 of before 2025",
                "write both cases, as in [aA]",
            )
        raise self.error(f"unknown group (?{self.peek()}", start)
