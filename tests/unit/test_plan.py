"""Plans: the grid, its parts, its hashes, and what is refused with which words."""

from __future__ import annotations

import copy
import datetime
import importlib
import json
import pickle
import subprocess
import sys
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from constrained.consistency.plan import (
    Item,
    OutputFormat,
    Plan,
    Variant,
    Wording,
    cell_key,
    cell_seed,
    content_hash,
    content_hashes,
)
from constrained.consistency.records import Address
from constrained.errors import InvalidSpec, ModelError, RecordError
from constrained.spec import integer
from constrained.testing import ByteTokenizer


def plan(**changes: Any) -> Plan:
    """Two items, two prompts, two temperatures; changed as asked."""
    parts: dict[str, Any] = {
        "name": "demo",
        "spec": "Score: {score:0..10}",
        "items": [{"id": "e1", "text": "Cats purr."}, {"id": "e2", "text": "Dogs bark."}],
        "prompts": {"plain": "Grade: {text}\n", "strict": "Grade strictly: {text}\n"},
        "temperatures": (0.5, 1),
        "seed": 7,
    }
    return Plan(**{**parts, **changes})


def refused(**changes: Any) -> str:
    with pytest.raises(InvalidSpec) as caught:
        plan(**changes)
    return str(caught.value)


# -- the grid


def test_the_cells_are_the_full_product() -> None:
    made = plan(
        formats=("plain", "alpaca"),
        variants=[Variant(name="base"), Variant(name="tuned", adapter="./lora")],
    )
    wanted = {
        Address(item, prompt, layout, variant, temperature)
        for item, prompt, layout, variant, temperature in product(
            ("e1", "e2"), ("plain", "strict"), ("plain", "alpaca"), ("base", "tuned"), (0.5, 1.0)
        )
    }
    cells = list(made.cells())
    assert len(cells) == 32
    assert {cell.address for cell in cells} == wanted
    for cell in cells:
        assert cell.item.id == cell.address.item
        assert cell.prompt.name == cell.address.prompt
        assert cell.format.name == cell.address.format
        assert cell.variant.name == cell.address.variant
        assert cell.temperature == cell.address.temperature


def test_models_change_slowest_and_temperatures_fastest() -> None:
    made = plan(variants=[Variant(name="base"), Variant(name="tuned")])
    addresses = [cell.address for cell in made.cells()]
    assert [a.variant for a in addresses] == ["base"] * 8 + ["tuned"] * 8
    assert [a.temperature for a in addresses] == [0.5, 1.0] * 8


def test_a_cell_fills_its_wording_and_writes_it_in_its_format() -> None:
    made = plan(
        prompts=[Wording(name="p", text="Grade: {text}", system="Be fair to {text}")],
        formats=("vicuna",),
    )
    cell = next(made.cells())
    assert cell.text == "Grade: Cats purr."
    assert cell.system == "Be fair to Cats purr."
    assert cell.render() == "Be fair to Cats purr. USER: Grade: Cats purr. ASSISTANT:"
    assert bytes(cell.encode(ByteTokenizer())).decode() == cell.render()


def test_pairwise_judging_shows_both_orders() -> None:
    made = plan(
        spec="{first:1..10} {second:1..10}",
        scoring="pairwise",
        items=[{"id": "q1", "answer_a": "Yes.", "answer_b": "No.", "gold": [7, 3]}],
        prompts=["1: {first} 2: {second}"],
        temperatures=(1.0,),
    )
    assert [(cell.address.order, cell.text) for cell in made.cells()] == [
        ("ab", "1: Yes. 2: No."),
        ("ba", "1: No. 2: Yes."),
    ]
    assert made.score_of(made.spec_of().parse("8 7")) == (8.0, 7.0)
    assert made.support is not None
    assert len(made.support) == 100
    assert made.items[0].gold == (7.0, 3.0)


