"""Analyses of stores: cells of every kind, against the same numbers as arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from constrained.consistency.analysis import Gate, Room, analyse, analyse_arrays, analyse_draws
from constrained.consistency.importing import import_scores, read_csv
from constrained.consistency.plan import Plan
from constrained.consistency.records import Address, CellRecord, Draw
from constrained.consistency.report.json import to_json
from constrained.consistency.store import Store
from constrained.errors import RecordError
from tests.oracle_data.statistics import N_SCORES

SCORES = tuple(map(float, range(5)))
ITEMS, PROMPTS = ("z", "b", "a", "e10", "e9"), ("strict", "kind", "plain")


def plan(**changes: object) -> Plan:
    said = {
        "name": "essays",
        "spec": "Score: {score:0..4}",
        "items": [
            {"id": name, "text": f"Text {name}", "gold": i % 5} for i, name in enumerate(ITEMS)
        ],
        "prompts": {name: f"Be {name}: {{text}}" for name in PROMPTS},
        "pass_mark": 2,
        "gates": {"max_sem": 9.0},
    } | changes
    return Plan(**said)


def distributions(seed: int = 0, shape: tuple[int, ...] = (5, 3)) -> np.ndarray:
    result: np.ndarray = np.random.default_rng(seed).dirichlet(np.ones(5), shape)
    return result


def addresses() -> list[tuple[int, int, Address]]:
    """(item, prompt, address), not in the plan's order."""
    found = [(i, j, Address(ITEMS[i], PROMPTS[j])) for i in range(5) for j in range(3)]
    return [found[k] for k in np.random.default_rng(9).permutation(15)]


def exact(address: Address, p: np.ndarray, **more: object) -> CellRecord:
    return CellRecord(str(address), address, "exact", SCORES, tuple(p.tolist()), **more)  # type: ignore[arg-type]


def stored(path: Path, records: Iterable[CellRecord], of: Plan | None = None) -> Path:
    with Store(path) as store:
        if of is not None:
            store.begin(of, {"command": "constrained consistency run essays.yaml", "dtype": "f32"})
        store.put(records)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def numbers(text: str) -> dict:
    """The part of a report in JSON that does not say where it came from."""
    said = json.loads(text, parse_float=lambda digits: round(float(digits), 9))
    for judge in said["judges"]:
        judge["study"].pop("seconds")
        judge["quality"].pop("seconds")
        judge["quality"].pop("seed_share")
        for heat_map in judge["heat_maps"]:
            heat_map.pop("texts")
    return {"judges": said["judges"], "gates": said["gates"], "scale": said["scale"]}


def test_an_exact_run_is_the_analysis_of_its_arrays_in_the_plans_order(path: Path) -> None:
    p = distributions()
    stored(path, (exact(a, p[i, j]) for i, j, a in addresses()), plan())
    found = analyse(path)
    arrays = analyse_arrays(
        p,
        SCORES,
        levels={"item": ITEMS, "prompt": PROMPTS},
        gold=[0, 1, 2, 3, 4],
        pass_mark=2,
        gates={"max_sem": 9.0},
    )
    assert numbers(to_json(found)) == numbers(to_json(arrays))
    assert (found.title, found.items, found.prompts) == ("essays", ITEMS, PROMPTS)
    assert found.item_texts["e9"] == "Text e9"
    assert found.prompt_texts["kind"] == "Be kind: {text}"
    assert found.methods.command == "constrained consistency run essays.yaml"
    assert found.methods.plan_digest == plan().digest
    assert [r.gate for r in found.gates.results] == [Gate("max_sem", 9.0)]


def test_what_the_plan_says_can_be_said_otherwise(path: Path) -> None:
    p = distributions()
    stored(path, (exact(a, p[i, j]) for i, j, a in addresses()), plan())
    with Store(path) as store:
        found = analyse(
            store,
            pass_mark=3,
            gold={"z": 4.0},
            gates={"min_phi": 0.1},
            title="again",
            scale=range(7),
            noun="essay",
        )
        assert len(store) == 15  # still open
    assert (found.pass_mark, found.title, found.scale[-1]) == (3, "again", 6)
    assert found.gold[0] == 4
    assert np.isnan(found.gold[1:]).all()
    assert found.gates.results[0].gate.name == "min_phi"
    assert found.judges[0].heat_maps[0].probabilities[..., 5:].max() == 0


