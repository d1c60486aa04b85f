"""Analyses as JSON: complete, read back as they were, refused when damaged."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from constrained.consistency.analysis import (
    Analysis,
    analyse_arrays,
    analyse_draws,
    compare,
    grid_of_exact,
)
from constrained.consistency.analysis.analysing import analyse_grid
from constrained.consistency.report import from_json, to_json
from constrained.errors import RecordError


def many_sided() -> Analysis:
    """Two judges, two formats, holes, gold, gates, texts: every part of an analysis."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), (2, 6, 3, 2))
    p[0, 1, 2, 1] = np.nan
    grid = grid_of_exact(
        p,
        range(4),
        ("variant", "item", "prompt", "format"),
        levels={"format": ["plain", "chatml"], "variant": ["base", "tuned <b>"]},
        removed_mass=rng.random((2, 6, 3, 2)),
    )
    grid = dataclasses.replace(
        grid,
        texts={(0, 2, 1, 0, 0, 0): ("said", "\u2028</script>")},
        failures={("base", "1"): {"no score": 2}},
    )
    return analyse_grid(
        grid,
        gold=[0, 1, 2, 3, np.nan, 1],
        gates={"max_sem": 1.0, "max_gate_risk": {"bound": 0.1, "at": 0.5}},
        title="many \N{SNOWMAN}",
        item_texts={"item 1": "text"},
    )


ANALYSES = {
    "many-sided": many_sided(),
    "single draws": analyse_draws([[[1], [2]], [[3], [5]]]),
    "nothing": analyse_arrays(np.full((2, 2, 3), math.nan), range(3), pass_mark=1),
}


def same(a: Any, b: Any) -> bool:
    """Equality in which NaN is NaN, through dataclasses, arrays and mappings."""
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    return bool(a == b)


@pytest.mark.parametrize("name", ANALYSES)
def test_an_analysis_comes_back_as_it_was(name: str) -> None:
    text = to_json(ANALYSES[name])
    back = from_json(text)
    assert same(ANALYSES[name], back)
    assert to_json(back) == text


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{path}/{key}")
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, f"{path}/-")
    else:
        yield path, value


@pytest.mark.parametrize("name", ANALYSES)
def test_it_is_strict_json_and_what_is_unknown_has_a_reason(name: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    said = json.loads(to_json(ANALYSES[name]), parse_constant=refuse)

    def check(value: Any) -> None:
        if isinstance(value, dict):
            if {"value", "low", "high", "reason"} <= set(value) and value["value"] is None:
                assert value["reason"]
            for each in value.values():
                check(each)
        elif isinstance(value, list):
            for each in value:
                check(each)

    check(said)


def test_keys_are_the_names_of_the_fields_and_come_with_a_version() -> None:
    said = json.loads(to_json(ANALYSES["many-sided"]))
    assert list(said)[:4] == ["schema", "verdict", "title", "items"]
    assert said["schema"] == "constrained.consistency/analysis/1"
    assert said["verdict"] == "fail"
    judge = said["judges"][0]
    assert set(judge) == {
        "name", "variant", "temperature", "rooms", "summary", "components", "agreement",
        "heat_maps", "flakiest", "prompts", "marks", "study", "gold", "pairwise", "quality",
            "numerics",
    }  # fmt: skip
    assert judge["heat_maps"][0]["draws"][0][0] == "inf"
    assert judge["heat_maps"][1]["mean"][1][2] is None
    assert judge["heat_maps"][1]["texts"] == {"0,2": ["said", "\u2028</script>"]}
    assert judge["quality"]["failures"] == {"no score": 2}
    assert said["gold"] == [0, 1, 2, 3, None, 1]


def test_cells_can_be_left_out() -> None:
    whole, short = (to_json(ANALYSES["many-sided"], cells=cells) for cells in (True, False))
    assert len(short) < len(whole)
    assert from_json(short).judges[0].heat_maps == ()
    assert "summary" in json.loads(short)["judges"][0]


def test_an_analysis_that_came_back_can_be_compared() -> None:
    analysis = ANALYSES["many-sided"]
    back = from_json(to_json(analysis))
    assert same(compare(analysis, back), compare(analysis, analysis))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is no analysis: Expecting property name enclosed in double quotes: line 1 "
         "column 2 (char 1)"),
        (
            "[]",
            "this is no analysis that can be read here: its schema is None, not "
            "'constrained.consistency/analysis/1' (write the report again from its store)",
        ),
        (
            '{"schema": "constrained.consistency/analysis/2"}',
            "this is no analysis that can be read here: its schema is "
            "'constrained.consistency/analysis/2', not 'constrained.consistency/analysis/1' "
            "(write the report again from its store)",
        ),
        (
            '{"schema": "constrained.consistency/analysis/1"}',
            "the analysis is damaged: KeyError('title')",
        ),
    ],
)  # fmt: skip
def test_what_is_no_analysis_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecordError) as caught:
        from_json(text)
    assert str(caught.value) == message


def test_a_damaged_number_is_refused() -> None:
    said = json.loads(to_json(ANALYSES["single draws"]))
    said["judges"][0]["heat_maps"][0]["mean"] = "many"
    with pytest.raises(RecordError, match="the analysis is damaged"):
        from_json(json.dumps(said))
