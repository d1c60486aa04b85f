"""`Secret`: an API key that goes to a server and comes back from it in no text.

A server may echo the key it was given: in an error, in ``model``, in an answer. Whatever it says
passes `Secret.cut` before anybody sees it, so the key is in no message, no store and no report.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html.entities import html5
from itertools import chain, groupby
from typing import Any, TypeAlias

from constrained.errors import ModelError

__all__ = ["Secret", "secret_of"]

_QUOTED = re.compile(r"(['\"`]).*\1")
"""As files of environment variables hold keys, which not every program unquotes."""

CUT = "[API key]"
"""What stands in the place of a key."""

SHORTEST = 6
"""Characters from which on a key is a secret: shorter ones (``none``, ``EMPTY``) are placeholders
for servers that want none, and words of ordinary answers."""


class Secret:
    """The `key` that the environment variable `variable` holds; its repr shows the variable alone.

    >>> Secret("abc-123-def", "MY_KEY").cut({"model": "m", "error": ["no such key: abc-123-def"]})
    {'model': 'm', 'error': ['no such key: [API key]']}
    """

    def __init__(self, key: str, variable: str) -> None:
        self.key = key
        self.variable = variable

    def cut(self, value: Any) -> Any:
        """`value` (JSON) without the key in any of its texts, names of objects included.

        The key is found as it is and as servers write it: escaped for URLs, JSON and HTML, in
        hexadecimal digits and in Base64, alone or within a longer text.
        """
        if len(self.key) < SHORTEST:
            return value
        return self._cut(value)

    def _cut(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._cut_text(value)
        if isinstance(value, list):
            return [self._cut(one) for one in value]
        if isinstance(value, dict):
            return {self._cut(name): self._cut(one) for name, one in value.items()}
        return value

    def _cut_text(self, text: str) -> str:
        kept, done = [], 0
        for start, end in _apart([*self._written_out(text), *self._coded_in(text)]):
            kept += [text[done:start], CUT]
            done = end
        return "".join([*kept, text[done:]])

    def _written_out(self, text: str) -> list[tuple[int, int]]:
        """Where the key stands in `text`, its signs as they are or escaped one by one.

        All places that a part of the key can end at are followed at a time, so the time grows with
        the length of the text, however many ways there are to read it.
        """
        first, *others = self._parts
        begins = re.compile(f"(?={'|'.join(way.pattern.pattern for way in first)})", re.IGNORECASE)
        # Where a part ends: where the key began, at the first such place.
        reached: dict[int, int] = {}
        for found in begins.finditer(text):
            for end in _ends(first, text, found.start()):
                reached.setdefault(end, found.start())
        for part in others:
            before, reached = reached, {}
            for place, start in before.items():
                for end in _ends(part, text, place):
                    reached[end] = min(start, reached.get(end, start))
        return [(start, end) for end, start in reached.items()]

    def _coded_in(self, text: str) -> list[tuple[int, int]]:
        """Where the key stands in `text` in digits that stand for all of it."""
        return [found.span() for found in self._codes.finditer(text)]

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        """The key, in parts one after the other: runs of signs that end in one place, or a sign."""
        parts: list[Part] = []
        for several, run in groupby(self.key, lambda sign: sign in REPEATED):
            if several:
                parts += map(_ways, run)
            else:
                parts.append((_Way(_pattern("".join(map(_written, run)))),))
        return tuple(parts)

    @cached_property
    def _codes(self) -> re.Pattern[str]:
        data = self.key.encode("utf-8")
        codes = {
            "".join(f"%{byte:02X}" for byte in data),
            "".join(f"\\u{byte:04x}" for byte in data),
            data.hex(),
            *_base64_forms(data),
        }
        longest = sorted(codes, key=lambda code: (-len(code), code))
        return re.compile("|".join(map(re.escape, longest)), re.IGNORECASE)

    def __repr__(self) -> str:
        return f"Secret(${self.variable})"


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to write a part of a key. With a `step`, it may also end earlier, by so many signs.

    The least that it can be is `shortest` signs.
    """

    pattern: re.Pattern[str]
    shortest: int = 0
    step: int = 0

    def ends(self, text: str, place: int) -> Iterable[int]:
        """Where it can end when it begins at `place`."""
        found = self.pattern.match(text, place)
        if found is None:
            return ()
        if not self.step:
            return (found.end(),)
        return range(place + self.shortest, found.end() + 1, self.step)


Part: TypeAlias = tuple[_Way, ...]