def test_a_partial_grid_keeps_what_fits_and_drops_what_is_excluded() -> None:
    grid = {
        "include": [{"item": "e1"}, {"prompt": ["strict"], "temperature": 1}],
        "exclude": [{"item": "e1", "temperature": 0.5}],
    }
    kept = {(c.address.item, c.address.prompt, c.temperature) for c in plan(grid=grid).cells()}
    assert kept == {("e1", "plain", 1.0), ("e1", "strict", 1.0), ("e2", "strict", 1.0)}


def test_a_share_of_the_grid_is_the_same_in_every_run_and_follows_the_seed() -> None:
    items = [{"id": f"e{n}", "text": "x"} for n in range(400)]
    one, same = (plan(items=items, grid={"share": 0.25}) for _ in range(2))
    addresses = {cell.address for cell in one.cells()}
    assert addresses == {cell.address for cell in same.cells()}
    assert 320 < len(addresses) < 480  # a quarter of 1600, five standard errors
    other = plan(items=items, grid={"share": 0.25}, seed=8)
    assert addresses != {cell.address for cell in other.cells()}


def test_temperatures_of_a_cell_stay_together_in_shares_and_shards() -> None:
    items = [{"id": f"e{n}", "text": "x"} for n in range(50)]
    for part in (plan(items=items, grid={"share": 0.5}), plan(items=items).shard(2, 3)):
        cells = [cell.address for cell in part.cells()]
        assert cells
        cold = {(a.item, a.prompt) for a in cells if a.temperature == 0.5}
        assert cold == {(a.item, a.prompt) for a in cells if a.temperature == 1.0}


# -- seeds and keys


def test_no_seed_is_shared_between_cells_draws_or_runs() -> None:
    items = [{"id": f"e{n}", "text": "x"} for n in range(25)]
    cells = list(plan(items=items, formats=("plain", "alpaca")).cells())
    seeds = [
        cell_seed(run, cell.address, index)
        for run in (0, 1)
        for cell in cells
        for index in range(20)
    ]
    assert len(set(seeds)) == len(seeds) == 2 * 200 * 20
    assert 0 <= min(seeds) < max(seeds) < 2**63


def test_first_random_numbers_of_the_cells_are_not_one_number() -> None:
    """What one shared seed would do: move variance between draws into an effect of the seed."""
    import numpy as np

    grid = np.array(
        [
            [
                [
                    np.random.default_rng(cell_seed(3, Address(f"e{i}", f"p{p}"), s)).normal()
                    for s in range(8)
                ]
                for p in range(6)
            ]
            for i in range(40)
        ]
    )
    # Truth: 40 x 6 x 8 independent draws of variance 1. Shared seeds give seed means of variance 1
    # and no residual; independent ones means of variance 1 / 240 and a residual of 1.
    seed_means = grid.mean(axis=(0, 1))
    assert seed_means.var(ddof=1) < 0.02
    assert 0.9 < (grid - seed_means).var(ddof=8) < 1.1
    shared = np.broadcast_to([np.random.default_rng(s).normal() for s in range(8)], grid.shape)
    assert shared.mean(axis=(0, 1)).var(ddof=1) > 0.2


def test_the_seed_of_a_cell_is_the_same_in_another_process() -> None:
    code = (
        "from constrained.consistency.plan import cell_seed\n"
        "from constrained.consistency.records import Address\n"
        "print(cell_seed(7, Address('é', 'p', temperature=1), 3))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == cell_seed(7, Address("é", "p", temperature=1.0), 3)


def keys(made: Plan) -> list[str]:
    hashes = content_hashes(made)
    return [cell_key(made, cell, hashes) for cell in made.cells()]


def test_keys_of_a_plan_are_distinct_and_repeat() -> None:
    assert len(set(keys(plan()))) == 8
    assert keys(plan()) == keys(Plan.from_json(plan().to_json()))


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": {"plain": "Grade: {text}", "strict": "Grade strictly: {text}"}},
        {"spec": "Score: {score:0..9}"},
        {"spec": {"template": "Score: {score}", "fields": {"score": {"choice": [0, 1]}}}},
        {"formats": ("alpaca",)},
        {"variants": [Variant(name="model", dtype="float32")]},
        {"variants": [Variant(name="model", quantisation="8bit")]},
        {"variants": [Variant(name="model", model="other")]},
        {"temperatures": (0.6, 1.1)},
        {"scoring": {"kind": "sampled", "draws": 3}},
        {"scoring": "mode", "temperatures": (1,)},
    ],
)
def test_what_decides_a_value_changes_its_key_and_the_digest(change: dict[str, Any]) -> None:
    assert not set(keys(plan())) & set(keys(plan(**change)))
    assert plan().digest != plan(**change).digest


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"pass_mark": 5},
        {"scale": "0..10"},
        {"gates": {"max_sem": 0.5}},
        {"variants": [Variant(name="model", device="cuda")]},
    ],
)
def test_what_only_the_report_needs_changes_neither(change: dict[str, Any]) -> None:
    assert keys(plan()) == keys(plan(**change))
    assert plan().digest == plan(**change).digest


