"""Plan files: what YAML says, where files are looked up, and errors with file, line and key."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from constrained.consistency.plan import (
    Plan,
    Scoring,
    Selection,
    Variant,
    Wording,
    parse_plan,
    read_plan,
)
from constrained.consistency.plan.yaml_text import YamlText
from constrained.errors import InvalidSpec, MissingPackage, RecordError

PARTS = (Plan, Scoring, Selection, Variant, Wording)

WHOLE = """\
name: essays
spec:
  template: "Essay score: {score} / 10"
  fields:
    score: {range: 0..10}
score: score
items: {file: essays.jsonl, id: essay, gold: teacher, limit: 2}
prompts:
  short: "Grade: {text}"
  strict: {file: strict.txt, system: Be strict.}
formats: [vicuna, alpaca]
variants:
  - {name: base, model: smollm2, dtype: float32}
  - {name: tuned, adapter: ./lora}
temperatures: [0.7, 1]
scoring: {kind: sampled, draws: 3}
seed: 11
pass_mark: 6
scale: 0..10
gates:
  max_sem: 0.5
  max_gate_risk: {bound: 0.05, at: 0.8}
grid:
  exclude:
    - {variant: tuned, prompt: short}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "essays.jsonl").write_text(
        '{"essay": "e1", "text": "Cats purr.", "teacher": 7}\n'
        '{"essay": "e2", "text": "Dogs bark.", "teacher": null}\n'
        '{"essay": "e3", "text": "Fish swim.", "teacher": 3}\n'
    )
    (tmp_path / "strict.txt").write_text("Grade strictly: {text}")
    (tmp_path / "plan.yaml").write_text(WHOLE)
    return tmp_path


def test_a_file_says_the_same_as_python(folder: Path) -> None:
    made = read_plan(folder / "plan.yaml")
    assert made == Plan(
        name="essays",
        spec={"template": "Essay score: {score} / 10", "fields": {"score": range(11)}},
        score="score",
        items=[
            {"id": "e1", "text": "Cats purr.", "gold": 7},
            {"id": "e2", "text": "Dogs bark."},
        ],
        prompts=[
            {"name": "short", "text": "Grade: {text}"},
            {"name": "strict", "text": "Grade strictly: {text}", "system": "Be strict."},
        ],
        formats=("vicuna", "alpaca"),
        variants=[
            {"name": "base", "dtype": "float32"},
            {"name": "tuned", "adapter": f"{folder}/lora"},
        ],
        temperatures=(0.7, 1.0),
        scoring={"kind": "sampled", "draws": 3},
        seed=11,
        pass_mark=6,
        scale=range(11),
        gates=[
            {"name": "max_sem", "bound": 0.5},
            {"name": "max_gate_risk", "bound": 0.05, "at": 0.8},
        ],
        grid={"exclude": [{"variant": ["tuned"], "prompt": ["short"]}]},
    )
    assert len(list(made.cells())) == 2 * 2 * 2 * (2 + 1)


def test_a_plan_without_a_name_is_called_after_its_file(folder: Path) -> None:
    short = "spec: 'range:0..1'\nitems: essays.jsonl\nprompts: ['{text}']\n"
    (folder / "week 3.yaml").write_text(short.replace("essays.jsonl", "e.csv"))
    (folder / "e.csv").write_text("id,text\n1,x\n")
    made = read_plan(folder / "week 3.yaml")
    assert made.name == "week 3"
    assert [item.id for item in made.items] == ["1"]


def test_paths_are_seen_from_the_plans_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    relative = read_plan(Path(folder.name) / "plan.yaml")
    assert relative.variants[1].adapter == f"./{folder.name}/lora"
    monkeypatch.chdir(folder)
    here = read_plan("plan.yaml")
    assert here.variants[1].adapter == "./lora"
    assert here.variants[0].model == "smollm2"


def test_schemas_grammars_and_texts_may_be_in_files(folder: Path) -> None:
    (folder / "s.json").write_text('{"enum": [1, 2, 3]}')
    rest = "items: [{id: a}]\nprompts: [Grade.]\n"
    for said in ("{schema: s.json}", "{schema: {file: s.json}}", "{schema: {enum: [1, 2, 3]}}"):
        assert parse_plan(f"spec: {said}\n{rest}", folder=folder).support == (1, 2, 3)
    (folder / "g.lark").write_text('start: "1" | "2"')
    (folder / "bad.json").write_text("{")
    assert place_of(f"spec: {{schema: bad.json}}\n{rest}", folder) == (
        "at plan.yaml:1:8 (spec.schema): bad.json:1:2 is not JSON: Expecting property name "
        "enclosed in double quotes"
    )
    assert place_of(f"spec: {{grammar: {{file: no.lark}}}}\n{rest}", folder) == (
        "at plan.yaml:1:8 (spec.grammar): cannot read no.lark: No such file or directory"
    )
    (folder / "a.txt").write_text("to be")
    written = "{template: '{s:1..3} {q}', fields: {q: {substring: {file: a.txt}}}}"
    plan = parse_plan(f"spec: {written}\n{rest}", folder=folder)
    assert plan.spec_of().parse("2 o b") == {"s": 2, "q": "o b"}


