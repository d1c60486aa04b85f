"""The JSON-Schema-Test-Suite (MIT, drafts 7 and 2020-12) against a committed table of verdicts.

Each test has a category, from best to worst: it passes, its schema is refused by name, a valid
instance is rejected, an invalid one accepted. `json_schema_suite.json` lists all that do not
pass; no test may get worse than it says there, and none may ever be in the last category. After
an improvement, write the table again with ``python -m tests.conformance.test_json_schema_suite``.

An instance counts as accepted when it matches with its members in some order.
"""

from __future__ import annotations

import itertools
import json as std_json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from constrained.engine import ByteEngine
from constrained.errors import LimitExceeded, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec.json_schema import JsonStyle, schema_grammar
from tests.property.json_schemas import orderings

FOLDER = Path(__file__).parent
TABLE = FOLDER / "json_schema_suite.json"
RANKS = ("pass", "refused", "rejects valid", "accepts invalid")
ANNOTATIONS = "optional/content.json"
"""Tests that `contentEncoding` and `contentMediaType` are validated; they are annotations here."""

DRAFTS = {"draft7": "http://json-schema.org/draft-07/schema#", "draft2020-12": None}


def groups() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(draft, file, group) of the whole suite."""
    with tarfile.open(FOLDER / "json_schema_test_suite.tar.gz") as archive:
        for name in sorted(archive.getnames()):
            if name.endswith(".json"):
                _, draft, file = name.split("/", 2)
                content = archive.extractfile(name)
                if content is not None and file != ANNOTATIONS:
                    for group in std_json.load(content):
                        yield draft, file, group


def verdicts(
    draft: str, file: str, group: dict[str, Any], style: str | JsonStyle = "flexible"
) -> Iterator[tuple[str, str]]:
    """(name, category) of each test of a group."""
    schema = group["schema"]
    if DRAFTS[draft] and isinstance(schema, dict):
        schema = {"$schema": DRAFTS[draft], **schema}
    name = f"{draft}/{file}: {group['description']}"
    formats = "annotation" if file == "format.json" and draft != "draft7" else "exact"
    engine: ByteEngine | None = None
    try:
        engine = ByteEngine(schema_grammar(schema, formats=formats, whitespace=style))  # type: ignore[arg-type]
    except UnsatisfiableSpec:
        engine = None
    except UnsupportedSpec as error:
        for test in group["tests"]:
            yield f"{name}: {test['description']}", f"refused ({error.feature})"
        return
    except LimitExceeded:
        for test in group["tests"]:
            yield f"{name}: {test['description']}", "refused (limits)"
        return
    for test in group["tests"]:
        found = engine is not None and accepts(engine, test["data"])
        wrong = "accepts invalid" if found else "rejects valid"
        yield f"{name}: {test['description']}", "pass" if found == test["valid"] else wrong


def accepts(engine: ByteEngine, value: Any) -> bool:
    for ordered in itertools.islice(orderings(value), 200):
        text = std_json.dumps(ordered, ensure_ascii=False)
        try:
            data = text.encode()
        except UnicodeEncodeError:  # half a character: only its escape can be written
            data = std_json.dumps(ordered).encode()
        state = engine.advance_bytes(engine.start, data)
        if state is not None and engine.accepting(state):
            return True
    return False


def rank(category: str) -> int:
    return RANKS.index(category.partition(" (")[0])


def found() -> dict[str, str]:
    """The category of every test that does not pass."""
    return {
        name: category
        for draft, file, group in groups()
        for name, category in verdicts(draft, file, group)
        if category != "pass"
    }


def test_no_verdict_is_worse_than_in_the_table() -> None:
    known = std_json.loads(TABLE.read_text("utf-8"))
    now = found()
    worse = {
        name: category
        for name, category in now.items()
        if rank(category) > rank(known.get(name, "pass"))
    }
    assert worse == {}


def test_the_table_has_no_invalid_instance_that_is_accepted() -> None:
    known = std_json.loads(TABLE.read_text("utf-8"))
    assert [name for name, category in known.items() if category == "accepts invalid"] == []


def test_whole_numbers_are_numbers_with_a_fraction_too_where_the_style_says_so() -> None:
    """By value, as the standard compares them: every test about `1.0` passes."""
    files = ("const.json", "enum.json", "type.json")
    style = JsonStyle(comma=("", " "), integers="fraction")
    known = std_json.loads(TABLE.read_text("utf-8"))
    wrong, rejected = [], 0
    for draft, file, group in groups():
        for name, category in verdicts(draft, file, group, style) if file in files else ():
            rejected += name in known
            wrong += [name] * (category != "pass")
    assert (wrong, rejected) == ([], 16)


if __name__ == "__main__":
    TABLE.write_text(
        std_json.dumps(found(), indent=1, ensure_ascii=True, sort_keys=True) + "\n", "utf-8"
    )