def test_arguments_of_a_chat_template_decide_the_values_of_its_cells_only() -> None:
    def switched(**more: Any) -> Plan:
        variant = Variant(name="model", chat_template_kwargs={"enable_thinking": False})
        return plan(variants=[variant], **more)

    both = {"formats": ("plain", "template")}
    old, new = keys(plan(**both)), keys(switched(**both))
    assert sum(a == b for a, b in zip(old, new, strict=True)) == len(old) / 2
    assert plan(**both).digest != switched(**both).digest
    assert Plan.from_json(switched(**both).to_json()) == switched(**both)
    with pytest.raises(InvalidSpec) as caught:
        switched()
    assert str(caught.value) == (
        "at variants[0].chat_template_kwargs: variant 'model' has arguments for a chat template, "
        "and no prompt goes through one (write formats: [template], or leave them out)"
    )
    with pytest.raises(InvalidSpec, match="cannot be written as JSON"):
        plan(variants=[{"name": "model", "chat_template_kwargs": {"when": {1, 2}}}])


def test_stores_from_before_there_were_arguments_are_found_again() -> None:
    formats = ["plain", "alpaca", "chatml", "chatglm"]
    old = Plan(name="d", spec="{s:0..1}", items=[{"id": "a"}], prompts=["Grade."], formats=formats)
    assert old.digest.startswith("20fad450a1524e1a")
    assert [key[:16] for key in keys(old)] == [
        "862dfba83d49aa72",
        "5e07e70d082bfd0b",
        "e20ac981ae98844f",
        "e4861d0cba966049",
    ]


def test_the_seed_counts_where_texts_are_drawn() -> None:
    drawn = {"scoring": {"kind": "sampled", "draws": 3}}
    assert keys(plan(seed=1)) == keys(plan(seed=2))
    assert not set(keys(plan(seed=1, **drawn))) & set(keys(plan(seed=2, **drawn)))


def test_weights_that_change_change_the_hash(tmp_path: Any) -> None:
    folder = tmp_path / "lora"
    folder.mkdir()
    with pytest.raises(ModelError, match="the folder has no file of a model"):
        content_hash(str(folder))
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"one")
    (folder / "README.md").write_text("a note")
    before = content_hash(str(folder))
    (folder / "README.md").write_text("another note")
    assert content_hash(str(folder)) == before
    made = plan(variants=[Variant(name="model", adapter=str(folder))])
    old = keys(made)
    (folder / "adapter_model.safetensors").write_bytes(b"two")
    assert content_hash(str(folder)) != before
    assert not set(old) & set(keys(made))


# -- storing


def test_a_plan_is_the_same_after_json() -> None:
    made = plan(
        spec={"choice": {"good": 2, "bad": 0.5}},
        scoring={"kind": "sampled", "draws": 3, "top_p": 0.9},
        scale="0..2 step 0.5",
        pass_mark=1,
        gates={"max_sem": 0.5, "max_gate_risk": {"bound": 0.05, "at": 0.8}},
        grid={"include": [{"item": ["e1", "e2"]}], "share": 0.5},
    )
    again = Plan.from_json(made.to_json())
    assert again == made
    assert again.digest == made.digest
    assert again.to_json() == made.to_json()
    assert again.scale == (0.0, 0.5, 1.0, 1.5, 2.0)
    assert made.shard(1, 2) == Plan.from_json(made.shard(1, 2).to_json())