REPEATED = {
    "\\": (r"\\{1,8}", 1, 1),
    "%": (r"%(?:25){1,5}", 3, 2),
    "&": (r"&(?:amp;){1,5}", 5, 4),
}
"""Signs that begin escapes, their own too: as escapes of escapes they may end in several places."""


def _pattern(expression: str) -> re.Pattern[str]:
    # Digits of escapes may be of either case; so may then the key, which does no harm.
    return re.compile(expression, re.IGNORECASE)


def _ends(part: Part, text: str, place: int) -> Iterator[int]:
    return chain.from_iterable(way.ends(text, place) for way in part)


def _ways(sign: str) -> Part:
    """How one of `REPEATED` is written.

    >>> [sorted(_ends(_ways("%"), text, 0)) for text in ("%", "%2525", "&#37;", "a")]
    [[1], [1, 3, 5], [5], []]
    """
    repeated, shortest, step = REPEATED[sign]
    itself = [] if sign == "\\" else [_Way(_pattern(_itself(sign)))]
    others = _Way(_pattern("|".join(_escapes(sign))))
    return (*itself, others, _Way(_pattern(repeated), shortest, step))


def _written(sign: str) -> str:
    """A regular expression of what stands for a sign: itself, or an escape, that of an escape too.

    >>> [bool(re.fullmatch(_written("/"), text)) for text in ("/", "%2f", "&#x2f;", "a")]
    [True, True, True, False]
    """
    if sign.isalnum():
        return sign
    return f"(?:{'|'.join([_itself(sign), *_escapes(sign)])})"


def _itself(sign: str) -> str:
    return rf"\\{{0,8}}{re.escape(sign)}"


def _escapes(sign: str) -> list[str]:
    """Escapes of a sign, but for those of `REPEATED`."""
    ways = [
        rf"\\{{1,8}}u{ord(sign):04x}",
        f"&(?:amp;){{0,4}}#(?:0{{0,6}}{ord(sign)}|x0{{0,6}}{ord(sign):x});",
    ]
    if sign != "%":
        ways.append(f"%(?:25){{0,4}}{ord(sign):02x}")
    if sign != "&":
        names = [name for name, meant in html5.items() if meant == sign and name.endswith(";")]
        ways += [f"&(?:amp;){{0,4}}{name}" for name in names]
    return ways


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that overlap as one.

    >>> _apart([(4, 7), (0, 3), (5, 9), (9, 10)])
    [(0, 3), (4, 9), (9, 10)]
    """
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _base64_forms(data: bytes) -> set[str]:
    """What is in Base64 of a text that holds `data`, wherever it begins.

    Three bytes are four digits, so there are three ways to begin; digits that depend on what stands
    around are left out.
    """
    forms = set()
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode("ascii").rstrip("=")
        whole = (before + len(data)) * 8 // 6
        inner = coded[(before * 8 + 5) // 6 : whole]
        if len(inner) >= SHORTEST:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def secret_of(variable: str, server: str) -> Secret:
    """The key in an environment variable, checked; an empty one where the variable is not set.

    A key is printable ASCII without blanks, for it is sent in a header. Keys from files and mounted
    secrets often end in a line feed. Raises `ModelError` that names the variable and never the
    value.
    """
    key = os.environ.get(variable, "")
    wrong = next((place for place, sign in enumerate(key) if not "!" <= sign <= "~"), None)
    if wrong is None and not _QUOTED.fullmatch(key):
        return Secret(key, variable)
    if wrong is None:
        raise ModelError(
            server,
            f"the API key in the environment variable {variable} stands in quotation marks",
            hint="take them off",
        )
    sign = key[wrong]
    kind = SIGNS.get(sign) or (
        "a control character" if sign < " " or sign == "\x7f" else "a character beyond ASCII"
    )
    if not key.strip():
        problem, hint = "holds nothing but blanks", "set it to the API key"
    elif wrong >= len(key.rstrip()):
        problem, hint = f"ends in {kind}", f"take it off: export {variable}=$(cat KEY_FILE)"
    elif not key[: wrong + 1].strip():
        problem, hint = f"begins with {kind}", "take it off"
    else:
        problem, hint = f"holds {kind}", "set it to the API key alone"
    raise ModelError(
        server, f"the API key in the environment variable {variable} {problem}", hint=hint
    )


SIGNS = {"\n": "a line feed", "\r": "a carriage return", "\t": "a tab", " ": "a space"}