def test_sampled_cells_are_their_draws_and_failures_are_counted_with_reasons(path: Path) -> None:
    rng = np.random.default_rng(1)
    draws = rng.integers(0, 5, (5, 3, 4)).astype(float)
    draws[0, 0, 3] = math.nan
    draws[1, 1] = math.nan

    def record(i: int, j: int, address: Address) -> CellRecord:
        given = tuple(
            Draw(s, None, "I cannot", failure="no score")
            if np.isnan(score)
            else Draw(s, float(score), f"Score: {score:g}")
            for s, score in enumerate(draws[i, j])
        )
        return CellRecord(str(address), address, "sampled", SCORES, draws=given)

    stored(path, (record(*one) for one in addresses()), plan())
    found = analyse(path)
    arrays = analyse_draws(
        draws,
        SCORES,
        levels={"item": ITEMS, "prompt": PROMPTS},
        gold=[0, 1, 2, 3, 4],
        pass_mark=2,
        gates={"max_sem": 9.0},
    )
    quality = found.judges[0].quality
    assert quality.failures == {"no score": 5}
    assert quality.missing_cells == ("b, kind",)
    assert found.judges[0].heat_maps[0].texts[1, 1] == ("I cannot",) * 3
    mine, theirs = numbers(to_json(found)), numbers(to_json(arrays))
    for one in (mine, theirs):
        one["judges"][0]["quality"].pop("failures")
        one["judges"][0]["quality"].pop("notes")
    assert mine == theirs


def test_cells_of_all_kinds_stand_in_one_grid(path: Path) -> None:
    p = distributions(3)
    rng = np.random.default_rng(2)
    texts = rng.dirichlet(np.ones(5), 4)

    def record(i: int, j: int, address: Address) -> CellRecord:
        key = str(address)
        if i == 0:
            return exact(address, p[i, j], removed_mass=0.25, numerics_floor=1e-6)
        if i == 1:
            one = (Draw(0, float(np.argmax(p[i, j]))),)
            return CellRecord(key, address, "mode", SCORES, draws=one)
        if i == 2:
            drawn = tuple(
                Draw(s, 0.0, "because", probabilities=tuple(q)) for s, q in enumerate(texts)
            )
            return CellRecord(
                key, address, "reasoned", SCORES, tuple(texts.mean(axis=0)), draws=drawn
            )
        kind = "imported" if i == 3 else "sampled"
        return CellRecord(key, address, kind, SCORES, draws=(Draw(0, 1.0), Draw(1, 3.0)))  # type: ignore[arg-type]

    stored(path, (record(*one) for one in addresses()), plan())
    judge = analyse(path).judges[0]
    heat_map = judge.heat_maps[0]
    assert judge.quality.kinds == dict.fromkeys(
        ("exact", "sampled", "mode", "reasoned", "imported"), 3
    )
    values = np.array(SCORES)
    assert heat_map.mean[0] == pytest.approx(p[0] @ values)
    assert heat_map.mean[1].tolist() == p[1].argmax(axis=-1).tolist()
    assert (heat_map.sd[1].tolist(), heat_map.draws[1, 0]) == ([0, 0, 0], math.inf)
    assert heat_map.probabilities[1, 0].tolist() == np.eye(5)[p[1, 0].argmax()].tolist()
    means = texts @ values
    within = texts @ values**2 - means**2
    assert heat_map.mean[2, 0] == pytest.approx(means.mean())
    assert heat_map.sd[2, 0] ** 2 == pytest.approx(within.mean() + means.var(ddof=1))
    assert heat_map.error[2, 0] == pytest.approx(means.var(ddof=1) / 4)
    assert heat_map.probabilities[2, 0] == pytest.approx(texts.mean(axis=0))
    assert heat_map.probabilities[3, 0].tolist() == [0, 0.5, 0, 0.5, 0]
    assert (judge.quality.removed_mass, judge.quality.numerics_floor) == (0.25, 1e-6)


def test_reasoned_cells_flip_less_against_themselves_than_shares_of_as_many_draws(
    path: Path,
) -> None:
    """Each text's score is known exactly, so n texts are worth more than n draws."""
    rng = np.random.default_rng(0)
    truth = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    found = []
    for run in range(60):
        where = path.with_name(f"{run}.db")
        records = []
        for i, j, address in addresses():
            texts = rng.dirichlet(truth * 30, 3)
            drawn = tuple(Draw(s, 0.0, "x", probabilities=tuple(q)) for s, q in enumerate(texts))
            mean = tuple(texts.mean(axis=0))
            records.append(CellRecord(str((i, j)), address, "reasoned", SCORES, mean, draws=drawn))
        found.append(analyse(stored(where, records, plan())).judges[0].summary.move_again.value)
    apart = np.abs(np.subtract.outer(SCORES, SCORES))
    assert np.mean(found) == pytest.approx(float(truth @ apart @ truth), rel=0.03)