def test_a_shard_has_the_digest_of_its_plan() -> None:
    assert plan().shard(1, 2).digest == plan().digest
    with pytest.raises(InvalidSpec, match=r"^the plan is shard 1 of 2 already$"):
        plan().shard(1, 2).shard(1, 2)
    with pytest.raises(InvalidSpec, match=r"there is no shard 3 of 2"):
        plan().shard(3, 2)


def test_a_damaged_plan_is_a_record_error() -> None:
    for text in ("", "{", '{"name": "x"}', plan().to_json()[:-20]):
        with pytest.raises(RecordError, match=r"^the stored plan cannot be read"):
            Plan.from_json(text)


def test_a_plan_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        plan().seed = 3  # type: ignore[misc]


# -- output formats and scores


@pytest.mark.parametrize(
    ("said", "text", "score"),
    [
        ("range:0..10", "10", 10),
        ({"range": "0..5 step 0.5"}, "4.5", 4.5),
        ("integer:0..10", "10", 10),
        ("number:0..5 step 0.5", "4.5", 4.5),
        (range(0, 11, 5), "5", 5),
        ({"choice": {"good": 2, "bad": 0}}, "good", 2),
        ("choice:1|2", "1", 1),
        ("choice:1|two", "1", None),
        ({"likert": ["poor", "fair", "good"]}, "fair", 2),
        ({"regex": "[0-9]"}, "7", None),
        ({"template": "{score:1..6}/6"}, "5/6", 5),
        (
            {"template": "{score} because {n:1..2}", "fields": {"score": {"range": "1..6"}}},
            "3 because 1",
            3,
        ),
        (
            {
                "schema": {
                    "type": "object",
                    "properties": {"score": {"enum": [1, 2]}},
                    "required": ["score"],
                    "additionalProperties": False,
                }
            },
            '{"score": 2}',
            2,
        ),
    ],
)
def test_formats_say_which_outputs_have_which_scores(said: Any, text: str, score: Any) -> None:
    if score is None:
        with pytest.raises(InvalidSpec, match="has no score"):
            plan(spec=said)
        return
    whitespace = isinstance(said, dict) and "schema" in said
    made = plan(
        spec=said,
        score="score" if "score" in str(said) and "{n:" in str(said) else "",
        scoring={"kind": "sampled", "draws": 2} if whitespace else "exact",
    )
    assert made.score_of(made.spec_of().parse(text)) == score


def test_the_scores_of_a_format_are_listed() -> None:
    assert plan().support == tuple(range(11))
    assert plan(spec={"choice": {"good": 2, "fine": 2, "bad": 0}}).support == (0, 2)
    assert OutputFormat.model_validate("range:0..3").spec.source == integer(0, 3).source


