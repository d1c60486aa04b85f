"""Logs that Inspect, promptfoo, lm-eval and DeepEval wrote themselves, read as they are."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from constrained.consistency.importing import (
    kind_of,
    read_deepeval,
    read_inspect,
    read_lm_eval,
    read_promptfoo,
    read_scores,
)
from constrained.consistency.importing.archives import read_members
from constrained.errors import MissingPackage, RecordError
from constrained.spec import template

LOGS = Path(__file__).parents[1] / "data" / "imports"
INSPECT = (LOGS / "inspect" / "plain.eval", LOGS / "inspect" / "strict.eval")
SHORT = LOGS / "inspect" / "short.json"
PROMPTFOO = LOGS / "promptfoo" / "results.json"
LM_EVAL = LOGS / "lm_eval" / "results_2026-11-22T11-51-42.532249.json"
DEEPEVAL = (LOGS / "deepeval" / "plain.json", LOGS / "deepeval" / "strict.json")
SCORE = template("Score: {score:0..10}")


def scores(imported) -> dict[tuple[str, str], list]:
    return {
        (r.address.item, r.address.prompt): [d.score for d in r.draws] for r in imported.records
    }


def failures(imported) -> list[str]:
    return [d.failure for r in imported.records for d in r.draws if d.failure]


def changed(path: Path, folder: Path, change) -> Path:
    """A copy of a JSON file with something in it changed."""
    value = json.loads(path.read_text("utf-8"))
    change(value)
    copy = folder / path.name
    copy.write_text(json.dumps(value), "utf-8")
    return copy


# Inspect


def test_inspect_samples_are_items_epochs_are_draws_and_tasks_are_prompts():
    imported = read_inspect(*INSPECT, gold="target")
    assert scores(imported) == {
        ("essay-1", "essays_plain"): [7, 4, 8],
        ("essay-1", "essays_strict"): [5, 3, 7],
        ("essay-2", "essays_plain"): [6, 5, 8],
        ("essay-2", "essays_strict"): [5, 3, 6],
        ("essay-3", "essays_plain"): [7, None, 9],
        ("essay-3", "essays_strict"): [4, 3, 6],
    }
    assert imported.gold == {"essay-1": 7.0, "essay-2": 4.0, "essay-3": 8.0}
    assert imported.levels["variant"] == ("mockllm/model",)
    assert failures(imported) == ["the score is NaN"]
    first = imported.records[0]
    assert first.prompt_text == "Grade this essay from 0 to 10.\nA short essay about rain."
    assert first.draws[0].text == "Score: 7"


def test_inspect_answers_can_be_read_by_a_format():
    imported = read_inspect(INSPECT[0], spec=SCORE)
    assert scores(imported)["essay-3", "essays_plain"] == [7, None, 9]
    assert imported.records[2].draws[1].text == "I would rather not say."


def test_inspect_logs_packed_without_zstandard_are_read_too(tmp_path, monkeypatch):
    packed = read_members(INSPECT[0], ("",))
    copy = tmp_path / "old.eval"
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in packed.items():
            archive.writestr(name, data)
    expected = [r.key for r in read_inspect(INSPECT[0]).records]
    monkeypatch.setattr("constrained.models.loading.find_spec", lambda _: None)
    assert [r.key for r in read_inspect(copy).records] == expected
    with pytest.raises(
        MissingPackage,
        match="pip install pyarrow pandas 'numpy>=2'; in a clone: scripts/install parquet",
    ):
        read_inspect(INSPECT[0])


def test_inspect_json_logs_hold_the_same():
    imported = read_inspect(SHORT, gold="target")
    assert scores(imported) == {("essay-1", "essays_plain"): [7, 6]}


def test_a_second_log_of_one_task_adds_draws(tmp_path):
    def another(log):
        log["eval"] |= {"eval_id": "another", "task_id": "another"}
        for sample in log["samples"]:
            sample["uuid"] += "2"

    again = changed(SHORT, tmp_path, another)
    assert scores(read_inspect(SHORT, again)) == {("essay-1", "essays_plain"): [7, 6, 7, 6]}


def test_one_inspect_evaluation_twice_is_refused():
    with pytest.raises(RecordError, match=r"short.json: the same evaluation as .*; pass one"):
        read_inspect(SHORT, SHORT)


def test_inspect_tasks_that_ask_differently_need_names(tmp_path):
    def stricter(log):
        log["eval"]["eval_id"] = "another"
        log["plan"]["steps"][0]["params"]["template"] = "Be strict. {prompt}"

    other = changed(SHORT, tmp_path, stricter)
    with pytest.raises(RecordError, match=r"asks in another way than in .*; tell them apart with"):
        read_inspect(SHORT, other)
    named = read_inspect(SHORT, other, prompts=["mild", "strict"])
    assert named.levels["prompt"] == ("mild", "strict")
    with pytest.raises(RecordError, match="1 prompts for 2 logs; name one for each"):
        read_inspect(SHORT, other, prompts=["mild"])


def test_task_arguments_are_part_of_the_prompt(tmp_path):
    def given(log):
        log["eval"]["task_args_passed"] = {"wording": "strict", "shots": 2}

    imported = read_inspect(changed(SHORT, tmp_path, given))
    assert imported.levels["prompt"] == ("essays_plain(shots=2, wording=strict)",)


@pytest.mark.parametrize(
    ("value", "score", "failure"),
    [
        ("C", 1.0, ""),
        ("P", 0.5, ""),
        ("I", 0.0, ""),
        ("N", None, "no answer"),
        ("7.5", 7.5, ""),
        ("good", None, "'good' is not a number"),
        (None, None, "the sample has no score"),
        (True, 1.0, ""),
        ({"style": 3, "why": "short"}, 3.0, ""),
        ({"style": 3, "content": 4, "why": "x"}, None, "holds 2 numbers; name the one to use"),
    ],
)
def test_inspect_scores_of_every_kind(tmp_path, value, score, failure):
    def say(log):
        for sample in log["samples"]:
            sample["scores"]["grade"]["value"] = value

    draw = read_inspect(changed(SHORT, tmp_path, say)).records[0].draws[0]
    assert draw.score == score
    assert failure in draw.failure
    assert bool(failure) == bool(draw.failure)


def test_an_inspect_sample_that_ended_in_an_error_is_a_failure(tmp_path):
    def stop(log):
        log["status"] = "error"
        log["samples"][1]["error"] = {"message": "the network was down", "traceback": ""}
        log["samples"][1]["scores"] = {}

    imported = read_inspect(changed(SHORT, tmp_path, stop))
    assert failures(imported) == ["the sample ended in an error: the network was down"]
    assert imported.notes[1].endswith("the evaluation has the status 'error'; what it has is read")


def test_inspect_scorers_are_chosen_by_name(tmp_path):
    def second(log):
        for sample in log["samples"]:
            sample["scores"]["style"] = {"value": 2}

    log = changed(SHORT, tmp_path, second)
    with pytest.raises(RecordError, match=r"choose one of the scorers \['grade', 'style'\]"):
        read_inspect(log)
    assert scores(read_inspect(log, scorer="style")) == {("essay-1", "essays_plain"): [2, 2]}
    with pytest.raises(RecordError, match="there is no scorer 'tone'"):
        read_inspect(log, scorer="tone")


def test_inspect_attachments_are_put_back(tmp_path):
    def attach(log):
        sample = log["samples"][0]
        sample["attachments"] = {"abc": "Score: 9"}
        sample["output"]["completion"] = "attachment://abc"

    imported = read_inspect(changed(SHORT, tmp_path, attach), spec=SCORE)
    assert imported.records[0].draws[0].score == 9.0


def test_a_log_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path):
    packed = read_members(INSPECT[0], ("",))
    copy = tmp_path / "killed.eval"
    with zipfile.ZipFile(copy, "w") as archive:
        for name, data in packed.items():
            if name.startswith("_journal/start") or "epoch_1" in name:
                archive.writestr(name, data)
    imported = read_inspect(copy)
    assert scores(imported)["essay-2", "essays_plain"] == [6]
    assert imported.notes == (
        f"{copy}: the evaluation has the status 'started'; what it has is read",
    )


def test_damaged_inspect_logs_are_refused(tmp_path):
    data = bytearray(INSPECT[0].read_bytes())
    with zipfile.ZipFile(INSPECT[0]) as archive:
        member = archive.getinfo("samples/essay-2_epoch_1.json")
    place = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    data[place] ^= 0xFF
    hurt = tmp_path / "hurt.eval"
    hurt.write_bytes(data)
    with pytest.raises(RecordError, match=r"hurt.eval: samples/essay-2_epoch_1.json is damaged"):
        read_inspect(hurt)
    cut = tmp_path / "cut.eval"
    cut.write_bytes(INSPECT[0].read_bytes()[:9000])
    with pytest.raises(RecordError, match=r"cut.eval: not a whole zip file"):
        read_inspect(cut)
    other = tmp_path / "other.json"
    other.write_text('{"scores": []}')
    with pytest.raises(RecordError, match="not a log of Inspect"):
        read_inspect(other)

    def old(log):
        log["version"] = 1

    with pytest.raises(RecordError, match="a log of version 1; version 2 is read"):
        read_inspect(changed(SHORT, tmp_path, old))


# promptfoo


def test_promptfoo_repeats_of_a_test_are_draws_of_one_item():
    imported = read_promptfoo(PROMPTFOO, gold="vars.gold")
    assert scores(imported) == {
        ("essay-1", "plain"): [0.9, None],
        ("essay-1", "strict"): [0.75, 0.8],
        ("essay-2", "plain"): [0.8, 0.0],
        ("essay-2", "strict"): [0.65, 0.0],
        ("essay-3", "plain"): [0.75, 0.8],
        ("essay-3", "strict"): [0.8, None],
    }
    assert imported.gold == {"essay-1": 7.0, "essay-2": 4.0, "essay-3": 8.0}
    assert imported.levels["variant"] == ("scripted-grader",)


def test_a_promptfoo_grader_that_broke_and_a_provider_error_are_failures_though_it_says_0():
    assert failures(read_promptfoo(PROMPTFOO)) == [
        "the grader failed: Custom function threw error: the grader broke",
        "an error: the service was busy",
    ]


def test_promptfoo_outputs_are_read_by_a_format():
    imported = read_promptfoo(PROMPTFOO, spec=SCORE, scale=range(11))
    assert scores(imported)["essay-1", "plain"] == [8, 9]
    assert scores(imported)["essay-2", "plain"] == [6, None]
    assert scores(imported)["essay-3", "strict"] == [6, None]


def test_promptfoo_metrics_are_chosen_by_name():
    found = scores(read_promptfoo(PROMPTFOO, score="short"))
    assert found["essay-2", "strict"] == [1.0, 0.0]
    with pytest.raises(RecordError, match=r"there is no metric 'style' \(there are \['short'\]\)"):
        read_promptfoo(PROMPTFOO, score="style")


def test_promptfoo_lines_hold_the_same(tmp_path):
    lines = json.loads(PROMPTFOO.read_text("utf-8"))["results"]["results"]
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert scores(read_promptfoo(path)) == scores(read_promptfoo(PROMPTFOO))


def test_promptfoo_tests_without_a_description_are_named_by_their_variables(tmp_path):
    def nameless(whole):
        for result in whole["results"]["results"]:
            del result["testCase"]["description"]
            result["vars"] = {"essay": result["vars"]["essay"] * 3}

    imported = read_promptfoo(changed(PROMPTFOO, tmp_path, nameless))
    long = "An essay about trains that loses its thread." * 3
    assert imported.levels["item"] == (
        "A short essay about rain." * 3,
        f"{long[:68]}... {hashlib.sha256(long.encode()).hexdigest()[:8]}",
        "An essay about bread." * 3,
    )


def test_two_promptfoo_tests_of_one_name_are_refused(tmp_path):
    def same(whole):
        for result in whole["results"]["results"]:
            result["testCase"]["description"] = "essay"

    path = changed(PROMPTFOO, tmp_path, same)
    with pytest.raises(RecordError, match="two different tests are called 'essay'; choose with"):
        read_promptfoo(path)
    assert read_promptfoo(path, item="vars.essay").levels["item"][0] == "A short essay about rain."


def test_other_promptfoo_versions_are_refused(tmp_path):
    def old(whole):
        whole["results"]["version"] = 2

    with pytest.raises(RecordError, match="results of version 2; version 3 is read"):
        read_promptfoo(changed(PROMPTFOO, tmp_path, old))
    with pytest.raises(RecordError, match="not results of promptfoo"):
        read_promptfoo(SHORT)


# lm-eval


def test_lm_eval_single_character_options_give_the_exact_distribution():
    imported = read_lm_eval(LM_EVAL, item="doc.id", gold="doc.gold")
    record = next(
        r
        for r in imported.records
        if (r.address.item, r.address.prompt) == ("essay-1", "essays_plain")
    )
    sample = json.loads(
        next(LM_EVAL.parent.glob("samples_essays_plain_*")).read_text("utf-8").splitlines()[0]
    )
    weights = [math.exp(float(log)) for log, _ in sample["filtered_resps"]]
    assert record.kind == "exact"
    assert record.support == (1, 2, 3, 4, 5)
    assert record.local == pytest.approx([w / sum(weights) for w in weights], abs=1e-12)
    assert record.free == record.local
    assert record.prompt_text.startswith("Grade this essay from 1 to 5: A short essay about rain.")
    assert imported.gold == {"essay-1": 4.0, "essay-2": 2.0, "essay-3": 5.0}


def test_lm_eval_options_that_begin_alike_give_the_likeliest_and_say_so():
    path = next(LM_EVAL.parent.glob("samples_essays_long_*"))
    imported = read_lm_eval(path)
    logs = [
        [float(log) for log, _ in json.loads(line)["filtered_resps"]]
        for line in path.read_text("utf-8").splitlines()
    ]
    best = [[(1, 2, 9, 10)[row.index(max(row))]] for row in logs]
    assert list(scores(imported).values()) == best
    assert {r.local for r in imported.records} == {None}
    assert imported.notes[0].startswith("options of several characters: the likeliest one counts")


def test_lm_eval_repeats_are_draws_and_what_the_filter_lost_is_a_failure():
    path = next(LM_EVAL.parent.glob("samples_essays_written_*"))
    imported = read_lm_eval(path, item="doc.id", variant="dummy")
    assert scores(imported) == {
        ("essay-1", "essays_written"): [4, 2, None],
        ("essay-2", "essays_written"): [5, 3, 3],
        ("essay-3", "essays_written"): [1, 2, 4],
    }
    assert failures(imported) == ["'[invalid]' is not a number"]
    assert imported.records[0].draws[2].text == "I would rather not say"
    strict = read_lm_eval(path, item="doc.id", spec=range(1, 6))
    assert scores(strict)["essay-3", "essays_written"] == [1, None, 4]
    metric = read_lm_eval(path, item="doc.id", metric="exact_match")
    assert all(r.draws[0].score in (0.0, 1.0, 1 / 3) for r in metric.records)


def test_lm_eval_results_lead_to_the_samples_of_their_run(tmp_path):
    imported = read_lm_eval(LM_EVAL, item="doc.id")
    assert imported.levels["prompt"] == (
        "essays_long",
        "essays_plain",
        "essays_strict",
        "essays_written",
    )
    assert imported.levels["variant"] == ("dummy",)
    alone = tmp_path / LM_EVAL.name
    alone.write_text(LM_EVAL.read_text("utf-8"), "utf-8")
    with pytest.raises(RecordError, match="there are no samples of this run beside it"):
        read_lm_eval(alone)


def test_another_document_of_one_number_is_refused(tmp_path):
    first = next(LM_EVAL.parent.glob("samples_essays_plain_*"))
    lines = [json.loads(line) for line in first.read_text("utf-8").splitlines()]
    for line in lines:
        line["doc_hash"] = "another"
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    with pytest.raises(RecordError, match=r"other.jsonl:1: '0' is another document than at "):
        read_lm_eval(first, other)


def test_lm_eval_options_that_are_words_need_scores(tmp_path):
    first = next(LM_EVAL.parent.glob("samples_essays_plain_*"))
    line = json.loads(first.read_text("utf-8").splitlines()[0])
    for number, argument in enumerate(line["arguments"].values()):
        argument["arg_1"] = " " + "ABCDE"[number]
    path = tmp_path / "letters.jsonl"
    path.write_text(json.dumps(line), "utf-8")
    with pytest.raises(RecordError, match="the option 'A' is no number; say what it counts"):
        read_lm_eval(path)
    imported = read_lm_eval(path, options={letter: 5 - n for n, letter in enumerate("ABCDE")})
    same = read_lm_eval(first)
    assert imported.records[0].local == same.records[0].local[::-1]


# DeepEval


def test_deepeval_cases_are_items_and_runs_are_prompts():
    imported = read_deepeval(*DEEPEVAL, gold="expectedOutput")
    assert scores(imported) == {
        ("essay-1", "plain"): [0.7],
        ("essay-1", "strict"): [0.7],
        ("essay-2", "plain"): [0.4],
        ("essay-2", "strict"): [None],
        ("essay-3", "plain"): [0.8],
        ("essay-3", "strict"): [0.8],
    }
    assert failures(imported) == [
        "the metric ended in an error: ValueError: no score in the answer"
    ]
    assert imported.gold == {"essay-1": 7.0, "essay-2": 4.0, "essay-3": 8.0}


def test_deepeval_outputs_are_read_by_a_format():
    imported = read_deepeval(*DEEPEVAL, spec=SCORE)
    assert scores(imported)["essay-2", "plain"] == [4]
    assert scores(imported)["essay-2", "strict"] == [None]
    with pytest.raises(RecordError, match="there is no metric 'Tone'"):
        read_deepeval(*DEEPEVAL, metric="Tone")
    with pytest.raises(RecordError, match="not a test run of DeepEval"):
        read_deepeval(PROMPTFOO)


def test_every_member_of_an_archive_is_what_pyarrow_unpacks():
    members = read_members(INSPECT[1], ("samples/",))
    assert len(members) == 9
    packed = pyarrow.compress(members["samples/essay-1_epoch_1.json"], codec="zstd", asbytes=True)
    assert packed[:4] == b"\x28\xb5\x2f\xfd"


# lighteval


def test_lighteval_details_are_read_by_metric_and_by_format(tmp_path):
    (path,) = LOGS.glob("lighteval/details/dummy/*/details_*.parquet")
    with pytest.raises(RecordError, match=r"choose one of the metrics \['grade', 'length'\] with"):
        read_scores(path)
    imported = read_scores(path, metric="grade", gold="doc.specific.gold")
    assert scores(imported) == {("0", "essays_plain|0"): [7.5], ("1", "essays_plain|0"): [4.0]}
    assert imported.levels["variant"] == ("dummy",)
    assert imported.gold == {"0": 7.0, "1": 4.0}
    read = read_scores(path, spec="Score: {score:0..10}")
    assert scores(read) == {("0", "essays_plain|0"): [7, 8], ("1", "essays_plain|0"): [4, None]}
    with pytest.raises(RecordError, match="there is no metric 'tone'"):
        read_scores(path, metric="tone")
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    assert len(read_scores(path, copy, metric="grade", variants=["a", "b"]).records) == 4
    assert read_scores(path, copy, metric="grade").levels["variant"] == ("dummy", "model")


def test_what_is_no_details_of_lighteval_is_said(tmp_path):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"item": ["a"], "score": [7]}), path)
    assert kind_of(path) == "parquet"
    with pytest.raises(RecordError, match="not details of lighteval"):
        read_scores(path, kind="lighteval")