def place_of(text: str, folder: Path | str = ".") -> str:
    with pytest.raises(InvalidSpec) as caught:
        parse_plan(dedent(text), folder=folder)
    return str(caught.value)


GOOD = """\
spec: "{score:0..10}"
items:
  - {id: e1, text: Cats purr.}
  - {id: e2, text: Dogs bark.}
prompts:
  short: "Grade: {text}"
  long: "Please grade: {text}"
variants:
  - name: base
    dtype: float32
temperatures: [0.5, 1.0]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dtype: float32",
            "dtipe: float32",
            "at plan.yaml:10:5 (variants[0].dtipe): there is no key 'dtipe' here (did you mean "
            "'dtype'?)",
        ),
        (
            "temperatures",
            "temprature",
            "at plan.yaml:11:1 (temprature): there is no key 'temprature' here (did you mean "
            "'temperatures'?)",
        ),
        (
            "1.0]",
            "warm]",
            "at plan.yaml:11:21 (temperatures[1]): there should be a number here, not 'warm'",
        ),
        (
            "1.0]",
            "0]",
            "at plan.yaml:11:1 (temperatures): temperature 0 is not above 0 (for what temperature "
            "0 would say, write scoring: mode)",
        ),
        (
            "Please grade: {text}",
            "Please grade: {essay}",
            "at plan.yaml:7:3 (prompts.long): prompt 'long' uses {essay}, which item 'e1' does not "
            "have (its fields: text; write {{ and }} for braces in the text)",
        ),
        (
            "Please grade: {text}",
            "Please grade: {text",
            "at plan.yaml:7:3 (prompts.long): the braces of 'Please grade: {text' do not match: "
            "expected '}' before end of string (write {{ and }} for braces in the text)",
        ),
        (
            "id: e2",
            "id: e1",
            "at plan.yaml:2:1 (items): item 'e1' appears twice",
        ),
        (
            "id: e2, text",
            "text",
            "at plan.yaml:4:5 (items[1]): the key 'id' is missing",
        ),
        (
            '"{score:0..10}"',
            '"{score:zero}"',
            "at plan.yaml:1:1 (spec): at 1:1: hole 'score': cannot read 'zero'",
        ),
        (
            "spec:",
            "# spec:",
            "at plan.yaml:2:1: the key 'spec' is missing",
        ),
        (
            "  short:",
            "  long:",
            "at plan.yaml:7:3: the key 'long' appears twice",
        ),
        (
            "[0.5, 1.0]",
            "[0.5, 1.0",
            "at plan.yaml:12:1: this is not YAML: expected ',' or ']', but got '<stream end>'",
        ),
        (
            "  - name: base",
            "  - name: !!python/name:os.system base",
            "at plan.yaml:9:11: the tag 'tag:yaml.org,2002:python/name:os.system' is not read in a "
            "plan",
        ),
        (
            "  - name: base",
            "  - &loop\n    again: *loop\n    name: base",
            "at plan.yaml:9:5: an alias leads back to what it is a part of",
        ),
        (
            "temperatures: [0.5, 1.0]",
            "part: [1, 2]",
            "at plan.yaml:11:1 (part): a plan file is the whole plan (use --shard 1/4)",
        ),
        (
            "temperatures: [0.5, 1.0]",
            "grid: {exclude: [{prompt: short}, {prompt: lang}]}",
            "at plan.yaml:11:35 (grid.exclude[1]): there is no prompt 'lang'; did you mean 'long'?",
        ),
        (
            "temperatures: [0.5, 1.0]",
            "gates: {max_sem: low}",
            "at plan.yaml:11:9 (gates.max_sem): there should be a number here, not 'low'",
        ),
        (
            "temperatures: [0.5, 1.0]",
            "formats: plain",
            "at plan.yaml:11:1 (formats): there should be a list here, not 'plain'",
        ),
        (
            "temperatures: [0.5, 1.0]",
            "formats: []",
            "at plan.yaml:11:1 (formats): there is nothing in it",
        ),
        (
            "temperatures: [0.5, 1.0]",
            "seed: 1.5",
            "at plan.yaml:11:1 (seed): there should be a whole number here, not 1.5",
        ),
        (
            "temperatures: [0.5, 1.0]",
            "gates: {max_flip_rate: 5}",
            "at plan.yaml:11:9 (gates.max_flip_rate): the bound of max_flip_rate is 5 (0 to 1; "
            "5 % is 0.05)",
        ),
    ],
)
def test_a_mistake_is_named_with_line_column_and_key(old: str, new: str, message: str) -> None:
    assert parse_plan(GOOD).name == "plan"
    assert GOOD.count(old) == 1
    assert place_of(GOOD.replace(old, new)).startswith(message)


def test_a_plan_that_is_no_mapping_is_refused(folder: Path) -> None:
    assert place_of("") == "at plan.yaml: the file is empty"
    assert place_of("- a\n- b\n") == (
        "at plan.yaml:1:1: a plan is made of keys and values, such as items: essays.jsonl"
    )
    with pytest.raises(InvalidSpec) as caught:
        read_plan("no such plan.yaml")
    assert str(caught.value) == (
        "at no such plan.yaml: cannot read the plan: No such file or directory"
    )
    (folder / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(InvalidSpec) as caught:
        read_plan(folder / "latin.yaml")
    assert str(caught.value) == (
        f"at {folder / 'latin.yaml'}: the plan is not UTF-8 text "
        "(a plan is a YAML file; stores of results are read by report, compare and gate)"
    )


def test_mistakes_around_item_files_are_named(folder: Path) -> None:
    rest = "spec: 'range:0..1'\nprompts: ['{text}']\n"
    assert place_of(f"{rest}items: {{flie: essays.jsonl}}\n", folder) == (
        "at plan.yaml:3:9 (items.flie): there is no key 'flie' here (did you mean 'file'?)"
    )
    assert place_of(f"{rest}items: {{id: essay}}\n", folder) == (
        "at plan.yaml:3:1 (items): the key 'file' is missing (write items: essays.jsonl, or a list "
        "of items)"
    )
    assert place_of(f"{rest}items: {{file: essays.jsonl, limit: 0}}\n", folder) == (
        "at plan.yaml:3:29 (items.limit): 0 is no number of items"
    )
    with pytest.raises(RecordError, match=r"essays\.jsonl:1: there is no 'id'"):
        parse_plan(f"{rest}items: essays.jsonl\n", folder=folder)
    assert place_of(
        f"{rest}items: {{file: essays.jsonl, id: essay}}\n".replace("text", "txt"), folder
    ) == (
        "at plan.yaml:2:11 (prompts[0]): prompt 'p1' uses {txt}, which item 'e1' does not have "
        "(its fields: teacher, text; write {{ and }} for braces in the text)"
    )


def test_words_are_words_and_numbers_are_decimal() -> None:
    """Where PyYAML's YAML 1.1 would change what was written."""
    text = dedent(
        """\
        words: [no, yes, on, off, NO, 1:30, 2026-11-22, 1_000, 0x1F, null, ~, true]
        numbers: [010, 1e-3, .5, -2, +7, 1., .inf]
        no: {yes: 1, 1: 2}
        """
    )
    assert YamlText.read(text, "x").value == {
        "words": [
            *("no", "yes", "on", "off", "NO", "1:30", "2026-11-22", "1_000", "0x1F"),
            *(None, None, True),
        ],
        "numbers": [10, 0.001, 0.5, -2, 7, 1.0, float("inf")],
        "no": {"yes": 1, "1": 2},
    }
    assert yaml.safe_load(text)["words"][0] is False  # what is avoided