def test_refusals_name_place_and_remedy() -> None:
    assert refused(colour="red") == (
        "at colour: there is no key 'colour' here (known: name, spec, items, prompts, formats, "
        "variants, temperatures, rooms, scoring, score, seed, pass_mark, scale, gates, grid, part)"
    )
    assert refused(temperatures=[0]) == (
        "at temperatures: temperature 0 is not above 0 (for what temperature 0 would say, write "
        "scoring: mode)"
    )
    assert refused(scoring="mode") == (
        "at temperatures: the likeliest output is the same at every temperature (leave "
        "temperatures out, or score otherwise than by mode)"
    )
    assert refused(formats=["alpacca"]) == (
        "at formats: there is no prompt format 'alpacca' (did you mean 'alpaca'? known are plain, "
        "alpaca, guanaco, chatml, chatglm, vicuna, llava, template)"
    )
    assert refused(prompts=["Grade: {essay}"]) == (
        "at prompts[0]: prompt 'p1' uses {essay}, which item 'e1' does not have (its "
        "fields: text; write {{ and }} for braces in the text)"
    )
    assert refused(items=[{"id": "e1", "text": "x"}, {"id": "e1", "text": "y"}]) == (
        "at items: item 'e1' appears twice"
    )
    assert refused(grid={"exclude": [{"prompt": "strikt"}]}) == (
        "at grid.exclude[0]: there is no prompt 'strikt'; did you mean 'strict'?"
    )
    assert refused(grid={"include": [{"promt": "strict"}]}) == (
        "at grid.include[0]: there is no facet 'promt'; did you mean 'prompt'?"
    )
    assert refused(variants=[{"name": "a", "dtipe": "float32"}]) == (
        "at variants[0].dtipe: there is no key 'dtipe' here (did you mean 'dtype'?)"
    )
    assert refused(scoring={"kind": "sampled"}) == (
        "at scoring: sampled scoring needs a number of draws (write draws: 10)"
    )
    assert refused(scoring={"kind": "mode", "free": False}) == (
        "at scoring: mode scoring asks nothing of the free model (leave free out)"
    )
    assert refused(spec="just words").startswith(
        "at spec: 'just words' does not say what kind of format it is (write one of template, "
    )
    assert refused(spec={"templat": "x"}) == (
        "at spec: there is no output format 'templat' (did you mean 'template'?)"
    )
    assert refused(spec={"choice": ["good", "bad"]}) == (
        "at score: the output 'bad' has no score: 'bad' holds no number (name the field that is "
        "the score, or give choices scores: {good: 2, bad: 0})"
    )
    assert refused(spec="{style:1..2} {content:1..2}") == (
        "at score: the output '1 1' holds two scores, and one is wanted (name the field that is "
        "the score, or write scoring: pairwise)"
    )
    assert refused(seed=-1) == "at seed: input should be greater than or equal to 0, not -1"


def test_infinitely_many_outputs_cannot_be_scored_exactly() -> None:
    said = {"template": "{why:/[a-z ]+/}: {score:0..10}"}
    assert refused(spec=said).endswith(
        "so scoring cannot be exact (write kind: reasoned (or sampled) and draws: 10)"
    )
    made = plan(spec=said, scoring={"kind": "reasoned", "draws": 4})
    assert made.support is None
    assert made.score_of(made.spec_of().parse("short: 7")) == 7


def test_pairs_are_checked() -> None:
    assert refused(scoring="pairwise", spec="{first:1..2} {second:1..2}") == (
        "at prompts[0]: prompt 'plain' does not show both answers that are compared "
        "(use {first} and {second})"
    )
    prompts = ["{first} {second}"]
    assert refused(scoring="pairwise", spec="{a:1..2} {b:1..2}", prompts=prompts) == (
        "at items[0]: item 'e1' has no answer 'answer_a' to compare (its fields: text)"
    )
    items = [{"id": "q", "answer_a": "x", "answer_b": "y"}]
    assert refused(scoring="pairwise", prompts=prompts, items=items) == (
        "at spec: the output 'Score: 0' holds one score, and two answers are compared (write a "
        "format with two numbers, such as {first:1..10} {second:1..10})"
    )


def test_braces_of_a_wording_are_fields_by_plain_name_only() -> None:
    for text in ("{text.__class__}", "{text!r}", "{text:>9}", "{0}", "{}"):
        with pytest.raises(InvalidSpec, match="only a name may stand between braces"):
            plan(prompts=[text])
    with pytest.raises(InvalidSpec, match="do not match"):
        plan(prompts=["{text"])
    assert Wording(name="p", text="{{x}} {text}").fill({"text": "{y}"}) == "{x} {y}"


def test_items_keep_what_they_are_given() -> None:
    assert Item.model_validate({"id": 7, "text": "x", "gold": 3}) == Item(
        id="7", fields={"text": "x"}, gold=3.0
    )
    stored = json.loads(plan().to_json())["items"][0]
    assert stored == {"id": "e1", "fields": {"text": "Cats purr."}, "gold": None}


