"""Draws of one cell asked the same in every respect; what differs is a facet or named by an error.

The logs were written by the tools themselves (see their README); what is changed here is changed as
another run would have written it.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from constrained.consistency.importing import (
    Imported,
    read_deepeval,
    read_inspect,
    read_jsonl,
    read_lighteval,
    read_lm_eval,
    read_promptfoo,
    read_scores,
)
from constrained.errors import RecordError

LOGS = Path(__file__).parents[1] / "data" / "imports"
INSPECT = LOGS / "inspect"
BASE = INSPECT / "asked_base.json"
PROVIDERS = LOGS / "promptfoo" / "providers.json"
ENDINGS = ("json", "yaml", "jsonl", "csv")


def scores(imported: Imported) -> dict[tuple[str, str], list[Any]]:
    return {
        (r.address.item, r.address.variant): [d.score for d in r.draws] for r in imported.records
    }


def loaded(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def saved(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), "utf-8")
    return path


def put(value: Any, way: tuple[Any, ...], new: Any) -> None:
    """Put `new` at a place of a nested value."""
    for key in way[:-1]:
        value = value.setdefault(key, {}) if isinstance(value, dict) else value[key]
    value[way[-1]] = new


def another_run(folder: Path, *changes: tuple[tuple[Any, ...], Any], source: Path = BASE) -> Path:
    """The log of another run of the same evaluation, with something asked differently."""
    log = copy.deepcopy(loaded(source))
    log["eval"] |= {"eval_id": "another", "task_id": "another"}
    for sample in log["samples"]:
        sample["uuid"] += "2"
    for (first, *way), new in changes:
        for part in log["samples"] if first == "samples" else [log[first]]:
            put(part, tuple(way), new)
    return saved(folder / "another.json", log)


# Inspect


def test_inspect_logs_that_asked_the_same_add_up(tmp_path):
    imported = read_inspect(BASE, another_run(tmp_path))
    assert [d.score for d in imported.records[0].draws] == [7, 8, 7, 8]


@pytest.mark.parametrize(
    ("way", "new"),
    [
        (("eval", "model_generate_config", "seed"), 7),
        (("plan", "config", "max_retries"), 9),
        (("eval", "model_generate_config", "max_connections"), 2),
        (("eval", "model_args", "custom_outputs"), []),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_what_changes_no_answer_may_differ(tmp_path, way, new):
    imported = read_inspect(BASE, another_run(tmp_path, (way, new)))
    assert [d.score for d in imported.records[0].draws] == [7, 8, 7, 8]


@pytest.mark.parametrize(
    ("name", "way", "new"),
    [
        ("top_p", ("plan", "config", "top_p"), 0.5),
        ("top_k", ("eval", "model_generate_config", "top_k"), 3),
        ("max_tokens", ("plan", "config", "max_tokens"), 10),
        ("system_message", ("plan", "config", "system_message"), "Be strict."),
        ("stop_seqs[0]", ("plan", "config", "stop_seqs"), ["."]),
        ("some_new_setting", ("plan", "config", "some_new_setting"), True),
        ("temperature", ("plan", "config", "temperature"), 1.0),
        ("base_url", ("eval", "model_base_url"), "http://localhost:9"),
        ("model_args.device", ("eval", "model_args", "device"), "cpu"),
        ("model_roles.grader.model", ("eval", "model_roles"), {"grader": {"model": "openai/x"}}),
        ("limits.token_limit", ("eval", "config", "token_limit"), 100),
        ("solver[0].params.template", ("plan", "steps", 0, "params", "template"), "Now: {prompt}"),
        ("scorer.grade.model", ("eval", "scorers", 0, "options", "model"), "openai/x"),
        ("task_args.system", ("eval", "task_args", "system"), "Be strict."),
        ("task_version", ("eval", "task_version"), 2),
        ("task_file", ("eval", "task_file"), "strict.py"),
        ("dataset.name", ("eval", "dataset", "name"), "other essays"),
        ("solver_name", ("eval", "solver"), "strict"),
        ("solver_args.steps", ("eval", "solver_args"), {"steps": 2}),
        ("approval", ("eval", "config", "approval"), "human"),
        ("model_args.revision", ("eval", "model_args", "revision"), "v2"),
        ("input", ("samples", "input"), "A long essay about rain."),
        ("target", ("samples", "target"), "9"),
        ("messages", ("samples", "messages", 0, "content"), "Grade strictly."),
        ("finish.name", ("plan", "finish"), {"solver": "shorten", "params": {}}),
        ("setup", ("samples", "setup"), "apt install rain"),
        ("files", ("samples", "files"), ["rain.txt"]),
        ("sandbox", ("samples", "sandbox"), {"type": "docker"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_inspect_logs_that_asked_differently_are_refused_by_the_name_of_it(
    tmp_path, name, way, new
):
    other = another_run(tmp_path, (way, new))
    with pytest.raises(
        RecordError, match=r"asks in another way than in .*; tell them apart with"
    ) as e:
        read_inspect(BASE, other)
    assert f": {name} is " in str(e.value)
    apart = read_inspect(BASE, other, variants=["a", "b"])
    assert len(apart.records) == 4
    assert len(read_inspect(BASE, other, ignore=[name]).records) == 2


def test_the_text_of_the_refusal():
    with pytest.raises(RecordError) as error:
        read_inspect(BASE, INSPECT / "asked_top_p.json")
    other = INSPECT / "asked_top_p.json"
    assert str(error.value) == (
        f"{other}: sample essay-1 epoch 1: asks in another way than in {BASE}: sample essay-1 "
        "epoch 1: top_p is 0.5 here and left out there; tell them apart with prompts=[...] or "
        "variants=[...], one name per log, or say that it may differ with ignore=[...]"
    )


def test_another_server_is_refused_and_another_temperature_is_a_level(tmp_path):
    with pytest.raises(RecordError, match='base_url is "http://localhost:9" here and left out'):
        read_inspect(BASE, INSPECT / "asked_base_url.json")
    cold = another_run(tmp_path, (("plan", "config", "temperature"), 0.5))
    assert read_inspect(BASE, cold).levels["temperature"] == ("1.0", "0.5")


def test_names_to_ignore_have_to_be_there():
    with pytest.raises(RecordError, match="there is nothing called 'topp' to ignore"):
        read_inspect(BASE, ignore=["topp"])


def test_a_retried_log_counts_once_and_replaces_what_failed():
    failed, done = INSPECT / "retry_failed.json", INSPECT / "retry_done.json"
    for order in ((failed, done), (done, failed)):
        imported = read_inspect(*order)
        assert [(r.address.item, [d.score for d in r.draws]) for r in imported.records] == [
            ("essay-1", [6]),
            ("essay-2", [6]),
        ]
        assert imported.notes[-1] == (
            f"{failed}: 2 of its samples stand in a later log of the same run as well; they count "
            "once"
        )
    assert [d.failure for d in read_inspect(failed).records[1].draws] == [
        "the sample ended in an error: ValueError('the service was down')"
    ]


def test_a_copied_sample_that_was_asked_differently_is_refused(tmp_path):
    log = loaded(INSPECT / "retry_failed.json")
    log["plan"]["config"]["top_p"] = 0.3
    log["eval"]["created"] = "2020-01-01T00:00:00+00:00"
    with pytest.raises(RecordError, match=r"top_p is 0\.3 here and left out there"):
        read_inspect(saved(tmp_path / "x.json", log), INSPECT / "retry_done.json")


def test_invalidated_samples_do_not_count():
    imported = read_inspect(INSPECT / "invalidated.json")
    assert {r.address.item: [d.score for d in r.draws] for r in imported.records} == {
        "essay-2": [4, 5],
        "essay-1": [8],
    }
    assert imported.notes == (
        "1 of 4 samples were invalidated and are left out; the first is "
        f"{INSPECT / 'invalidated.json'}: sample essay-1 epoch 1 (a wrong essay)",
    )


def test_numbered_samples_of_other_data_sets_do_not_join():
    one, two = INSPECT / "numbered_one.json", INSPECT / "numbered_two.json"
    with pytest.raises(RecordError, match=r"'1' is another sample than at .*; choose with item="):
        read_inspect(one, two, prompts=["a", "b"])
    trusted = read_inspect(one, two, prompts=["a", "b"], item="id")
    assert trusted.levels["item"] == ("1", "2")
    named = read_inspect(one, two, prompts=["a", "b"], item="target")
    assert named.levels["item"] == ("7", "4")
    assert read_inspect(one).levels["item"] == ("1", "2")


def test_grades_from_a_to_e_need_their_meaning():
    log = INSPECT / "letters.json"
    with pytest.raises(RecordError) as error:
        read_inspect(log)
    assert str(error.value) == (
        f"{log}: sample essay-1 epoch 1: the scores are letters (A, B, C, E), and 'A' is none of "
        "Inspect's; say what each counts with options={'A': ...}"
    )
    imported = read_inspect(log, options={"A": 4, "B": 3, "C": 2, "D": 1})
    assert [d.score for r in imported.records for d in r.draws] == [4, 3, 2, None]
    assert imported.records[1].draws[1].failure == "'E' is not a number"


def test_letters_that_are_inspects_own_count_with_a_note(tmp_path):
    log = loaded(INSPECT / "letters.json")
    for sample, letter in zip(log["samples"], "CIPN", strict=True):
        sample["scores"]["letter"]["value"] = letter
    imported = read_inspect(saved(tmp_path / "x.json", log))
    assert sorted(d.score for r in imported.records for d in r.draws if d.score is not None) == [
        0,
        0.5,
        1,
    ]
    assert imported.notes[-1] == (
        "letters count as Inspect counts them (C 1, P 0.5, I 0); options= says otherwise"
    )


# promptfoo


@pytest.mark.parametrize("ending", ENDINGS)
def test_two_promptfoo_providers_of_one_id_are_no_draws_of_one_judge(ending):
    path = LOGS / "promptfoo" / f"providers.{ending}"
    with pytest.raises(RecordError, match=r"; tell them apart with a label of the provider"):
        read_scores(path)
    imported = read_scores(path, variants=["cold", "warm"], gold="vars.gold")
    found = scores(imported)
    assert found["essay-2", "cold"] == found["essay-2", "warm"] == [None]
    assert found["essay-3", "cold"] != found["essay-3", "warm"]
    assert imported.gold == {"essay-1": 7, "essay-2": 4, "essay-3": 5}
    assert imported.failures == 2
    first = imported.notes[0]
    assert first.endswith("the test has no assertions: nothing graded the answer")


def test_promptfoo_says_the_same_in_every_format():
    read = [
        scores(read_scores(LOGS / "promptfoo" / f"providers.{e}", variants=["cold", "warm"]))
        for e in ENDINGS
    ]
    assert all(found == read[0] for found in read)


def test_what_differs_between_two_promptfoo_providers_is_named():
    with pytest.raises(RecordError) as error:
        read_promptfoo(PROVIDERS)
    assert str(error.value) == (
        f"{PROVIDERS}: result 1: asks in another way than in {PROVIDERS}: result 0: "
        "config.temperature is 1 here and 0 there; tell them apart with a label of the provider in "
        "promptfoo's configuration, or with variants=[...] or prompts=[...], one name per column "
        "of the results"
    )
    with pytest.raises(RecordError, match="1 variants for more columns of results"):
        read_promptfoo(PROVIDERS, variants=["cold"])


def test_promptfoo_results_without_the_metric_are_failures():
    imported = read_promptfoo(PROVIDERS, variants=["cold", "warm"], score="short")
    assert [d.failure for r in imported.records for d in r.draws] == [
        "",
        "",
        *["the result has no metric 'short'"] * 4,
    ]
    with pytest.raises(RecordError, match=r"there is no metric 'long' \(there are \['other', 'sh"):
        read_promptfoo(PROVIDERS, variants=["cold", "warm"], score="long")


def run_again(folder: Path, change: Any = None) -> Path:
    whole = loaded(PROVIDERS)
    whole["evalId"] = "another"
    for result in whole["results"]["results"]:
        result["id"] += "2"
    if change is not None:
        change(whole)
    return saved(folder / "again.json", whole)


def test_promptfoo_evaluations_that_asked_the_same_add_up(tmp_path):
    imported = read_promptfoo(PROVIDERS, run_again(tmp_path), variants=["cold", "warm"])
    assert all(len(record.draws) == 2 for record in imported.records)
    with pytest.raises(RecordError, match=r"providers.json: the same evaluation as .*; pass one"):
        read_promptfoo(PROVIDERS, PROVIDERS, variants=["cold", "warm"])


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda w: w["config"]["providers"][0]["config"].update(top_p=0.5), "config.top_p"),
        (lambda w: w["results"]["prompts"][0].update(raw="Now {{essay}}"), "template"),
        (lambda w: w["results"]["results"][0]["prompt"].update(raw="Grade it"), "prompt"),
        (
            lambda w: w["results"]["results"][0]["prompt"].update(config={"top_p": 1}),
            "prompt.config.top_p",
        ),
        (lambda w: w["config"].update(env={"OPENAI_BASE_URL": "http://localhost:9"}), "env."),
        (
            lambda w: w["config"].update(defaultTest={"options": {"transform": "output.trim()"}}),
            "defaultTest.options.transform",
        ),
        (lambda w: w["config"].update(nunjucksFilters={"short": "short.js"}), "nunjucksFilters."),
        (lambda w: w["config"].update(extensions=["file://hook.js:extension"]), "extensions"),
        (
            lambda w: w["config"]["providers"][0].update(transform="output.trim()"),
            "transform",
        ),
    ],
    ids=[
        *("provider", "template", "prompt", "prompt's settings", "environment", "default test"),
        *("filters", "extensions", "provider's transform"),
    ],
)
def test_promptfoo_evaluations_that_asked_differently_are_refused(tmp_path, change, name):
    with pytest.raises(RecordError, match=f"asks in another way than in .*: {name}.* is "):
        read_promptfoo(PROVIDERS, run_again(tmp_path, change), variants=["cold", "warm"])


def test_promptfoo_answers_out_of_a_cache_are_said_to_be(tmp_path):
    def cache(whole):
        for result in whole["results"]["results"]:
            result["response"]["cached"] = True

    imported = read_promptfoo(run_again(tmp_path, cache), variants=["cold", "warm"])
    assert imported.notes[-1].endswith(
        "6 answers came from promptfoo's cache: they are no new draws"
    )


# DeepEval


def deepeval_run(folder: Path, name: str, **changes: Any) -> Path:
    run = loaded(LOGS / "deepeval" / "plain.json")
    for place, value in changes.items():
        put(run, tuple(int(p) if p.isdigit() else p for p in place.split("__")), value)
    return saved(folder / name, run)


def test_deepeval_runs_that_asked_the_same_add_up(tmp_path):
    imported = read_deepeval(LOGS / "deepeval" / "plain.json", deepeval_run(tmp_path, "b.json"))
    assert all(len(record.draws) == 2 for record in imported.records)


@pytest.mark.parametrize(
    ("place", "value", "name"),
    [
        ("hyperparameters__temperature", 0.2, "hyperparameters.temperature"),
        ("testCases__0__input", "Grade strictly.", "input"),
        ("testCases__0__context", ["A table."], "context"),
        ("testCases__0__expectedOutput", "9", "expectedOutput"),
        ("testCases__0__metricsData__0__strictMode", True, "metric.strictMode"),
    ],
)
def test_deepeval_runs_that_asked_differently_are_refused(tmp_path, place, value, name):
    other = deepeval_run(tmp_path, "b.json", **{place: value})
    with pytest.raises(RecordError, match=f"asks in another way than in .*: {name} is "):
        read_deepeval(LOGS / "deepeval" / "plain.json", other)
    assert (
        len(read_deepeval(LOGS / "deepeval" / "plain.json", other, prompts=["a", "b"]).records) == 6
    )


def test_numbered_deepeval_cases_of_other_data_sets_do_not_join(tmp_path):
    names = {f"testCases__{n}__name": f"test_case_{n}" for n in range(3)}
    one = deepeval_run(tmp_path, "a.json", **names)
    two = deepeval_run(
        tmp_path, "b.json", **names, testCases__0__input="Another.", identifier="strict"
    )
    with pytest.raises(RecordError, match="'test_case_0' is another test case than at"):
        read_deepeval(one, two)
    assert len(read_deepeval(one, two, item="name").records) == 6


# lm-eval


def samples_of(task: str) -> Path:
    return next((LOGS / "lm_eval").glob(f"samples_{task}_*"))


def rows_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def test_lm_eval_options_that_do_not_exist_are_the_callers_mistake():
    with pytest.raises(RecordError) as error:
        read_lm_eval(samples_of("essays_written"), filter="grade")
    assert str(error.value) == (
        "read_lm_eval has no option 'filter'; its options are prompts, variant, item, options, "
        "metric, filter_name, spec, field, gold, scale, ignore"
    )


def test_lm_eval_runs_with_other_settings_are_refused(tmp_path):
    path = samples_of("essays_written")
    rows = rows_of(path)
    for row in rows:
        row["arguments"]["gen_args_0"]["arg_1"]["top_p"] = 0.5
    other = lines(tmp_path / "essays_written.jsonl", rows)
    with pytest.raises(RecordError, match=r"generation.top_p is 0.5 here and left out there"):
        read_lm_eval(path, other, prompts=["written", "written"])
    for row in rows:
        row["arguments"]["gen_args_0"]["arg_1"] |= {"top_p": None, "temperature": 0.2}
    lines(other, rows)
    levels = read_lm_eval(path, other, prompts=["written", "written"]).levels
    assert levels["temperature"] == ("1.0", "0.2")


def mixed(task: str) -> Path:
    return next((LOGS / "lm_eval" / "mixed").glob(f"samples_{task}_*"))


@pytest.mark.parametrize(
    ("task", "metrics"),
    [("essays_likely", "perplexity, acc"), ("essays_rolling", "word_perplexity")],
)
def test_how_likely_a_text_is_is_no_score(task, metrics):
    with pytest.raises(RecordError) as error:
        read_lm_eval(mixed(task))
    assert str(error.value) == (
        f"{mixed(task)}:1: the task measures how likely a text is (loglikelihood), which is no "
        f"score; choose a metric with metric=... (there are {metrics}), or leave this file out"
    )
    assert read_lm_eval(mixed("essays_likely"), metric="acc").failures == 0


def test_tasks_with_other_filters_are_read_together():
    written, chosen = mixed("essays_filters"), samples_of("essays_plain")
    with pytest.raises(
        RecordError, match=r"choose one of the filters \['flexible', 'strict'\] with"
    ):
        read_lm_eval(written, chosen)
    imported = read_lm_eval(written, chosen, filter_name="flexible", item="doc.id")
    assert imported.levels["prompt"] == ("essays_filters", "essays_plain")
    assert imported.levels["temperature"] == ("0.7", "1.0")
    assert imported.notes == (f"{chosen}: read by its only filter, 'none'",)
    with pytest.raises(RecordError, match=r"there is no filter 'x' \(there are \['flexible', 'str"):
        read_lm_eval(written, filter_name="x")
    with pytest.raises(RecordError, match=r"there is no filter 'x' \(there is 'none' only\)"):
        read_lm_eval(chosen, filter_name="x")


def test_options_after_different_texts_are_no_distribution(tmp_path):
    row = rows_of(samples_of("essays_plain"))[0]
    row["arguments"]["gen_args_1"]["arg_0"] = "Another question:"
    with pytest.raises(RecordError, match="its options were asked after different texts"):
        read_lm_eval(lines(tmp_path / "x.jsonl", [row]))


# Names


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (1, "1", "the text '1' here and the number 1"),
        (1, 1.0, "the number 1.0 here and the number 1"),
        ("1", 1.0, "the number 1.0 here and the text '1'"),
        ("true", True, "the value true here and the text 'true'"),
        ("e1", "e1 ", "the text 'e1 ' here and the text 'e1'"),
        ([1], "[1]", "the text '[1]' here and the value [1]"),
    ],
)
def test_ids_of_two_kinds_do_not_merge(tmp_path, one, other, said):
    path = lines(tmp_path / "x.jsonl", [{"item": i, "score": 7} for i in (one, other)])
    with pytest.raises(RecordError) as error:
        read_jsonl(path)
    assert f"is {said} at {path}:1; write it in one way" in str(error.value)
    assert str(error.value).startswith(f"{path}:2: the item ")
    again = lines(tmp_path / "y.jsonl", [{"item": other, "score": 7}])
    first = lines(path, [{"item": one, "score": 7}])
    with pytest.raises(RecordError, match="write it in one way"):
        read_jsonl(first, again)


def test_inspect_ids_of_two_kinds_do_not_merge(tmp_path):
    one = another_run(tmp_path, (("samples", "id"), 1))
    two = saved(tmp_path / "two.json", loaded(one))
    for path, number in ((one, 1), (two, "1")):
        log = loaded(path)
        log["eval"] |= {"eval_id": path.name, "task_id": path.name}
        log["samples"] = [log["samples"][0] | {"id": number, "uuid": path.name}]
        saved(path, log)
    with pytest.raises(RecordError, match="the item '1' is the text '1' here and the number 1 at"):
        read_inspect(one, two)


def test_a_prompt_that_is_left_out_is_not_the_prompt_of_that_name(tmp_path):
    rows = [{"item": "a", "score": 1}, {"item": "a", "score": 1, "prompt": "prompt"}]
    path = lines(tmp_path / "x.jsonl", [rows[1], rows[0]])
    with pytest.raises(
        RecordError, match="the prompt 'prompt' is left out here and the text 'prompt'"
    ):
        read_jsonl(path)


# What a file does not say


def test_lm_eval_samples_alone_do_not_say_how_they_were_asked(tmp_path):
    """Two runs of two models write samples of one task that look alike."""
    for task, chosen in (("essays_long", {}), ("essays_plain", {"metric": "acc"})):
        first = samples_of(task)
        second = tmp_path / first.name
        second.write_bytes(first.read_bytes())
        with pytest.raises(RecordError, match=r"asks in another way than in .*: file is ") as error:
            read_lm_eval(first, second, **chosen)
        assert "tell the runs apart with variant=..., or the tasks with prompts=" in str(
            error.value
        )
        assert len(read_lm_eval(first, second, prompts=["a", "b"], **chosen).records) == 6
        drawn = read_lm_eval(first, second, ignore=["file"], **chosen)
        assert [len(record.draws) for record in drawn.records] == [2, 2, 2]


RESULTS = next((LOGS / "lm_eval").glob("results_*.json"))


@pytest.mark.parametrize(
    ("way", "new", "name"),
    [
        (("config", "model_args"), {"base_url": "http://localhost:9"}, "model_args.base_url"),
        (("config", "model_dtype"), "float16", "model_dtype"),
        (("config", "model_revision"), "v2", "model_revision"),
        (("config", "some_new_setting"), 1, "some_new_setting"),
        (("system_instruction",), "Be strict.", "system_instruction"),
        (("fewshot_as_multiturn",), True, "fewshot_as_multiturn"),
        (("versions", "essays_long"), 9, "task.version"),
        (("configs", "essays_long", "doc_to_text"), "{{essay}}!", "task.doc_to_text"),
        (("configs", "essays_long", "new"), {"top_k": 1}, "task.new.top_k"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lm_eval_results_that_asked_differently_are_refused(tmp_path, way, new, name):
    runs = []
    for day, changed in (("11-22", False), ("11-23", True)):
        whole = loaded(RESULTS)
        if changed:
            put(whole, way, new)
        runs.append(saved(tmp_path / RESULTS.name.replace("11-22", day), whole))
        samples = samples_of("essays_long")
        (tmp_path / samples.name.replace("11-22", day)).write_bytes(samples.read_bytes())
    with pytest.raises(RecordError, match=f"asks in another way than in .*: {name} is "):
        read_lm_eval(*runs)
    assert len(read_lm_eval(*runs, ignore=[name]).records) == 3


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_promptfoo_files_without_settings_do_not_add_up(tmp_path, ending):
    first = PROVIDERS.with_suffix(f".{ending}")
    rows = first.read_text("utf-8").replace('"id":"', '"id":"2')
    second = tmp_path / f"again.{ending}"
    second.write_text(rows, "utf-8")
    names = {"variants": ["cold", "warm"]}
    with pytest.raises(RecordError, match=r"asks in another way than in .*: file is "):
        read_promptfoo(first, second, **names)
    drawn = read_promptfoo(first, second, **names, ignore=["file"])
    assert all(len(record.draws) == 2 for record in drawn.records)


def test_lighteval_details_of_two_runs_are_no_draws(tmp_path):
    first = next((LOGS / "lighteval").rglob("*.parquet"))
    second = tmp_path / first.name
    second.write_bytes(first.read_bytes())
    names = {"metric": "grade", "variants": ["dummy", "dummy"]}
    with pytest.raises(RecordError, match=r"asks in another way than in .*: file is "):
        read_lighteval(first, second, **names)
    assert len(read_lighteval(first, second, **names, ignore=["file"]).records[0].draws) == 2


# What the scores measure


def test_files_scored_by_other_measures_are_not_compared(tmp_path):
    plain = LOGS / "deepeval" / "plain.json"
    run = loaded(LOGS / "deepeval" / "strict.json")
    for case in run["testCases"]:
        case["metricsData"][0]["name"] = "Length"
    other = saved(tmp_path / "strict.json", run)
    with pytest.raises(RecordError) as error:
        read_deepeval(plain, other)
    assert str(error.value) == (
        f"{other}: holds scores by 'Length', {plain} by 'Grade'; choose one with metric=..., or "
        "say that it may differ with ignore=['metric']"
    )
    assert len(read_deepeval(plain, other, ignore=["metric"]).records) == 6
    log = loaded(BASE)
    log["eval"] |= {"eval_id": "b", "task_id": "b", "task_display_name": "other"}
    for sample in log["samples"]:
        sample["uuid"] += "b"
        sample["scores"] = {"match": sample["scores"]["grade"]}
    with pytest.raises(RecordError, match=r"holds scores by 'match', .* by 'grade'; choose one wi"):
        read_inspect(BASE, saved(tmp_path / "b.json", log))


def test_two_metrics_of_one_name_are_refused(tmp_path):
    run = loaded(LOGS / "deepeval" / "plain.json")
    data = run["testCases"][1]["metricsData"]
    data.append({**data[0], "score": 0.1, "evaluationModel": "another"})
    path = saved(tmp_path / "plain.json", run)
    for chosen in ("", "Grade"):
        with pytest.raises(RecordError, match=r"test case 1: two metrics are called 'Grade'"):
            read_deepeval(path, metric=chosen)


def test_conversations_are_said_to_be_left_out(tmp_path):
    other = deepeval_run(tmp_path, "b.json", conversationalTestCases=[{"name": "talk"}])
    assert read_deepeval(other).notes == (
        f"{other}: 1 conversations are left out; test cases are read",
    )


@pytest.mark.parametrize("letter", ["C", "P", "I"])
def test_letters_beside_numbers_need_their_meaning(tmp_path, letter):
    log = loaded(BASE)
    log["samples"][0]["scores"]["grade"]["value"] = letter
    path = saved(tmp_path / "x.json", log)
    with pytest.raises(RecordError, match=rf"a number beside scores that are letters \({letter}\)"):
        read_inspect(path)
    assert read_inspect(path, options={letter: 3}).failures == 0
