"""The regular languages of `format`: what the whole text must match.

=========================  ====================================================================
format                     texts
=========================  ====================================================================
date                       RFC 3339 full-date with real month lengths and leap years, from year
                           0001 on
time, date-time            RFC 3339 with a zone; leap seconds are left out, since Python's
                           `datetime` and pydantic cannot read them
duration                   RFC 3339, appendix A
email, idn-email           RFC 5321 mailbox; with characters beyond ASCII for idn-email
hostname                   RFC 1123: labels of 1 to 63, 253 characters in all; none with ``--`` in
                           the third place, which RFC 5890 reserves (``xn--``)
ipv4, ipv6                 RFC 2673 dotted quad; RFC 4291, section 2.2
uri, uri-reference         RFC 3986
iri, iri-reference         RFC 3987
uri-template               RFC 6570
uuid                       RFC 4122
json-pointer               RFC 6901
relative-json-pointer      draft-bhutton-relative-json-pointer-00, without index manipulation
regex                      ECMA-262 with the `u` flag, as far as Python's `re` agrees: groups nest
                           up to two deep, no names, no back-references, counts below 100,
                           ranges within a-z, A-Z and 0-9
=========================  ====================================================================

`idn-hostname` is refused; formats that the standard does not know are annotations, as it says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from constrained.grammar import (
    ANY_CHAR,
    EMPTY,
    Node,
    alt,
    cat,
    intersect,
    literal,
    optional,
    repeat,
)
from constrained.spec.json_schema.languages import Language
from constrained.spec.regex import pattern_node

__all__ = ["EXAMPLES", "REFUSED", "format_language", "format_node"]

# Dates: any day up to 28, then the longer months, then 29 February of leap years.
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = "(?:0[1-9]|1[0-9]|2[0-8])"
_YEARS = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_DATE = (
    f"(?:{_YEARS}-(?:(?:0[1-9]|1[0-2])-{_DAY}"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|{_LEAP}-02-29)"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_CLOCK}:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[+-]{_CLOCK})"

_SECOND = "[0-9]+S"
_MINUTE = f"[0-9]+M(?:{_SECOND})?"
_HOUR = f"[0-9]+H(?:{_MINUTE})?"
_DAYS = "[0-9]+D"
_MONTH = f"[0-9]+M(?:{_DAYS})?"
_YEAR = f"[0-9]+Y(?:{_MONTH})?"
_PART = f"T(?:{_HOUR}|{_MINUTE}|{_SECOND})"
_DURATION = f"P(?:(?:{_DAYS}|{_MONTH}|{_YEAR})(?:{_PART})?|{_PART}|[0-9]+W)"

_ALNUM, _INNER = "[A-Za-z0-9]", "[A-Za-z0-9-]"
_LABEL = (  # third and fourth are not both hyphens
    f"{_ALNUM}(?:{_ALNUM}|{_INNER}{_ALNUM}(?:{_INNER}{{0,59}}{_ALNUM})?"
    f"|{_INNER}-{_ALNUM}(?:{_INNER}{{0,58}}{_ALNUM})?)?"
)
_HOSTNAME = rf"{_LABEL}(?:\.{_LABEL})*"

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_H16 = "[0-9A-Fa-f]{1,4}"


def _ipv4() -> Node:
    return _node(rf"{_BYTE}(?:\.{_BYTE}){{3}}")


def _ipv6() -> Node:
    """RFC 4291: eight groups, of which ``::`` stands for one or more; the last two may be IPv4."""
    h16 = _node(_H16)
    group = cat(h16, literal(":"))
    last = alt(cat(group, h16), _ipv4())
    ends = [cat(repeat(group, many, many), last) for many in range(6)]

    def gap(most: int, after: Node) -> Node:
        return cat(optional(cat(repeat(group, 0, most), h16)), literal("::"), after)

    return alt(
        cat(repeat(group, 6, 6), last),
        cat(literal("::"), ends[5]),
        *(gap(4 - many, ends[many]) for many in range(4, -1, -1)),
        gap(5, h16),
        gap(6, EMPTY),
    )


def _mailbox(more: str = "") -> Node:
    """RFC 5321; `more` are characters beyond ASCII."""
    atom = _node(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{more}-]+")
    quoted = _node(rf'"(?:[ !#-\[\]-~{more}]|\\[ -~])*"')
    label = _node(f"[A-Za-z0-9{more}](?:[A-Za-z0-9{more}-]{{0,61}}[A-Za-z0-9{more}])?")
    address = alt(_ipv4(), cat(literal("IPv6:"), format_node("ipv6")))
    return cat(
        alt(_separated(atom, "."), quoted),
        literal("@"),
        alt(_separated(label, "."), cat(literal("["), address, literal("]"))),
    )


def _separated(part: Node, by: str) -> Node:
    return cat(part, repeat(cat(literal(by), part)))


def _address(more: str = "", private: str = "", *, relative: bool = False) -> Node:
    """RFC 3986, or RFC 3987 with its wider character classes."""
    plain = rf"-A-Za-z0-9._~{more}!$&'()*+,;="
    encoded = _node("%[0-9A-Fa-f]{2}")

    def units(besides: str) -> Node:
        return alt(_node(f"[{plain}{besides}]"), encoded)

    segment, slash = units(":@"), literal("/")
    segments = repeat(cat(slash, repeat(segment)))
    future = _node(r"[Vv][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+")
    host = alt(cat(literal("["), alt(format_node("ipv6"), future), literal("]")), repeat(units("")))
    user, port = cat(repeat(units(":")), literal("@")), _node(":[0-9]*")
    rootless = cat(repeat(segment, 1), segments)
    local = alt(
        cat(literal("//"), optional(user), host, optional(port), segments),
        cat(slash, optional(rootless)),
    )
    tail = cat(
        optional(cat(literal("?"), repeat(units(f":@/?{private}")))),
        optional(cat(literal("#"), repeat(units(":@/?")))),
    )
    full = cat(_node("[A-Za-z][A-Za-z0-9+.-]*:"), optional(alt(local, rootless)), tail)
    if not relative:
        return full
    no_scheme = cat(repeat(units("@"), 1), segments)
    return alt(full, cat(optional(alt(local, no_scheme)), tail))


_BEYOND = r"\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef\u{10000}-\u{1fffd}\u{20000}-\u{dfffd}"
_PRIVATE = r"\ue000-\uf8ff\u{f0000}-\u{ffffd}\u{100000}-\u{10fffd}"
_VARIABLE = "(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})"
_VARIABLES = rf"{_VARIABLE}(?:\.?{_VARIABLE})*(?::[1-9][0-9]{{0,3}}|\*)?"
_POINTER = "(?:/(?:[^~/]|~[01])*)*"

_PATTERNS = {
    "date": _DATE,
    "time": _TIME,
    "duration": _DURATION,
    "hostname": _HOSTNAME,
    "uri-template": (
        r"(?:[!#$&-;=?-\[\]_a-z~\u00a0-\ud7ff\ue000-\u{10ffff}]|%[0-9A-Fa-f]{2}"
        rf"|\{{[+#./;?&=,!@|]?{_VARIABLES}(?:,{_VARIABLES})*\}})*"
    ),
    "uuid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "json-pointer": _POINTER,
    "relative-json-pointer": f"(?:0|[1-9][0-9]*)(?:#|{_POINTER})",
}
"""Formats as ECMA-262 regular expressions over the whole text."""

EXAMPLES = {
    "date": "2000-02-29",
    "time": "12:00:00Z",
    "date-time": "2000-02-29T12:00:00Z",
    "duration": "P1D",
    "email": "a@b.c",
    "idn-email": "a@b.c",
    "hostname": "a.b",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "a:b",
    "uri-reference": "a",
    "iri": "a:b",
    "iri-reference": "a",
    "uri-template": "a",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "json-pointer": "/a",
    "relative-json-pointer": "0",
    "regex": "a",
}
"""One text of each enforced format: shows that there is one, without the automaton."""

LONGEST = {"hostname": 253}

REFUSED = {"idn-hostname": "use hostname, or pass formats='annotation'"}
"""Formats of the standard that are not enforced, with the remedy."""

_GROUP_DEPTH = 2


@lru_cache(maxsize=64)
def _node(pattern: str) -> Node:
    return pattern_node(pattern, dialect="ecma", search=False)


def _counts() -> str:
    """``n`` and ``n,`` below 100; ``n,m`` with n <= m and n below 10. No leading zeros."""
    pairs = [f"{n},[{n}-9]" for n in range(10)]
    return f"(?:(?:0|[1-9][0-9]?),?|{'|'.join(pairs)}|[0-9],[1-9][0-9])"


def _regex_node() -> Node:
    """Regular expressions as data; nested groups share the nodes of the level below."""
    escape = r"\\(?:[\^$\\.*+?()\[\]{}|/dDwWsStnrfv]|x[0-9A-Fa-f]{2}|u(?:[0-9A-CE-Fa-ce-f]"
    escape += r"[0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}))"
    letters = [chr(code) for code in (*range(97, 123), *range(65, 91), *range(48, 58))]
    last = {True: "9", False: "z"}
    ranges = "|".join(
        f"{low}-[{low}-{'Z' if low.isupper() else last[low.isdigit()]}]" for low in letters
    )
    inside = rf"(?:{ranges}|[^\]\[\\^-]|{escape}|\\-)"
    one = _node(rf"(?:[^\^$\\.*+?()\[\]{{}}|]|\.|{escape}|\[\^?-?{inside}+-?\])")
    often = optional(_node(rf"(?:[*+?]|\{{{_counts()}\}})\??"))
    anchor = _node(r"[\^$]|\\[bB]")
    level: Node = EMPTY
    for _ in range(_GROUP_DEPTH + 1):
        group = cat(_node(r"\((?:\?:)?"), level, literal(")"))
        ahead = cat(_node(r"\(\?[=!]"), level, literal(")"))
        term = alt(anchor, ahead, cat(alt(one, group), often))
        level = cat(repeat(term), repeat(cat(literal("|"), repeat(term))))
    return level


@lru_cache(maxsize=256)
def format_language(name: str) -> Language | None:
    """The texts of a format; None when the format is an annotation.

    >>> format_language("date").holds("2023-02-29")
    False
    """
    if name not in EXAMPLES:
        return None
    return Language(f"format {name}", lambda: format_node(name), EXAMPLES[name])


@lru_cache(maxsize=64)
def format_node(name: str) -> Node:
    """The texts of an enforced format; what formats have in common is the same node.

    >>> format_node("json-pointer") is format_node("json-pointer")
    True
    """
    node = _WRITTEN[name]() if name in _WRITTEN else _node(_PATTERNS[name])
    if name in LONGEST:
        node = intersect(node, repeat(ANY_CHAR, 0, LONGEST[name]))
    return node


_WRITTEN: dict[str, Callable[[], Node]] = {
    "date-time": lambda: cat(format_node("date"), _node("[Tt]"), format_node("time")),
    "email": _mailbox,
    "idn-email": partial(_mailbox, r"\u0080-\ud7ff\ue000-\u{10ffff}"),
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "uri": _address,
    "uri-reference": partial(_address, relative=True),
    "iri": partial(_address, _BEYOND, _PRIVATE),
    "iri-reference": partial(_address, _BEYOND, _PRIVATE, relative=True),
    "regex": _regex_node,
}
"""Formats that are put together from parts."""