def test_gates_are_those_that_an_analysis_knows() -> None:
    from constrained.consistency.analysis import GATES
    from constrained.consistency.bounds import GATE_RANGES

    assert set(GATE_RANGES) == set(GATES)
    assert refused(gates={"max_semm": 1}) == (
        "at gates[0]: there is no gate 'max_semm' (did you mean 'max_sem'?)"
    )


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (
            {"max_flip_rate": 5},
            "at gates[0]: the bound of max_flip_rate is 5 (0 to 1; 5 % is 0.05)",
        ),
        ({"max_sem": -1}, "at gates[0]: the bound of max_sem is -1 (points, 0 or more)"),
        ({"min_kappa": 1.1}, "at gates[0]: the bound of min_kappa is 1.1 (-1 to 1)"),
        (
            {"max_sem": 1, "max_gate_risk": 0.1},
            "at gates[1]: max_gate_risk needs a pass rate (max_gate_risk is the chance to fall "
            "below a pass rate: give it as `at`)",
        ),
        (
            {"max_sem": {"bound": 1, "judge": "modle"}},
            "at gates[0].judge: there is no variant 'modle'; did you mean 'model'?",
        ),
    ],
)
def test_a_gate_that_decides_nothing_is_refused_before_the_run(gates: Any, message: str) -> None:
    assert refused(gates=gates) == message


def test_a_gate_may_be_for_a_variant_at_a_temperature() -> None:
    gates = {"max_sem": {"bound": 1, "judge": "model, T=0.7"}}
    assert plan(gates=gates, temperatures=[0.7, 1.0]).gates[0].judge == "model, T=0.7"


@pytest.mark.parametrize(("mark", "which"), [(11, "no"), (10.5, "no"), (0, "every"), (-1, "every")])
def test_a_pass_mark_that_decides_nothing_is_refused(mark: float, which: str) -> None:
    assert refused(pass_mark=mark) == (
        f"at pass_mark: {which} score reaches the pass mark {mark:g} "
        "(the scores are 0 to 10; leave it out for none)"
    )
    assert plan(pass_mark=10).pass_mark == 10
    assert plan(pass_mark=0.5).pass_mark == 0.5
    assert plan(pass_mark=11, scale="0..12").pass_mark == 11


def test_a_plan_without_a_cell_is_refused_and_a_shard_without_one_is_not() -> None:
    assert refused(grid={"exclude": [{"format": "plain"}]}) == (
        "at grid: no cell is left (leave fewer of them out)"
    )
    few = plan(grid={"include": [{"item": "e1", "prompt": "plain"}]})
    cells = len(list(few.cells()))
    parts = [len(list(few.shard(i, 50).cells())) for i in range(1, 51)]
    assert sum(parts) == cells
    assert 0 in parts


def test_variants_may_be_named_like_prompts() -> None:
    made = plan(variants={"base": "smollm2", "tuned": {"adapter": "./lora"}})
    assert made.variants == (Variant(name="base"), Variant(name="tuned", adapter="./lora"))


def test_a_plan_needs_no_model_library() -> None:
    heavy = ("torch", "transformers", "yaml", "scipy", "pyarrow", "pandas", "jinja2", "ray")
    code = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in heavy)
    code += "from constrained.consistency.plan import Plan, estimate\n"
    code += f"plan = Plan.from_json({plan().to_json()!r})\nprint(estimate(plan).cells)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("8\n", "")


def test_plans_and_cells_travel_to_other_processes() -> None:
    made = plan()
    cells = list(made.cells())
    assert made.support
    assert made.spec_of().matches("Score: 7")
    again, travelled = pickle.loads(pickle.dumps((made, cells)))
    assert again == made
    assert travelled == cells
    assert again.spec_of().matches("Score: 7")
    assert copy.deepcopy(made).digest == made.digest


