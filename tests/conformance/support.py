"""Writes docs/support.md: what happens to every JSON Schema keyword, from what was measured.

The counts come from the table beside this file (`json_schema_suite.json`), the shares of real
schemas from `json_schema_shares.json`. After the table has changed::

    python -m tests.conformance.support

The shares are numbers about a file of schemas that is not part of the repository, one JSON object
with the key `schema` per line (gzip)::

    python -m tests.conformance.support --shares maskbench-dev.jsonl.gz
"""

from __future__ import annotations

import gzip
import json as std_json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from constrained.errors import ConstrainedError, LimitExceeded, UnsupportedSpec
from constrained.spec.json_formats import EXAMPLES
from constrained.spec.json_formats import REFUSED as REFUSED_FORMATS
from constrained.spec.json_schema import schema_grammar
from constrained.spec.json_schema.document import SCHEMA_MAPS, SCHEMA_VALUES
from constrained.spec.json_schema.keywords import ANNOTATIONS, KEYWORDS
from tests.conformance.test_json_schema_suite import TABLE, groups, rank

FOLDER = Path(__file__).parent
SHARES = FOLDER / "json_schema_shares.json"
TEMPLATE = (FOLDER / "support.md.txt").read_text("utf-8")
PAGE = FOLDER.parents[1] / "docs" / "support.md"


class Refusal(NamedTuple):
    """When a keyword is refused, and a schema that shows it."""

    when: str
    schema: Any


REFUSALS = {
    "$dynamicRef": Refusal(
        "several anchors could be meant",
        {
            "$defs": {
                "a": {"$id": "a", "$dynamicAnchor": "node", "type": "string"},
                "b": {"$id": "b", "$dynamicAnchor": "node", "type": "null"},
            },
            "$dynamicRef": "a#node",
        },
    ),
    "$ref": Refusal("it leaves the document: nothing is fetched", {"$ref": "other.json"}),
    "format": Refusal("it is `idn-hostname`", {"format": "idn-hostname"}),
    "minProperties": Refusal(
        "open keys would have to fill it with two or more members", {"minProperties": 2}
    ),
    "minimum": Refusal("it has more than 1,000 digits", {"minimum": 10**1000}),
    "multipleOf": Refusal(
        "its automaton is beyond the limits (a step of millions)", {"multipleOf": 98_765_432_123}
    ),
    "pattern": Refusal(
        "it is not regular (back-references), or an assertion in it is not compiled",
        {"pattern": r"^(a+)\1$"},
    ),
    "uniqueItems": Refusal(
        "several items may have more than 16 values",
        {"uniqueItems": True, "items": {"type": "string"}},
    ),
}
"""Keywords that are enforced exactly unless; every other one always is."""

SAME_REFUSAL = {
    "maximum": "minimum",
    "exclusiveMinimum": "minimum",
    "exclusiveMaximum": "minimum",
    "patternProperties": "pattern",
    "$recursiveRef": "$ref",
}

FILES = {
    "$ref": ("ref", "refRemote", "optional/cross-draft"),
    "$dynamicRef": ("dynamicRef", "optional/dynamicRef"),
    "$defs": ("defs",),
    "definitions": ("definitions",),
    "$anchor": ("anchor",),
    "$id": ("optional/id", "optional/unknownKeyword"),
    "dependencies": ("dependencies", "optional/dependencies-compatibility"),
    "if": ("if-then-else",),
    "then": ("if-then-else",),
    "else": ("if-then-else",),
    "format": ("format",),
    "multipleOf": ("multipleOf", "optional/float-overflow"),
    "pattern": ("pattern", "optional/ecmascript-regex", "optional/non-bmp-regex"),
}
"""Files of the suite (without .json) about a keyword; without an entry, the one of its name."""

FORMAT_FILES = {"regex": ("regex", "ecmascript-regex")}
"""The same for formats, below optional/format."""


# ------------------------------------------------------------------ shares of real schemas