def test_imported_scores_need_no_plan(path: Path) -> None:
    records = [
        CellRecord(f"{i}{j}", Address(f"q{i}", f"room{j}"), "imported", draws=(Draw(0, i + j / 2),))
        for i in range(4)
        for j in range(3)
    ]
    found = analyse(stored(path, records), pass_mark=1.5)
    assert (found.title, found.pass_mark, found.item_texts) == ("run", 1.5, {})
    assert found.scale == tuple(np.arange(0, 4.5, 0.5))
    assert found.judges[0].summary.move.value == pytest.approx(2 / 3)
    assert found.gates.verdict is None


def test_oracle_n_imported_into_a_store_is_the_published_grid(path: Path, tmp_path: Path) -> None:
    rooms = ["bard", "gpt35", "alpaca", "llama"]
    rows = [",".join(["item", *rooms])]
    rows += [",".join([f"q{i}", *map(str, scores)]) for i, scores in enumerate(N_SCORES, start=1)]
    table = tmp_path / "reviews.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    import_scores(path, read_csv(table, rooms=rooms), pass_mark=8, gates={"min_phi": 0.9})
    found = analyse(path)
    judge = found.judges[0]
    assert judge.agreement.phi.value == pytest.approx(0.7513, abs=5e-5)
    assert (judge.quality.present, judge.study.needed.value) == (320, 3)
    assert next(m for m in judge.marks if m.mark == 8).straddle.value == pytest.approx(0.2125)
    assert (found.gates.verdict, found.gates.exit_code) == ("fail", 1)
    assert (found.title, found.item_texts, found.prompt_texts) == ("reviews", {}, {})


def test_a_run_on_two_machines_says_so(path: Path) -> None:
    p = distributions()
    stored(path, (exact(a, p[i, j]) for i, j, a in addresses()), plan())
    with Store(path) as store:
        store.begin(plan(), {"dtype": "bf16"})
    assert analyse(path).methods.notes[-1] == (
        "The cells were scored in 2 environments; the last one is shown."
    )


def test_a_part_of_a_run_can_be_analysed(path: Path) -> None:
    p = distributions(0, (2, 2, 5, 3))
    whole = plan(variants=[{"name": "base"}, {"name": "tuned"}], temperatures=[1.0, 0.5])
    records = [
        exact(Address(i, j, variant=v, temperature=t), p[a, b, c, d])
        for a, v in enumerate(("base", "tuned"))
        for b, t in enumerate((1.0, 0.5))
        for c, i in enumerate(ITEMS)
        for d, j in enumerate(PROMPTS)
    ]
    stored(path, records, whole)
    assert [j.name for j in analyse(path).judges] == [
        "base, T=1", "base, T=0.5", "tuned, T=1", "tuned, T=0.5",
    ]  # fmt: skip
    found = analyse(
        path, where={"variant": "tuned", "temperature": [0.5], "prompt": ["kind", "plain"]}
    )
    assert [j.name for j in found.judges] == ["tuned"]
    assert found.judges[0].heat_maps[0].probabilities == pytest.approx(p[1, 1][:, 1:])
    for where, message in (
        (
            {"variant": "other"},
            "there is no variant 'other' in this run (there are: base, tuned)",
        ),
        (
            {"wording": "kind"},
            "a cell has no facet 'wording'; its facets are item, prompt, format, order, "
            "numerics, variant, temperature",
        ),
    ):
        with pytest.raises(RecordError) as caught:
            analyse(path, where=where)
        assert str(caught.value) == message


def test_a_partial_plan_misses_only_what_it_asked_for(path: Path) -> None:
    partial = plan(grid={"exclude": [{"item": ["z"], "prompt": ["kind"]}]})
    p = distributions()
    records = [exact(a, p[i, j]) for i, j, a in addresses() if (i, j) not in ((0, 1), (2, 2))]
    quality = analyse(stored(path, records, partial)).judges[0].quality
    assert (quality.planned, quality.present, quality.missing_cells) == (14, 13, ("a, plain",))


