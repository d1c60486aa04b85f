"""Files of scores are told apart by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from constrained.consistency.importing import kind_of, read_csv, read_scores
from constrained.errors import RecordError

LOGS = Path(__file__).parents[1] / "data" / "imports"
SAMPLES = next((LOGS / "lm_eval").glob("samples_essays_plain_*"))
RESULTS = next((LOGS / "lm_eval").glob("results_*"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (LOGS / "inspect" / "plain.eval", "inspect"),
        (LOGS / "inspect" / "short.json", "inspect"),
        (LOGS / "promptfoo" / "results.json", "promptfoo"),
        (SAMPLES, "lm-eval"),
        (RESULTS, "lm-eval"),
        (LOGS / "deepeval" / "plain.json", "deepeval"),
        (Path("scores.CSV"), "csv"),
        (Path("scores.parquet"), "parquet"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_kinds(path, kind):
    assert kind_of(path) == kind


def test_every_kind_is_read_with_the_options_of_its_reader():
    assert read_scores(RESULTS, item="doc.id").levels["item"][0] == "essay-1"
    logs = [LOGS / "inspect" / name for name in ("plain.eval", "strict.eval")]
    assert read_scores(*logs, gold="target").gold["essay-3"] == 8.0
    with pytest.raises(RecordError, match="files of the kind inspect have no option 'delimiter'"):
        read_scores(*logs, delimiter=";")


def test_several_tables_are_read_together(tmp_path):
    for name, score in (("a", 7), ("b", 6)):
        text = f"item\tprompt\tscore\tgold\ne1\t{name}\t{score}\t8\n"
        (tmp_path / f"{name}.tsv").write_text(text)
    paths = (tmp_path / "a.tsv", tmp_path / "b.tsv")
    imported = read_scores(*paths)
    assert [(r.address.prompt, r.draws[0].score) for r in imported.records] == [
        ("a", 7.0),
        ("b", 6.0),
    ]
    assert imported.gold == {"e1": 8.0}
    with pytest.raises(RecordError, match=r"a\.tsv: the same file as .*a\.tsv; pass one"):
        read_scores(paths[0], paths[0])
    (tmp_path / "c.tsv").write_text("item\tprompt\tscore\tgold\ne1\tc\t7\t9\n")
    with pytest.raises(
        RecordError, match=r"has the gold score 9 here and 8 at .*a\.tsv:2; an item"
    ):
        read_scores(*paths, tmp_path / "c.tsv")
    (tmp_path / "d.tsv").write_text("item\tprompt\tscore\ne1\ta\t7\n")
    with pytest.raises(RecordError, match=r"d\.tsv and .*a\.tsv both hold scores of item 'e1'"):
        read_scores(*paths, tmp_path / "d.tsv")


def test_what_is_no_file_of_scores_is_said(tmp_path):
    other = tmp_path / "x.json"
    other.write_text("[1, 2]")
    with pytest.raises(RecordError, match=r"x\.json: no file of scores that is known; the kinds"):
        read_scores(other)
    with pytest.raises(RecordError, match="there is no file to read scores from"):
        read_scores()
    with pytest.raises(RecordError, match="there is no file to read scores from"):
        read_csv()
    with pytest.raises(RecordError, match="there is no kind 'excel' of files"):
        read_scores(other, kind="excel")
    with pytest.raises(RecordError, match=r"files of several kinds \(inspect, lm-eval\)"):
        read_scores(SAMPLES, LOGS / "inspect" / "plain.eval")
    rows = tmp_path / "scores.jsonl"
    rows.write_text('{"item": "e1", "score": 7}\n')
    assert kind_of(rows) == "jsonl"