def uses(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every keyword in a document with its value, in every place where schemas stand."""
    stack = [schema]
    while stack:
        found = stack.pop()
        if isinstance(found, list):
            stack += found
        if not isinstance(found, dict):
            continue
        for key, value in found.items():
            yield key, value
            if key in SCHEMA_MAPS and isinstance(value, dict):
                stack += value.values()
            elif key in SCHEMA_VALUES:
                stack.append(value)


def verdict(schema: Any) -> str:
    """Empty when the schema compiles, else what it is refused for."""
    try:
        schema_grammar(schema)
    except UnsupportedSpec as error:
        return error.feature
    except LimitExceeded:
        return "limits"
    except ConstrainedError as error:
        return type(error).__name__
    return ""


def shares(schemas: Iterable[Any]) -> dict[str, Any]:
    """How many schemas use each keyword and format, and how many of those compile."""
    listed = {*KEYWORDS, *ANNOTATIONS.split()}
    total = 0
    keywords: dict[str, list[int]] = {}
    formats: dict[str, list[int]] = {}
    refused: Counter[str] = Counter()
    for schema in schemas:
        total += 1
        why = verdict(schema)
        if why:
            refused[why] += 1
        found = list(uses(schema))
        named = {v for k, v in found if k == "format" and isinstance(v, str)}
        for names, counts in (
            ({k for k, _ in found} & listed, keywords),
            (named & known_formats(), formats),
        ):
            for name in names:
                row = counts.setdefault(name, [0, 0])
                row[0] += 1
                row[1] += not why
    return {
        "schemas": total,
        "keywords": dict(sorted(keywords.items())),
        "formats": dict(sorted(formats.items())),
        "refused": dict(sorted(refused.items())),
    }


def known_formats() -> set[str]:
    """The formats that are enforced or refused."""
    return {*EXAMPLES, *REFUSED_FORMATS}


# ------------------------------------------------------------------ the page


class Counts(NamedTuple):
    """Tests of the suite by verdict."""

    passed: int = 0
    refused: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        if not sum(self):
            return ""
        parts = [f"{self.passed} pass"]
        parts += [f"{self.refused} refused"] * bool(self.refused)
        parts += [f"{self.rejected} reject a valid value"] * bool(self.rejected)
        return ", ".join(parts)


def suite() -> dict[str, Counts]:
    """The verdicts of the committed table by file of the suite, both drafts together."""
    known = std_json.loads(TABLE.read_text("utf-8"))
    found: dict[str, list[int]] = {}
    for draft, file, group in groups():
        row = found.setdefault(file.removesuffix(".json"), [0, 0, 0])
        for test in group["tests"]:
            name = f"{draft}/{file}: {group['description']}: {test['description']}"
            row[rank(known.get(name, "pass"))] += 1
    return {file: Counts(*row) for file, row in found.items()}


def added(counts: Iterable[Counts]) -> Counts:
    """Several counts together."""
    return Counts(*(sum(column) for column in zip(*counts, strict=True)))


def page() -> str:
    """The text of docs/support.md."""
    measured = std_json.loads(SHARES.read_text("utf-8"))
    counts = suite()
    every = added(counts.values())
    total = measured["schemas"]
    refused = sum(measured["refused"].values())
    return TEMPLATE.format(
        tests=f"{sum(every):,}",
        passed=f"{every.passed:,}",
        refused=f"{every.refused:,}",
        rejected=f"{every.rejected:,}",
        schemas=f"{total:,}",
        compiled=_share(total - refused, total),
        reasons=_reasons(measured["refused"]),
        keywords=_rows(_keyword_rows(measured, counts)),
        annotations=_annotations(),
        formats=_rows(_format_rows(measured, counts)),
    )


def _keyword_rows(measured: dict[str, Any], counts: dict[str, Counts]) -> Iterator[list[str]]:
    for keyword in (*KEYWORDS, "then", "else", "additionalItems"):
        refusal = REFUSALS.get(SAME_REFUSAL.get(keyword, keyword))
        enforced = f"exactly; refused when {refusal.when}" if refusal else "exactly"
        tests = added(counts.get(f, Counts()) for f in FILES.get(keyword, (keyword,)))
        used = measured["keywords"].get(keyword, [0, 0])
        yield [f"`{keyword}`", enforced, str(tests), *_used(used, measured["schemas"])]


def _format_rows(measured: dict[str, Any], counts: dict[str, Counts]) -> Iterator[list[str]]:
    for name in sorted(known_formats()):
        enforced = "refused" if name in REFUSED_FORMATS else "yes"
        tests = added(counts[f"optional/format/{file}"] for file in FORMAT_FILES.get(name, (name,)))
        used = measured["formats"].get(name, [0, 0])
        yield [f"`{name}`", enforced, str(tests), *_used(used, measured["schemas"])]


def _annotations() -> str:
    shown = [key for key in ANNOTATIONS.split() if key not in ("then", "else", "additionalItems")]
    return ", ".join(f"`{key}`" for key in shown)


def _reasons(refused: dict[str, int]) -> str:
    ranked = sorted(refused.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = {name: f"{count} for `{name}`" for name, count in ranked}
    if "UnsatisfiableSpec" in refused:
        shown["UnsatisfiableSpec"] = (
            f"{refused['UnsatisfiableSpec']} because no value satisfies them"
        )
    return ", ".join(shown.values())


def _rows(rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _used(row: list[int], total: int) -> tuple[str, str]:
    return _share(row[0], total), _share(row[1], total)


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if count else ""


def main() -> None:
    if sys.argv[1:2] == ["--shares"]:
        with gzip.open(sys.argv[2], "rt", encoding="utf-8") as lines:
            found = shares(std_json.loads(line)["schema"] for line in lines)
        SHARES.write_text(std_json.dumps(found, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
