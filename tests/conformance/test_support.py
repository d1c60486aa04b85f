"""docs/support.md says what was measured, and what it says of refusals is so."""

from __future__ import annotations

import pytest

from constrained.errors import LimitExceeded, UnsupportedSpec
from constrained.spec.json_schema import schema_grammar
from constrained.spec.json_schema.keywords import KEYWORDS
from tests.conformance.support import PAGE, REFUSALS, SAME_REFUSAL, page, shares, uses


def test_the_page_is_what_the_generator_writes() -> None:
    assert PAGE.read_text("utf-8") == page(), "run python -m tests.conformance.support"


@pytest.mark.parametrize("keyword", REFUSALS)
def test_a_keyword_is_refused_as_the_page_says(keyword: str) -> None:
    with pytest.raises((UnsupportedSpec, LimitExceeded)) as caught:
        dict(schema_grammar(REFUSALS[keyword].schema).rules)
    if isinstance(caught.value, UnsupportedSpec):
        assert caught.value.where.startswith("#/")


def test_refusals_are_told_of_keywords_that_are_enforced() -> None:
    assert {*REFUSALS, *SAME_REFUSAL} <= KEYWORDS.keys()


def test_keywords_are_counted_where_schemas_stand_and_nowhere_else() -> None:
    schema = {
        "properties": {"pattern": {"type": "string"}, "a": {"anyOf": [{"minimum": 1}, True]}},
        "default": {"maximum": 1},
        "const": {"not": {}},
    }
    assert sorted(key for key, _ in uses(schema)) == [
        "anyOf",
        "const",
        "default",
        "minimum",
        "properties",
        "type",
    ]


def test_shares_count_schemas_once_and_know_which_compile() -> None:
    found = shares(
        [
            {"anyOf": [{"type": "string"}, {"type": "string", "format": "date"}]},
            {"type": "array", "uniqueItems": True, "format": "date"},
        ]
    )
    assert found == {
        "schemas": 2,
        "keywords": {"anyOf": [1, 1], "format": [2, 1], "type": [2, 1], "uniqueItems": [1, 0]},
        "formats": {"date": [2, 1]},
        "refused": {"uniqueItems": 1},
    }