def test_pairs_become_differences_and_joint_tables(path: Path) -> None:
    rng = np.random.default_rng(4)
    support = tuple((float(a), float(b)) for a in range(1, 4) for b in range(1, 4))
    joint = rng.dirichlet(np.ones(9), (5, 3, 2))
    records = [
        CellRecord(
            f"{i}{j}{o}",
            Address(ITEMS[i], PROMPTS[j], order=order),
            "exact",
            support,
            tuple(joint[i, j, o]),
        )
        for i in range(5)
        for j in range(3)
        for o, order in enumerate(("ab", "ba"))
    ]
    found = analyse(stored(path, records))
    judge = found.judges[0]
    assert found.scale == (-2, -1, 0, 1, 2)
    assert set(judge.rooms) == {Room(p, "plain", o) for p in PROMPTS for o in ("ab", "ba")}
    pairs = np.array(support)
    gap = pairs[:, 0] - pairs[:, 1]
    maps = {h.order: h for h in judge.heat_maps}
    rows = [found.items.index(item) for item in ITEMS]
    columns = [found.prompts.index(prompt) for prompt in PROMPTS]
    assert maps["ab"].mean[np.ix_(rows, columns)] == pytest.approx(joint[:, :, 0] @ gap)
    assert maps["ba"].mean[np.ix_(rows, columns)] == pytest.approx(-(joint[:, :, 1] @ gap))
    squares = joint[:, :, 1] @ gap**2 - (joint[:, :, 1] @ gap) ** 2
    assert maps["ba"].sd[np.ix_(rows, columns)] ** 2 == pytest.approx(squares)
    pairwise = judge.pairwise
    assert pairwise is not None
    assert pairwise.scores == (1, 2, 3)
    first = (joint[:, :, 0] @ pairs[:, 0] + joint[:, :, 1] @ pairs[:, 1]).mean() / 2
    second = (joint[:, :, 0] @ pairs[:, 1] + joint[:, :, 1] @ pairs[:, 0]).mean() / 2
    assert pairwise.ratio.value == pytest.approx(100 * second / first)
    shown_first = (joint[:, :, 0] @ pairs[:, 0] + joint[:, :, 1] @ pairs[:, 0]).mean()
    shown_second = (joint[:, :, 0] @ pairs[:, 1] + joint[:, :, 1] @ pairs[:, 1]).mean()
    assert pairwise.order_effect.value == pytest.approx((shown_first - shown_second) / 2)
    a_b = (joint[:, :, 0].mean(axis=(0, 1)).reshape(3, 3)
           + joint[:, :, 1].mean(axis=(0, 1)).reshape(3, 3).T) / 2  # fmt: skip
    assert pairwise.joint == pytest.approx(a_b)


def test_drawn_pairs_have_the_variance_of_their_difference(path: Path) -> None:
    given = [((8.0, 7.0), (9.0, 5.0), (6.0, 6.0)), ((7.0, 9.0), (5.0, 5.0), (8.0, 4.0))]
    records = [
        CellRecord(
            f"{i}{order}",
            Address(f"q{i}", "p", order=order),
            "sampled",
            draws=tuple(Draw(s, score) for s, score in enumerate(given[i])),
        )
        for i in range(2)
        for order in ("ab", "ba")
    ]
    judge = analyse(stored(path, records)).judges[0]
    for heat_map in judge.heat_maps:
        sign = -1 if heat_map.order == "ba" else 1
        for i in range(2):
            gaps = sign * np.array([a - b for a, b in given[i]])
            assert heat_map.mean[i, 0] == pytest.approx(gaps.mean())
            assert heat_map.sd[i, 0] ** 2 == pytest.approx(gaps.var(ddof=1))
            assert heat_map.error[i, 0] == pytest.approx(gaps.var(ddof=1) / 3)


def test_what_cannot_be_analysed_says_why(path: Path, tmp_path: Path) -> None:
    with Store(path):
        pass
    with pytest.raises(RecordError) as caught:
        analyse(path)
    assert str(caught.value) == f"{path}: no cell is stored yet (run the plan first)"
    with pytest.raises(RecordError, match="there is no such store"):
        analyse(tmp_path / "nowhere.db")
    with pytest.raises(RecordError) as caught:
        analyse(7)  # type: ignore[arg-type]
    assert str(caught.value) == "7 is neither a store nor the path of one"


def test_two_records_of_one_cell_are_refused(path: Path) -> None:
    address = Address("a", "b")
    twice = [
        CellRecord(key, address, "exact", SCORES, (1.0, 0.0, 0.0, 0.0, 0.0)) for key in ("k1", "k2")
    ]
    with pytest.raises(RecordError) as caught:
        analyse(stored(path, twice))
    assert str(caught.value) == (
        "two records are of the cell a, b, plain, model, 1: their texts or models differ (keep "
        "runs of different plans in different stores)"
    )
