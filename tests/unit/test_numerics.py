"""Numerics as a facet: the same cells in several numerical rooms."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch

from constrained import Generator
from constrained.consistency.analysis import Analysis, analyse, analyse_arrays, check
from constrained.consistency.plan import Plan, Variant, cell_key, content_hashes
from constrained.consistency.records import Address, Arithmetic, CellRecord
from constrained.consistency.report.json import from_json, to_json
from constrained.consistency.report.markdown import to_markdown
from constrained.consistency.run import run
from constrained.consistency.scoring import LoadedModels, ModelScorer, tasks_of
from constrained.consistency.store import Store, merge
from constrained.errors import GenerationError, InvalidSpec
from constrained.models.loading import quiet_libraries
from constrained.spec import integer
from tests import tiny

DIGEST = "ae75ed3b558604caa08c8ff1fe60c937b8b6c2267eb19a4e9195ffb35e5842cd"
KEY = "8a35400627f16930aebf66e1230afd52525c7bfa0f199c7ea97042a8ddf37f44"

ROOMS = {"dtype": ["float32", "bfloat16"], "batch": [1, 3]}


def plan_of(**changes: Any) -> Plan:
    said = {
        "name": "t",
        "spec": "Score: {score:0..10}",
        "items": [{"id": f"e{n}", "text": "Cats purr. " * (2 * n + 1)} for n in range(4)],
        "prompts": {"kind": "Grade: {text}\n", "strict": "Grade strictly: {text}\n"},
    }
    return Plan(**{**said, **changes})


# --- the plan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rooms": {"dtype": ["float31"]}},
            "at rooms.dtype: there is no dtype 'float31' to compute in (did you mean 'float32'?)",
        ),
        (
            {"rooms": {"dtype": "int8"}},
            "at rooms.dtype: there is no dtype 'int8' to compute in (known: float32, float16, "
            "bfloat16, float64)",
        ),
        (
            {"rooms": {"batch": [1, 0]}},
            "at rooms.batch: a batch of 0 is not between 1 and 256 (write batch: [1, 8])",
        ),
        (
            {"rooms": {"dtype": ["float32", "float32"]}},
            "at rooms.dtype: a numerical room is named twice (name each value once)",
        ),
        (
            {"rooms": {"adapter": ["merged", "apart"]}},
            "at rooms.adapter: variant 'model' has no adapter to merge (leave adapter out of "
            "rooms, or the variant out of this plan)",
        ),
        (
            {
                "rooms": {"adapter": ["merged"]},
                "variants": [{"name": "q", "adapter": "./a", "quantisation": "8bit"}],
            },
            "at rooms.adapter: variant 'q' has packed weights, into which no adapter is merged "
            "(leave quantisation or merged out)",
        ),
        (
            {
                "rooms": {"batch": [8]},
                "variants": [{"name": "api", "endpoint": "http://127.0.0.1:1/v1"}],
            },
            "at rooms: variant 'api' is scored by a server, which chooses its arithmetic itself "
            "(leave rooms out, or make a plan of its own for the models that run here)",
        ),
        (
            {"rooms": {"batch": [1, 8]}, "scoring": {"kind": "sampled", "draws": 3}},
            "at rooms.batch: sampled scoring asks one prompt at a time (write scoring: exact, or "
            "leave batch out)",
        ),
        (
            {"variants": [{"name": "m", "batch": 8}], "scoring": "mode"},
            "at variants[0].batch: mode scoring asks one prompt at a time (write scoring: exact, "
            "or leave batch out)",
        ),
        (
            {"rooms": {}},
            "at rooms: there is no numerical room in it (write rooms: {dtype: [float32, "
            "bfloat16]}, or leave it out)",
        ),
        (
            {"variants": [{"name": "m", "merge": True}]},
            "at variants[0]: variant 'm' has no adapter to merge (leave merge out)",
        ),
    ],
)
def test_rooms_that_cannot_be_are_refused_with_their_place(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        plan_of(**changes)
    assert str(caught.value) == message


def test_an_attention_that_reads_no_trees_is_refused_when_the_plan_is_read() -> None:
    with pytest.raises(InvalidSpec, match=r"at rooms\.attention\[1\]: .*'eager' or 'sdpa'"):
        plan_of(rooms={"attention": ["eager", "flash_attention_2"]})


def test_every_room_has_every_cell_computed_as_it_says() -> None:
    plan = plan_of(rooms=ROOMS)
    assert plan.levels["numerics"] == (
        "float32, batch 1",
        "float32, batch 3",
        "bfloat16, batch 1",
        "bfloat16, batch 3",
    )
    cells = list(plan.cells())
    assert len({cell.address for cell in cells}) == len(cells) == 4 * 8
    for cell in cells:
        said = f"{cell.variant.dtype}, batch {cell.variant.batch}"
        assert cell.address.numerics == said
    assert plan.variants == (Variant(name="model"),)  # the rooms changed copies


def test_a_plan_without_rooms_keeps_its_digest_and_keys() -> None:
    """Those of version 1 of the keys, as they were written before there were numerical rooms."""
    plan = plan_of(prompts={"kind": "Grade: {text}\n"}, items=[{"id": "e1", "text": "Cats."}])
    assert plan.digest == DIGEST
    assert [cell_key(plan, cell, content_hashes(plan)) for cell in plan.cells()] == [KEY]


def test_batches_are_fixed_by_the_plan_and_shards_keep_them_whole() -> None:
    plan = plan_of(rooms={"batch": [3]}, temperatures=[0.5, 1.0])
    batches = list(dict.fromkeys(cell.batch for cell in plan.cells()))
    sizes = [len(batch.cells) for batch in batches if batch is not None]
    assert sizes == [3, 3, 2]  # eight prompts, in the plan's order; temperatures share one
    keys = {c.address: cell_key(plan, c, content_hashes(plan)) for c in plan.cells()}
    found = {}
    for i in (1, 2, 3):
        part = plan.shard(i, 3)
        for cell in part.cells():
            assert cell.batch is not None
            assert cell.address not in found
            found[cell.address] = cell_key(part, cell, content_hashes(part))
    assert found == keys


def test_the_key_of_a_cell_in_a_batch_knows_the_others() -> None:
    plan = plan_of(rooms={"batch": [1, 3]})
    items = [*plan.items[:-1], {"id": "e3", "text": "Other."}]
    other = plan.with_options(items=items)
    keys = [
        {c.address: cell_key(p, c, content_hashes(p)) for c in p.cells()} for p in (plan, other)
    ]
    same = {a for a in keys[0] if keys[0][a] == keys[1][a]}
    alone = {a for a in keys[0] if a.numerics == "batch 1" and a.item != "e3"}
    first = {
        a for a in keys[0] if a.numerics == "batch 3" and a.prompt == "kind" and a.item != "e3"
    }
    assert same == alone | first


# --- scoring


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny base and a LoRA adapter for it."""
    folder = tmp_path_factory.mktemp("numerics")
    tokenizer = tiny.byte_level()
    base = tiny.model("llama", len(tokenizer))
    base.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    torch.manual_seed(3)
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    with quiet_libraries():
        peft.get_peft_model(copy.deepcopy(base), config).save_pretrained(folder / "lora")
    return {name: str(folder / name) for name in ("base", "lora")}


