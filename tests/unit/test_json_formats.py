"""Formats against Python's own readers of the same notations."""

from __future__ import annotations

import datetime
import ipaddress
import random
import re
import uuid
import warnings

import pytest

from constrained.grammar import Grammar
from constrained.spec.json_formats import EXAMPLES, format_language
from constrained.spec.json_schema import json
from constrained.spec.spec import Spec


def holds(name: str, text: str) -> bool:
    language = format_language(name)
    assert language is not None
    return language.holds(text)


def readable(read: object, text: str) -> bool:
    try:
        read(text)  # type: ignore[operator]
    except ValueError:
        return False
    return True


def test_dates_are_the_days_of_the_calendar() -> None:
    years = (1, 4, 99, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9999)
    for year in years:
        for month in range(14):
            for day in range(33):
                text = f"{year:04}-{month:02}-{day:02}"
                assert holds("date", text) == readable(datetime.date.fromisoformat, text), text
    assert not holds("date", "0000-01-01")
    assert not holds("date", "2024-1-01")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("2024-02-29T23:59:59Z", True),
        ("2024-02-29t23:59:59.123456789+05:30", True),
        ("2023-02-29T00:00:00Z", False),
        ("2024-02-29T24:00:00Z", False),
        ("2024-02-29T00:00:00", False),
        ("2024-02-29 00:00:00Z", False),
        ("2024-02-29T00:00:60Z", False),
        ("2024-02-29T00:00:00+24:00", False),
    ],
)
def test_date_times(text: str, verdict: bool) -> None:
    assert holds("date-time", text) == verdict
    assert holds("time", text[11:]) == (verdict or text[11:] == "00:00:00Z")


def test_ipv4_and_ipv6_are_what_ipaddress_reads() -> None:
    rng = random.Random(0)
    parts = ["", "0", "1", "ffff", "12345", "g", "1.2.3.4", "256.1.1.1", "01.2.3.4", "ABCD"]
    texts = {":".join(rng.choices(parts, k=rng.randint(1, 9))) for _ in range(4000)}
    texts |= {f"{':'.join(['1'] * n)}::{':'.join(['2'] * m)}" for n in range(8) for m in range(8)}
    for text in texts:
        assert holds("ipv6", text) == readable(ipaddress.IPv6Address, text), text
    quads = {".".join(rng.choices(["0", "9", "10", "99", "255", "256", "00", "1a", ""], k=4))
             for _ in range(1000)}  # fmt: skip
    for text in quads:
        assert holds("ipv4", text) == readable(ipaddress.IPv4Address, text), text


CASES = [
    ("email", ["a@b.c", "joe.bloggs+x@example.com", '"a b"@x.org', "x@[127.0.0.1]", "x@[IPv6:::1]"],
     ["a", "a@", "@b", ".a@b.c", "a..b@c.d", "a@-b.c", "a b@c.d", "a@b_c.d"]),
    ("idn-email", ["é@ß.de", "a@b.c"], ["é", "é@"]),
    ("hostname", ["localhost", "a-b.example.com", "1.2", "a" * 63], ["-a", "a-", "a..b", "a_b", "",
     "a" * 64, ".".join(["a" * 63] * 4)]),
    ("uri", ["http://a.b/c?d=e#f", "urn:isbn:1", "mailto:a@b", "http://[::1]:80/", "a:"],
     ["//a/b", "abc", "http://a b", "1a:b", "http://[::1", "http://a/%zz", ":x"]),
    ("uri-reference", ["", "//a/b", "abc", "#x", "?q", "../a", "http://a", "a%20b"],
     ["a b", "1a:b", "%", "\\a"]),
    ("iri", ["http://ü.de/ä?ö#ß", "urn:x"], ["ü.de", "http://a b"]),
    ("iri-reference", ["ü", "#ü", ""], ["ü b", "<"]),
    ("uri-template", ["http://a/{b}", "{?x,y*}", "{+p:3}", "", "ü"], ["{", "}", "{a b}", "a b"]),
    ("duration", ["P1Y2M3DT4H5M6S", "PT1H", "P4W", "PT1M1S", "P1D"],
     ["P", "PT", "P1Y2W", "1D", "P1YT", "PT1H1S", "P1Y1D", "P1.5D"]),
    ("json-pointer", ["", "/", "/a~0b/~1/0"], ["a", "/~", "/~2"]),
    ("relative-json-pointer", ["0", "1/a", "2#", "0/~1"], ["01", "-1", "/a", "#"]),
    ("regex", ["^a+?$", "(?:a|[b-d]{2,3})*", r"\d\.\u00e9", "", "(?=x)(?!y)z"],
     ["(", "a**", "[z-a]", "{1}", "a{3,2}", "\\", "[", ")"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_format(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not holds(name, text)] == []
    assert [text for text in bad if holds(name, text)] == []


def examples(name: str) -> list[str]:
    language = format_language(name)
    assert language is not None
    return Spec(name, Grammar(language.node), str).examples(60)


def test_a_text_of_each_format_is_known() -> None:
    assert [name for name, text in EXAMPLES.items() if not holds(name, text)] == []


def test_examples_are_readable() -> None:
    for text in examples("uuid"):
        assert uuid.UUID(text)
    for text in examples("date"):
        assert datetime.date.fromisoformat(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "possible nested set"
        for text in examples("regex"):
            assert re.compile(text)


def test_a_format_is_an_annotation_where_asked() -> None:
    schema = {"type": "string", "format": "date"}
    assert not json(schema).matches('"today"')
    assert json(schema, formats="annotation").matches('"today"')
    assert json({"type": "string", "format": "idn-hostname"}, formats="annotation").matches('"a"')
    assert format_language("color") is None
    assert set(EXAMPLES) >= {"date", "time", "date-time", "uri", "uuid"}


def test_formats_speak_of_strings_only() -> None:
    assert json({"format": "date"}).matches("3")
