"""Two runs compared: pairing by item, what changed, and what is not comparable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from constrained.consistency.analysis import Analysis, Room, analyse_arrays, analyse_draws, compare
from constrained.errors import RecordError


def run(seed: int = 0, shift: float = 0.0, severity: float = 0.5, **options: object) -> Analysis:
    """A run of 40 items in 6 rooms; the same seed gives the same items."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(5, 2, (40, 1)) + rng.normal(0, 0.3, (40, 6))
    centre = centre + severity * np.linspace(-1, 1, 6) + shift
    p = np.exp(-((np.arange(11) - centre[..., None]) ** 2) / 1.5)
    p /= p.sum(axis=-1, keepdims=True)
    said: dict = {
        "pass_mark": 6,
        "levels": {"item": [f"e{i}" for i in range(40)], "prompt": list("abcdef")},
        "title": f"run {seed}",
    } | options
    return analyse_arrays(p, range(11), **said)


def test_a_run_compared_with_itself_differs_by_nothing() -> None:
    found = compare(run(), run()).judges[0]
    for estimate in (found.mean, found.move, found.flip, found.phi, found.sem):
        assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert all(estimate.value == 0 for _, estimate in found.components)
    assert (found.verdicts, found.chance) == ((), 1.0)


def test_the_difference_is_paired_by_item() -> None:
    before, after = run(), run(shift=0.5)
    found = compare(before, after).judges[0]
    d = after.judges[0].item_means - before.judges[0].item_means
    assert found.mean.value == pytest.approx(d.mean())
    theirs = ttest_1samp(d, 0).confidence_interval(0.95)
    assert (found.mean.low, found.mean.high) == pytest.approx((theirs.low, theirs.high))
    for (room, estimate), column in zip(found.prompts, range(6), strict=True):
        maps = [a.judges[0].heat_maps[0].mean[:, column] for a in (before, after)]
        assert estimate.value == pytest.approx((maps[1] - maps[0]).mean())
        assert room == Room("abcdef"[column])


def test_items_that_changed_sides_are_listed_with_both_means() -> None:
    before, after = run(), run(shift=1.0)
    found = compare(before, after).judges[0]
    was, now = before.judges[0].item_means, after.judges[0].item_means
    crossed = [f"e{i}" for i in range(40) if (was[i] >= 6) != (now[i] >= 6)]
    assert [v.item for v in found.verdicts] == crossed
    assert crossed
    assert all(v.now_passes and v.before < 6 <= v.after for v in found.verdicts)
    p = binomtest(0, len(crossed), 0.5).pvalue
    assert found.chance == pytest.approx(p)


def test_prompts_that_drifted_apart_show_in_components_and_error() -> None:
    found = compare(run(), run(severity=1.5)).judges[0]
    components = dict(found.components)
    assert components["room"].low > 0
    assert abs(components["item"].value) < 0.1 < components["room"].value
    assert found.sem.low > 0
    assert found.phi.high < 0
    assert found.move.low > 0


def test_items_and_rooms_of_one_run_only_are_named_and_left_out() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), (4, 3))
    one = analyse_arrays(p, range(3), levels={"item": list("abcd"), "prompt": ["x", "y", "z"]})
    other = analyse_arrays(
        p[::-1, :2], range(3), levels={"item": list("edcb"), "prompt": ["x", "w"]}, pass_mark=1
    )
    found = compare(one, other)
    assert (found.items, found.only_first, found.only_second) == (("b", "c", "d"), ("a",), ("e",))
    assert found.pass_mark == 1
    assert found.differences == (
        "the pass marks differ: none and 1",
        "rooms in the first run only: y, z",
        "rooms in the second run only: w",
    )
    judge = found.judges[0]
    assert (judge.items, judge.rooms) == (3, (Room("x"),))
    first = one.judges[0].heat_maps[0].mean[[1, 2, 3], 0]
    second = other.judges[0].heat_maps[0].mean[[3, 2, 1], 0]
    assert judge.mean.value == pytest.approx((second - first).mean())
    assert judge.sem.reason == "fewer than 2 items or 2 rooms in both runs"


def test_two_judges_of_one_run_are_compared_by_name() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), (2, 10, 4))
    both = analyse_arrays(
        p, range(4), ("variant", "item", "prompt"), levels={"variant": ["base", "tuned"]}
    )
    found = compare(both, both, judges=[("base", "tuned")])
    (judge,) = found.judges
    assert (judge.first, judge.second) == ("base", "tuned")
    means = p @ np.arange(4)
    assert judge.mean.value == pytest.approx((means[1] - means[0]).mean())
    assert [j.first for j in compare(both, both).judges] == ["base", "tuned"]


def test_nearer_to_gold_is_below_zero() -> None:
    before = run(shift=1.0)
    gold = run().judges[0].item_means
    after = run(shift=0.1, gold=gold)
    found = compare(before, after).judges[0].gold_error
    assert found.high < 0
    nothing = compare(run(), run()).judges[0].gold_error
    assert nothing.reason == "no gold scores"


def test_runs_without_anything_in_common_are_refused() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), (2, 2))
    one = analyse_arrays(p, range(3), levels={"item": ["a", "b"]})
    two = analyse_arrays(p, range(3), levels={"item": ["c", "d"]})
    with pytest.raises(RecordError) as caught:
        compare(one, two)
    assert str(caught.value) == (
        "the two runs have no item in common (items are matched by their id)"
    )
    three = analyse_arrays(p, range(3), levels={"item": ["a", "b"], "prompt": ["x", "y"]})
    with pytest.raises(RecordError) as caught:
        compare(one, three)
    assert str(caught.value) == (
        "model and model share no room (rooms are matched by prompt, format, order and numerics)"
    )
    pair = np.stack([p, p])
    named = analyse_arrays(
        pair, range(3), ("variant", "item", "prompt"), levels={"variant": ["x", "y"]}
    )
    single = analyse_arrays(p, range(3))
    with pytest.raises(RecordError) as caught:
        compare(named, single)
    assert str(caught.value) == (
        "the runs share no judge (x, y here, model there; name pairs with `judges`)"
    )


def test_of_two_environments_only_what_differs_is_said() -> None:
    found = analyse_draws(np.arange(12.0).reshape(3, 2, 2))

    def at(environment: dict[str, Any]) -> Analysis:
        return replace(found, methods=replace(found.methods, environment=environment))

    before = at({"packages": {"numpy": "1", "torch": "2"}, "command": "a", "python": "3.11"})
    after = at({"packages": {"numpy": "1", "torch": "3"}, "command": "b"})
    assert compare(before, after).differences == (
        "packages torch: 2 before, 3 now",
        "python: 3.11 before, none now",
    )