@pytest.fixture(scope="module")
def analysed(folders: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A run in four rooms of dtype and batch."""
    path = tmp_path_factory.mktemp("run") / "run.db"
    plan = plan_of(rooms=ROOMS, variants=[{"name": "m", "model": folders["base"]}], pass_mark=5)
    models = LoadedModels(plan)
    run(plan, path, scorers=models)
    assert models.loads == 2  # one for each dtype; batches share it
    with Store(path) as store:
        records = list(store.records())
        assert len(store.environment()["variants"]) == 4
    sizes = {r.address: r.arithmetic.batch for r in records if r.arithmetic is not None}
    assert len(sizes) == len(records) == 32
    for record in records:
        made = record.arithmetic
        assert made is not None
        assert record.address.numerics.startswith(f"{made.dtype}, ")
        assert (made.attention, made.adapter, made.device) == ("sdpa", "", "cpu")
        assert dict(made.versions)["torch"] == torch.__version__
        last = record.address.prompt == "strict" and record.address.item in ("e2", "e3")
        assert made.batch == (1 if "batch 1" in record.address.numerics else 2 if last else 3)
    return analyse(path)


def test_the_share_of_numerics_stands_in_components_and_sentence(analysed: Analysis) -> None:
    judge = analysed.judges[0]
    assert judge.components.facets == ("item", "prompt", "numerics")
    assert ("numerics",) in [part.effect for part in judge.components.components]
    assert "; arithmetic alone (4 numerical rooms) moves an expected score by " in (
        judge.summary.sentence
    )
    assert "### What arithmetic alone moves" in to_markdown(analysed)
    assert to_json(from_json(to_json(analysed))) == to_json(analysed)


def test_float32_moves_by_rounding_and_bfloat16_by_more(analysed: Analysis) -> None:
    numerics = analysed.judges[0].numerics
    assert numerics is not None
    moved = {(pair.one, pair.other): pair for pair in numerics.pairs}
    assert len(moved) == 6
    batch = moved["float32, batch 1", "float32, batch 3"]
    dtype = moved["float32, batch 1", "bfloat16, batch 1"]
    assert batch.cells == 8
    assert 0 <= batch.probability < 1e-5 < dtype.probability < 0.1
    assert batch.modes == 0.0


def test_a_batch_is_the_same_whatever_is_stored_already(
    folders: dict[str, str], tmp_path: Path
) -> None:
    plan = plan_of(rooms={"batch": [3]}, variants=[{"name": "m", "model": folders["base"]}])
    run(plan, tmp_path / "whole.db")
    for i in (1, 2):
        run(plan, tmp_path / f"{i}.db", shard=(i, 2))
    merge(tmp_path / "merged.db", [tmp_path / "1.db", tmp_path / "2.db"])
    with Store(tmp_path / "whole.db") as store:
        whole = {record.key: record.local for record in store.records()}
        half = [record for place, record in enumerate(store.records()) if place % 2]
    with Store(tmp_path / "merged.db") as store:
        assert {record.key: record.local for record in store.records()} == whole
    with Store(tmp_path / "half.db") as store:
        store.begin(plan, {})
        store.put(half)
    assert run(plan, tmp_path / "half.db").scored == 4
    with Store(tmp_path / "half.db") as store:
        assert {record.key: record.local for record in store.records()} == whole


def test_prompts_too_long_for_one_pass_are_failures_with_the_reason(
    folders: dict[str, str], tmp_path: Path
) -> None:
    items = [{"id": "long", "text": "long " * 4000}, {"id": "a", "text": "A"}]
    variants = [{"name": "m", "model": folders["base"]}]
    plan = plan_of(items=items, prompts=["{text}\n"], rooms={"batch": [1, 2]}, variants=variants)
    assert run(plan, tmp_path / "run.db").failed == 2
    with Store(tmp_path / "run.db") as store:
        alone, together = (
            list(store.records({"numerics": name})) for name in ("batch 1", "batch 2")
        )
    assert all(record.local is not None for record in alone)
    for record in together:
        assert record.notes == (
            "2 prompts with all their answers do not fit into one pass of this model; take fewer "
            "together, or formats with fewer outputs",
        )


def test_a_prompt_that_fails_by_itself_is_left_out_of_its_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others share a pass as if it were not there, in every run alike."""
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    plan = plan_of(variants=[{"name": "m", "batch": 4}], prompts=["{text}\n"])
    shared = generator.distribution
    bad = max(len(cell.encode(tokenizer)) for cell in plan.cells())

    def failing(prompts: Any, *args: Any, **options: Any) -> Any:
        asked = prompts if isinstance(prompts, list) else [prompts]
        if any(len(prompt.ids) == bad for prompt in asked):
            raise GenerationError("too long for this model")
        return shared(prompts, *args, **options)

    monkeypatch.setattr(generator, "distribution", failing)
    hashes = {"smollm2": "name:smollm2"}
    records = list(ModelScorer(plan, generator).score(tasks_of(plan, hashes)))
    assert [record.notes for record in records] == [(), (), (), ("too long for this model",)]
    assert [r.arithmetic.batch for r in records[:3] if r.arithmetic is not None] == [3, 3, 3]
    assert all(record.local is not None for record in records[:3])


def test_an_adapter_is_merged_and_apart(folders: dict[str, str], tmp_path: Path) -> None:
    variants = [{"name": "m", "model": folders["base"], "adapter": folders["lora"]}]
    plan = plan_of(
        variants=variants, rooms={"attention": ["eager", "sdpa"], "adapter": ["merged", "apart"]}
    )
    run(plan, tmp_path / "run.db")
    with Store(tmp_path / "run.db") as store:
        records = list(store.records())
    for record in records:
        made = record.arithmetic
        assert made is not None
        assert record.address.numerics == f"{made.attention}, {made.adapter}"
    numerics = analyse(tmp_path / "run.db").judges[0].numerics
    assert numerics is not None
    assert 0 < max(pair.probability for pair in numerics.pairs) < 1e-5  # float32


def test_prompts_of_any_length_share_one_pass_when_asked() -> None:
    tokenizer = tiny.byte_level()
    model = tiny.model("llama", len(tokenizer))
    passes: list[int] = []
    model_forward = model.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        passes.append(len(kwargs["input_ids"]))
        return model_forward(*args, **kwargs)

    generator = Generator(model, tokenizer)
    prompts = ["Grade: ", "Essay: " + "cats purr " * 20, "Score "]
    apart = generator.distribution(prompts, integer(0, 10))
    model.forward = counted
    try:
        together = generator.distribution(prompts, integer(0, 10), together=True)
    finally:
        model.forward = model_forward
    assert passes == [3]
    for one, other in zip(apart, together, strict=True):
        assert [o.text for o in one.outcomes] == [o.text for o in other.outcomes]
        assert [o.local for o in one.outcomes] == pytest.approx([o.local for o in other.outcomes])
    with pytest.raises(GenerationError, match="neither by a batch-invariant generator"):
        Generator(model, tokenizer, batch_invariant=True).distribution(
            prompts, integer(0, 10), together=True
        )


# --- what is stored and said of it


def test_arithmetic_comes_back_and_damage_to_it_is_noticed(tmp_path: Path) -> None:
    made = Arithmetic("bfloat16", 8, "sdpa", "merged", "cpu", (("peft", "1"), ("torch", "2")))
    address = Address("a", "p", numerics="bfloat16, batch 8")
    records = [
        CellRecord("k1", address, "exact", (0.0, 1.0), (0.5, 0.5), arithmetic=made),
        CellRecord("k2", Address("a", "p"), "exact", (0.0, 1.0), (0.5, 0.5)),
    ]
    with Store(tmp_path / "run.db") as store:
        store.put(records)
        assert list(store.records()) == records
        assert [r.key for r in store.records({"numerics": "bfloat16, batch 8"})] == ["k1"]
        assert [r.key for r in store.records({"numerics": ""})] == ["k2"]
        assert store.columns().names["numerics"] == ("", "bfloat16, batch 8")


def test_what_arithmetic_moves_is_worked_out_by_hand() -> None:
    p = [  # one item, two prompts, two rooms
        [[[0.6, 0.4], [0.45, 0.55]], [[0.2, 0.8], [0.2, 0.8]]],
        [[[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.9, 0.1]]],
    ]
    found = analyse_arrays(p, [0, 10], ("item", "prompt", "numerics"), pass_mark=5)
    numerics = found.judges[0].numerics
    assert numerics is not None
    (pair,) = numerics.pairs
    assert (pair.cells, pair.modes) == (4, 0.25)
    assert (pair.probability, pair.score, pair.passing) == pytest.approx((0.15, 1.5, 0.15))
    assert numerics.move.value == pytest.approx((1.5 + 0 + 0 + 1.0) / 4)
    assert numerics.most == pytest.approx(1.5)


def test_one_room_says_nothing_of_numerics() -> None:
    judge = analyse_arrays(np.full((3, 2, 2), 0.5), [0, 1]).judges[0]
    assert judge.numerics is None
    assert "arithmetic" not in judge.summary.sentence


def test_a_margin_below_the_numerical_room_is_a_caution() -> None:
    rng = np.random.default_rng(0)
    pass_chance = rng.uniform(0.2, 0.8, (12, 3, 1)) + np.array([0.0, 0.05])
    p = np.stack([1 - pass_chance, pass_chance], axis=-1)
    found = analyse_arrays(p, [0, 1], ("item", "prompt", "numerics"), pass_mark=1)
    flip = found.judges[0].summary.flip.value
    near, far = (
        check(found, {"max_flip_rate": bound}).results[0].reason for bound in (flip + 0.01, 0.999)
    )
    assert near.endswith(
        "; caution: the margin of 0.01 is smaller than the numerical room: other arithmetic moves "
        "a probability to pass by up to 0.05, so a run elsewhere may decide otherwise"
    )
    assert "caution" not in far
