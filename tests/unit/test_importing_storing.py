"""Imported scores in a store: analysed and reported like a run's; the published judgements."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from constrained.consistency.analysis import analyse
from constrained.consistency.importing import (
    import_scores,
    imported_plan,
    read_csv,
    read_inspect,
    read_lm_eval,
)
from constrained.consistency.importing.imported import Imported
from constrained.consistency.plan import Plan
from constrained.consistency.run import run
from constrained.consistency.store import Store
from constrained.errors import InvalidSpec, RecordError

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "tests" / "data" / "imports"
INSPECT = (LOGS / "inspect" / "plain.eval", LOGS / "inspect" / "strict.eval")


def table(folder: Path, text: str) -> Imported:
    path = folder / "scores.csv"
    path.write_text(text, "utf-8")
    return read_csv(path)


def test_the_same_answers_in_four_rooms(tmp_path):
    """Oracle N: the numbers recomputed from LLaVA's shipped reviews."""
    example = runpy.run_path(str(ROOT / "examples" / "llava_rooms" / "report.py"))
    analysis = example["report"](tmp_path)
    (judge,) = analysis.judges
    assert judge.agreement.phi.value == pytest.approx(0.7513, abs=5e-5)
    assert judge.agreement.generalizability.value == pytest.approx(0.8041, abs=5e-5)
    assert judge.agreement.alpha.value == pytest.approx(0.7453, abs=5e-5)
    parts = {part.name: part.estimate.value for part in judge.components.components}
    assert parts["item"] == pytest.approx(1.6873, abs=5e-5)
    assert parts["prompt"] == pytest.approx(0.1476, abs=5e-5)
    assert parts["item x prompt"] == pytest.approx(0.4110, abs=5e-5)
    means = {row.room.prompt: row.mean.value for row in judge.prompts}
    assert means == pytest.approx({"bard": 8.19375, "gpt35": 7.975, "alpaca": 8.8, "llama": 8.675})
    passing = judge.heat_maps[0].passing
    straddling = ((passing == 1).any(axis=1) & (passing == 0).any(axis=1)).mean()
    assert straddling == pytest.approx(0.2125)
    mean = judge.heat_maps[0].mean
    assert (mean.max(axis=1) == mean.min(axis=1)).sum() == 14
    page = (tmp_path / "llava_rooms.html").read_text("utf-8")
    assert "A teacher in another room would move a typical answer by 0.7 points" in page


def test_gold_scale_pass_mark_and_origin_are_kept(tmp_path):
    imported = read_inspect(*INSPECT, gold="target", scale=range(11))
    path = tmp_path / "run.db"
    assert import_scores(path, imported, name="essays", pass_mark=5) == 6
    with Store(path) as store:
        plan = store.plan()
        assert (plan.name, plan.pass_mark) == ("essays", 5)
        assert plan.scale == tuple(map(float, range(11)))
        assert {item.id: item.gold for item in plan.items} == imported.gold
        origin = store.environment()["imported"]
        assert origin["source"].endswith("strict.eval")
        assert origin["notes"] == list(imported.notes)
        assert {r.key for r in store.records()} == {r.key for r in imported.records}
    analysis = analyse(path)
    assert analysis.title == "essays"
    assert analysis.judges[0].name.startswith("mockllm/model")
    assert sum(analysis.judges[0].quality.failures.values()) == 1


def test_importing_again_changes_nothing_and_something_else_is_refused(tmp_path):
    path = tmp_path / "run.db"
    assert import_scores(path, table(tmp_path, "item,prompt,score\ne1,p1,7\ne1,p2,6\n")) == 2
    assert import_scores(path, table(tmp_path, "item,prompt,score\ne1,p1,7\ne1,p2,6\n")) == 0
    with pytest.raises(RecordError, match="the store holds the plan 'scores'"):
        import_scores(path, table(tmp_path, "item,prompt,score\ne9,p1,7\n"))
    with Store(path) as store:
        assert len(store) == 2


def test_an_import_that_fails_leaves_nothing_behind(tmp_path):
    path = tmp_path / "run.db"
    import_scores(path, table(tmp_path, "item,score\ne1,7\n"))
    imported = table(tmp_path, "item,score\ne1,7\ne2,8\n")
    with pytest.raises(RecordError):
        import_scores(path, imported)
    with Store(path) as store:
        assert len(store) == 1


def test_exact_cells_of_others_are_analysed_as_exact(tmp_path):
    files = [
        next((LOGS / "lm_eval").glob(f"samples_essays_{task}_*")) for task in ("plain", "strict")
    ]
    import_scores(tmp_path / "run.db", read_lm_eval(*files, item="doc.id", gold="doc.gold"))
    (judge,) = analyse(tmp_path / "run.db").judges
    records = read_lm_eval(*files, item="doc.id").records
    expected = sum(s * p for s, p in zip(records[0].support, records[0].local, strict=True))
    assert judge.heat_maps[0].mean[0, 0] == pytest.approx(expected)
    assert judge.gold is not None


def test_pairwise_judgements_are_stored_with_their_orders(tmp_path):
    text = "item,order,score,second\nq1,ab,8,7\nq1,ba,7,9\nq2,ab,5,5\nq2,ba,4,6\n"
    import_scores(tmp_path / "run.db", table(tmp_path, text))
    (judge,) = analyse(tmp_path / "run.db").judges
    assert judge.pairwise is not None
    with pytest.raises(RecordError, match="pairs of scores need the order in which the answers"):
        imported_plan(table(tmp_path, "item,score,second\nq1,8,7\n"))


def test_levels_that_no_model_could_be_asked_with_are_fine_here(tmp_path):
    text = "item,prompt,format,temperature,score\ne1,p1,spreadsheet,0,7\ne1,p1,spreadsheet,0,8\n"
    import_scores(tmp_path / "run.db", table(tmp_path, text))
    with Store(tmp_path / "run.db") as store:
        assert store.plan().levels["temperature"] == (0.0,)
        assert store.plan().levels["format"] == ("spreadsheet",)


def test_a_plan_of_imported_scores_cannot_be_run(tmp_path):
    plan = imported_plan(table(tmp_path, "item,score\ne1,7\n"))
    with pytest.raises(InvalidSpec, match="the plan describes scores that came from elsewhere"):
        run(plan, tmp_path / "run.db")
    assert not (tmp_path / "run.db").exists()
    assert Plan.from_json(plan.to_json()) == plan


def test_every_judgement_a_failure_is_still_a_store(tmp_path):
    imported = table(tmp_path, "item,score\ne1,good\n")
    assert import_scores(tmp_path / "run.db", imported) == 1
    assert imported.failures == imported.draws == 1