def test_what_is_stored_is_what_is_asked() -> None:
    fields = {
        "date": datetime.date(2026, 11, 22),
        "mark": Decimal("7.50"),
        "tags": ("a", 1),
        "whole": 7.0,
        "true": True,
        "gone": float("nan"),
    }
    prompts = ["{date} {mark} {tags} {whole} {true}"]
    made = plan(items=[{"id": "e1", **fields}], prompts=prompts)
    again = Plan.from_json(made.to_json())
    assert again == made
    assert next(made.cells()).text == '2026-11-22 7.50 ["a", 1] 7.0 true'
    assert keys(again) == keys(made)
    assert refused(items=[{"id": "e1", "text": float("nan")}], prompts=["{text}"]) == (
        "at prompts[0]: prompt 'p1' uses {text}, which item 'e1' does not have (its fields: none; "
        "write {{ and }} for braces in the text)"
    )


def test_what_cannot_be_stored_is_refused() -> None:
    assert refused(items=[{"id": "e1", "text": "half \ud83d"}]) == (
        "at items[0].fields: a text holds half a character (a lone surrogate) at 5 (mend the "
        "encoding of the file)"
    )
    assert refused(items=[{"id": "e1", "text": b"bytes"}]) == (
        "at items[0].fields: a field holds bytes, not text (decode them first)"
    )
    assert refused(spec={"choice": [Decimal("0.5")]}) == (
        "at spec.value: [Decimal('0.5')] cannot be written as JSON (write texts, numbers, lists "
        "and mappings, so that the plan can be stored)"
    )


GRADING = """\
from typing import Literal

from pydantic import BaseModel


class Grade(BaseModel):
    passed: bool
    score: Literal[1, 2, 3]
"""


def test_a_pydantic_model_is_named_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "grading_of_a_test.py"
    file.write_text(GRADING)
    monkeypatch.syspath_prepend(tmp_path)
    said = {"pydantic": "grading_of_a_test:Grade"}
    scoring = {"kind": "sampled", "draws": 1}
    made = plan(spec=said, scoring=scoring, score="score")
    grade = made.spec_of().parse('{"passed": true, "score": 2}')
    assert type(grade).__name__ == "Grade"
    assert made.score_of(grade) == 2
    stored = made.to_json()
    # A report opens the plan where the module is not installed, or was changed since.
    for change in (file.unlink, lambda: file.write_text(GRADING.replace("1, 2, 3", "1, 2"))):
        change()
        monkeypatch.delitem(sys.modules, "grading_of_a_test", raising=False)
        importlib.invalidate_caches()
        again = Plan.from_json(stored)
        assert (again.digest, again.levels) == (made.digest, made.levels)
        with pytest.raises(InvalidSpec) as caught:
            again.spec_of()
    assert str(caught.value) == (
        "grading_of_a_test:Grade is not the model that it was when the plan was made (make the "
        "plan again, or go back to the code of then)"
    )
    assert refused(spec={"pydantic": "grading_of_a_test:Mark"}) == (
        "at spec: 'grading_of_a_test:Mark' cannot be imported: module 'grading_of_a_test' has no "
        "attribute 'Mark' (write package.module:Model; the module has to be importable where the "
        "plan runs)"
    )
    assert refused(spec={"pydantic": "threading:Thread"}).startswith("at spec: ")
    assert refused(spec={"pydantic": "Grade"}).startswith("at spec: 'Grade' does not name a class")
    assert refused(spec={"pydantic": "json:loads"}).startswith("at spec: 'json:loads' is no class")


def test_texts_stand_beside_the_score() -> None:
    fields = {
        "code": {"regex": "[A-Z]{2}"},
        "why": {"text": 5},
        "tone": {"grammar": 'start: "warm" | "cold"'},
        "quote": {"substring": "I like phones."},
        "score": {"range": "1..3"},
    }
    said = {"template": "{code} {tone}: {score} ({why}) {quote}", "fields": fields}
    made = plan(spec=said, score="score", scoring={"kind": "sampled", "draws": 1})
    assert made.score_of(made.spec_of().parse("AB warm: 3 (short) like")) == 3
