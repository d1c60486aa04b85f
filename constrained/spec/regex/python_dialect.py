r"""The parser of Python's `re` syntax for str patterns (as of 3.11: what `re.compile` accepts).

Every pattern that `re.compile` rejects is rejected here too, and none besides, `(?t)` excepted.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable

from constrained.grammar.build import MAX_CODE_POINT
from constrained.grammar.nodes import Ranges
from constrained.spec.regex.classes import (
    ALL,
    ASCII_CLASSES,
    PYTHON_DOT,
    ascii_lower_case_of,
    has_upper_case_strays,
    ignoring_ascii_case,
    ignoring_case,
    lower_case_of,
    python_class,
)
from constrained.spec.regex.parser import Members, Parser
from constrained.spec.regex.syntax import (
    Anchor,
    Atomic,
    BackReference,
    Boundary,
    CharSet,
    Choice,
    Conditional,
    Group,
    Sequence,
    Side,
    Syntax,
    Text,
    unsupported,
)
from constrained.spec.regex.width import width

__all__ = ["PythonParser"]

_FLAGS = {
    "i": re.IGNORECASE,
    "m": re.MULTILINE,
    "s": re.DOTALL,
    "x": re.VERBOSE,
    "a": re.ASCII,
    "u": re.UNICODE,
    "L": re.LOCALE,
}
_KNOWN = re.I | re.M | re.S | re.X | re.A | re.U | re.L | re.DEBUG
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_OCTAL = "01234567"
_TIGHT = re.compile(r"[^\\\[{()*+?.^$|\ud800-\udfff]+")
_LOOSE = re.compile(r"[^\\\[{()*+?.^$|\ud800-\udfff# \t\n\r\v\f]+")
_BLANK = " \t\n\r\v\f"
# Python before 3.14: neither \b nor \B holds in the empty text.
_NOT_BOUNDARY_ON_EMPTY = sys.version_info >= (3, 14)


class PythonParser(Parser):
    """One pattern of Python's `re`, with the flags that `re.compile` would be given."""

    empty_classes = False

    def __init__(self, pattern: str, where: str, flags: int) -> None:
        super().__init__(pattern, where)
        if flags & ~int(_KNOWN):
            raise self.error(f"unknown flags {flags & ~int(_KNOWN):#x}", 0)
        self.set_flags(re.RegexFlag(flags), 0)
        self.groups: list[Syntax | None] = [None]  # by number; None while the group is open
        self.names: dict[str, int] = {}
        self.behind: list[int] = []  # for each look-behind around the cursor: groups before it
        self.promised: list[tuple[int, int]] = []  # group numbers in conditions, positions

    def parse(self) -> Syntax:
        """The whole pattern, global flags first."""
        self.global_flags()
        tree = super().parse()
        for number, position in self.promised:
            if number >= len(self.groups):
                raise self.error(f"there is no group {number}", position)
        return tree

    # Flags.

    def set_flags(self, flags: re.RegexFlag, position: int) -> None:
        """Put flags in force."""
        if flags & re.LOCALE:
            raise self.error("the LOCALE flag is for bytes patterns only", position)
        if flags & re.ASCII and flags & re.UNICODE:
            raise self.error("the flags ASCII and UNICODE exclude each other", position)
        self.flags = flags
        self.verbose = bool(flags & re.VERBOSE)
        self.ignorecase = bool(flags & re.IGNORECASE)
        self.folded: dict[str, Syntax] = {}  # each character, under these flags
        self.classes = {}
        self.plain = _LOOSE if self.verbose else _TIGHT

    def global_flags(self) -> None:
        """`(?ims)` at the start of the pattern, any number of times."""
        while True:
            start = self.at
            while self.skip():
                pass
            found = re.compile(r"\(\?([a-zA-Z]+)\)").match(self.pattern, self.at)
            if not found:
                self.at = start
                return
            added = self.letters(found[1], found.start(1))
            self.at = found.end()
            self.set_flags(self.flags | added, found.start())

    def letters(self, letters: str, position: int) -> re.RegexFlag:
        """The flags that these letters mean."""
        flags = re.RegexFlag(0)
        for offset, letter in enumerate(letters):
            if letter not in _FLAGS:
                raise self.error(f"unknown flag {letter!r}", position + offset)
            if letter == "L":
                raise self.error("the flag 'L' is for bytes patterns only", position + offset)
            flags |= _FLAGS[letter]
        if flags & re.ASCII and flags & re.UNICODE:
            raise self.error("the flags 'a' and 'u' exclude each other", position)
        return flags

    def scoped_flags(self, start: int) -> Syntax | None:
        """`(?i-s:...)`; the cursor stands after the question mark."""
        found = re.compile(r"([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)]?)").match(self.pattern, self.at)
        if not found or not found[3]:
            raise self.error("flags without ':' or ')' after them", start)
        on, off, end = found[1], found[2], found[3]
        added = self.letters(on, found.start(1))
        if end == ")":
            if off is not None:
                raise self.error("flags are turned off without ':' after them", start)
            raise self.error(
                "global flags after the start of the pattern",
                start,
                f"write (?{on}:...) around the part that is meant",
            )
        if off == "":
            raise self.error("no flag after '-'", found.start(2))
        removed = self.letters(off or "", found.start(2))
        if removed & (re.ASCII | re.UNICODE):
            raise self.error("the flags 'a' and 'u' cannot be turned off", found.start(2))
        if added & removed:
            raise self.error("a flag is turned on and off", start)
        self.at = found.end()
        outer = self.flags
        kept = outer & ~(re.ASCII | re.UNICODE) if added & (re.ASCII | re.UNICODE) else outer
        self.set_flags((kept | added) & ~removed, start)
        tree = self.nested(start, self.choice)
        self.set_flags(outer, start)
        return tree

    # Characters.

    def skip(self) -> bool:
        """Comments; in verbose mode blanks as well."""
        if self.pattern.startswith("(?#", self.at):
            self.comment(")", self.at, closed=True)
            return True
        if self.verbose and self.peek() == "#":
            self.comment("\n", self.at, closed=False)
        elif self.verbose and self.peek() and self.peek() in _BLANK:
            self.at += 1
        else:
            return False
        return True

    def comment(self, end: str, start: int, *, closed: bool) -> None:
        """Step over a comment, up to and with its end."""
        # As `re` reads it, a backslash hides the character after it even here.
        body = re.compile(rf"(?:\\.|[^\\{end}])*", re.DOTALL).match(self.pattern, self.at)
        self.at = body.end() if body else self.at
        if self.peek() == "\\":
            raise self.error("a backslash at the end of the pattern", self.at)
        if not self.take(end) and closed:
            raise self.error("a comment without its ')'", start)

    def add_text(self, items: list[Syntax], text: str) -> None:
        """Characters that stand for themselves, or for all their cases."""
        if not self.ignorecase:
            items.append(Text(text))
            return
        for char in text:
            if char not in self.folded:
                ranges = self.fold(((ord(char),) * 2,))
                alone = ranges == ((ord(char),) * 2,)
                self.folded[char] = Text(char) if alone else CharSet(ranges)
            items.append(self.folded[char])

    def fold(self, ranges: Ranges) -> Ranges:
        """The ranges, with all cases where case is ignored."""
        if not self.ignorecase:
            return ranges
        return (ignoring_ascii_case if self.flags & re.ASCII else ignoring_case)(ranges)

    def class_ranges(self, members: Members) -> Ranges:
        """All that is in it, ignoring case where that is asked for, as `re` does it.

        Beyond U+FFFF `re` forgets an upper-case letter that has company, and lets a range that
        reaches there match what has an upper case in it, even under the flag ASCII: refused.
        """
        if not self.ignorecase:
            return members.joined(members.literal())
        codes, spans = members.codes, members.spans
        company = len({*codes, *spans, *members.classes}) > 1
        high = [code for code in codes if code > 0xFFFF and not self.flags & re.ASCII]
        forgotten = company and any(chr(code).lower() != chr(code) for code in high)
        wide = [(span,) for span in spans if span[1] > 0xFFFF]
        if forgotten or any(has_upper_case_strays(span, self.fold(span)) for span in wide):
            raise unsupported(
                self.where,
                members.start,
                "ignoring case beyond U+FFFF",
                "Python ignores the case of characters beyond U+FFFF incompletely in a class",
                "write out both cases, outside the part where case is ignored",
            )
        return members.joined(self.fold(members.literal()))

    def known_class(self, letter: str) -> Ranges:
        """What ``d``, ``w``, ``s`` or its negation means under these flags."""
        return ASCII_CLASSES[letter] if self.flags & re.ASCII else python_class(letter)

    def symbol(self, char: str, start: int) -> Syntax:
        """The anchors and the dot, as the flags MULTILINE and DOTALL have them."""
        if char == ".":
            return CharSet(ALL if self.flags & re.DOTALL else PYTHON_DOT)
        if self.flags & re.MULTILINE:
            return Anchor(Side.LINE_START if char == "^" else Side.LINE_END, start)
        return Anchor(Side.START if char == "^" else Side.LAST_END, start)

    def escape(self, items: list[Syntax], start: int) -> None:
        """Classes, boundaries, anchors, references; the rest are characters."""
        letter = self.escaped(start)
        if letter in "dDwWsS":
            items.append(CharSet(self.known_class(letter)))
        elif letter in "bB":
            negative = letter == "B"
            on_empty = negative and _NOT_BOUNDARY_ON_EMPTY
            word, other = self.known_class("w"), self.known_class("W")
            items.append(Boundary(word, other, start, negative, on_empty))
        elif letter in "AZ":
            items.append(Anchor(Side.START if letter == "A" else Side.END, start))
        elif letter in "123456789":
            self.number(items, letter, start)
        else:
            self.add_character(items, self.character(letter, start))

    def class_escape(self, start: int) -> int | Ranges:
        """As outside, but ``b`` is the backspace and digits are octal."""
        letter = self.escaped(start)
        if letter in "dDwWsS":
            return self.known_class(letter)
        if letter == "b":
            return 8
        if letter in _OCTAL:
            return self.octal(letter, start)
        return self.character(letter, start)

    def escaped(self, start: int) -> str:
        """The character after the backslash."""
        letter = self.peek()
        if not letter:
            raise self.error("a backslash at the end of the pattern", start)
        self.at += 1
        return letter

    def character(self, letter: str, start: int) -> int:
        """The code point of an escape that means one character."""
        match letter:
            case "x":
                return self.hexadecimal(2, start)
            case "u":
                return self.hexadecimal(4, start)
            case "U":
                code = self.hexadecimal(8, start)
                if code > MAX_CODE_POINT:
                    raise self.error(f"there is no character {code:#x}", start)
                return code
            case "N":
                return self.named_character(start)
            case "0":
                return self.octal(letter, start)
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isascii() and letter.isalnum():
            raise self.error(f"unknown escape \\{letter}", start)
        return ord(letter)

    def named_character(self, start: int) -> int:
        """A character by its Unicode name."""
        if not self.take("{"):
            raise self.error("\\N without a name in braces", start)
        name = self.take_until("}", "the name of a character")
        try:
            text = unicodedata.lookup(name)
        except KeyError:
            text = ""
        if len(text) != 1:
            raise self.error(f"there is no character named {name!r}", start)
        return ord(text)

    def octal(self, first: str, start: int) -> int:
        """Up to three octal digits."""
        digits = first
        while len(digits) < 3 and self.peek() and self.peek() in _OCTAL:
            digits += self.peek()
            self.at += 1
        if int(digits, 8) > 0o377:
            raise self.error(f"\\{digits} is beyond \\377", start)
        return int(digits, 8)

    def number(self, items: list[Syntax], first: str, start: int) -> None:
        r"""`\1` to `\99`: a back-reference; three octal digits: a character."""
        following = self.pattern[self.at : self.at + 2]
        if first in _OCTAL and len(following) == 2 and all(c in _OCTAL for c in following):
            self.add_character(items, self.octal(first, start))
            return
        digits = first
        if self.peek() and self.peek() in "0123456789":
            digits += self.peek()
            self.at += 1
        items.append(self.reference(int(digits), start))

    def reference(self, number: int, start: int) -> Syntax:
        """A back-reference to a group that is closed."""
        if number >= len(self.groups):
            raise self.error(f"there is no group {number} before this", start)
        body = self.groups[number]
        if body is None:
            raise self.error(f"group {number} is still open here", start)
        self.check_behind(number, start)
        self.references = True
        return BackReference(number, body, start, self.same_case())

    def same_case(self) -> Callable[[int], Ranges] | None:
        """What a character may be where a reference repeats it; None: only itself."""
        if not self.ignorecase:
            return None
        return ascii_lower_case_of if self.flags & re.ASCII else lower_case_of

    def check_behind(self, number: int, start: int) -> None:
        """Refuse a reference from a look-behind into itself."""
        if self.behind and (number >= self.behind[0] or self.groups[number] is None):
            raise self.error(f"group {number} is in the same look-behind", start)

    # Quantifiers and groups.

    def counts(self, found: re.Match[str]) -> bool:
        """Any count will do, and so does a lone comma."""
        return bool(found[1] or found[2])

    def lenient(self, start: int) -> None:
        """As good as any other character."""

    def take_possessive(self) -> bool:
        """A ``+`` after a quantifier."""
        return self.take("+")

    def no_range(self, start: int) -> None:
        """An error: a class cannot end a range."""
        text = self.pattern[start : self.at]
        raise self.error(f"{text!r} is no range", start, "put the '-' first or last in the class")

    def group(self, start: int) -> Syntax | None:
        """Everything that begins with a parenthesis."""
        if not self.take("?"):
            return self.capturing(start, None)
        char = self.peek()
        self.at += 1
        match char:
            case ":":
                return self.nested(start, self.choice)
            case "P":
                return self.named(start)
            case "=" | "!":
                return self.look(start, ahead=True, negative=char == "!")
            case "<":
                return self.look_behind(start)
            case ">":
                return Atomic(self.nested(start, self.choice), start)
            case "(":
                return self.conditional(start)
            case "":
                raise self.error("'(?' at the end of the pattern", start)
        if char == "-" or (char.isascii() and char.isalpha()):
            self.at -= 1
            return self.scoped_flags(start)
        raise self.error(f"unknown group (?{char}", start)

    def capturing(self, start: int, name: str | None) -> Syntax:
        """A numbered group, perhaps with a name."""
        number = len(self.groups)
        self.groups.append(None)
        if name is not None:
            if name in self.names:
                raise self.error(f"the group name {name!r} is taken", start)
            self.names[name] = number
        tree = self.nested(start, self.choice)
        self.groups[number] = tree
        return Group(tree, start, number, name)

    def named(self, start: int) -> Syntax:
        """A named group, or a reference to one."""
        if self.take("<"):
            return self.capturing(start, self.group_name(">", start))
        if self.take("="):
            name = self.group_name(")", start)
            if name not in self.names:
                raise self.error(f"there is no group named {name!r} before this", start)
            return self.reference(self.names[name], start)
        raise self.error(f"unknown group (?P{self.peek()}", start)

    def group_name(self, end: str, start: int) -> str:
        """An identifier, up to ``end``."""
        name = self.take_until(end, "a group name")
        if not name.isidentifier():
            raise self.error(f"{name!r} is no group name", start)
        return name

    def look_behind(self, start: int) -> Syntax:
        """A look-behind of fixed width."""
        char = self.peek()
        if char not in ("=", "!"):
            raise self.error(f"unknown group (?<{char}", start, "named groups are (?P<name>...)")
        self.at += 1
        self.behind.append(len(self.groups))
        tree = self.look(start, ahead=False, negative=char == "!")
        self.behind.pop()
        least, most = width(tree.body)
        if least != most:
            raise self.error("a look-behind needs a fixed width in Python", start)
        return tree

    def conditional(self, start: int) -> Syntax:
        """Two branches, by whether a group took part."""
        name = self.take_until(")", "a group name")
        if name.isidentifier():
            if name not in self.names:
                raise self.error(f"there is no group named {name!r} before this", start)
            number = self.names[name]
        else:
            digits = name.lstrip("0")
            if not (digits.isascii() and digits.isdecimal()):
                raise self.error(f"{name!r} is no group name or number", start)
            number = int(digits[:11])
            self.promised.append((number, start))
        self.check_behind(number, start)
        self.references = True
        return Conditional(self.nested(start, self.branches), number, start)

    def branches(self) -> Syntax:
        """What follows a condition: one or two branches."""
        yes = self.sequence()
        no = self.sequence() if self.take("|") else Sequence(())
        if self.peek() == "|":
            raise self.error("a conditional group with more than two branches", self.at)
        return Choice((yes, no))