def test_everything_else_is_read_as_pyyaml_reads_it() -> None:
    text = WHOLE + "extra: |\n  two\n  lines\nmore: >\n  folded\n  text\nlist:\n- &a {x: 1}\n- *a\n"
    assert YamlText.read(text, "x").value == yaml.safe_load(text)


def test_shared_aliases_cost_no_more_than_what_is_written() -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert len(YamlText.read("\n".join(lines), "x").value) == 60


def test_without_pyyaml_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from constrained.consistency.plan import yaml_text

    monkeypatch.setitem(sys.modules, "yaml", None)
    yaml_text._loader.cache_clear()
    with pytest.raises(MissingPackage) as caught:
        parse_plan(GOOD)
    assert str(caught.value) == (
        "reading a plan from YAML needs the package pyyaml (run: pip install scipy pyyaml jinja2; "
        "in a clone: scripts/install consistency)"
    )


def test_options_of_variants_are_checked_together() -> None:
    text = GOOD.replace("dtype: float32", "endpoint: http://localhost:8000/v1\n    adapter: x")
    assert place_of(text) == (
        "at plan.yaml:9:5 (variants[0]): variant 'base' is scored by a server, which chooses "
        "adapter and quantisation itself (leave them out, and name the server's model)"
    )


def test_the_page_about_plans_names_every_key(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "plan.md").read_text("utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    (folder / "shown.yaml").write_text(example)
    made = read_plan(folder / "shown.yaml")
    assert [item.gold for item in made.items] == [7.0, None, 3.0]
    assert len(list(made.cells())) == 3 * 2 * 2 * (1 + 2)
    keys = {name for part in PARTS for name in part.model_fields} - {"part", "fields", "value"}
    assert {key for key in keys if f"`{key}" not in page} == set()
