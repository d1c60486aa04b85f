"""Scoring: what is stored of a cell is what the model says, worked out by hand or by many draws."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import peft
import pytest
import torch
from scipy import stats

from constrained import Generator
from constrained.consistency.plan import Plan, cell_seed, content_hashes
from constrained.consistency.records import CellRecord
from constrained.consistency.run import LocalExecutor
from constrained.consistency.scoring import LoadedModels, ModelScorer, tasks_of
from constrained.consistency.scoring.split import split_at_score
from constrained.consistency.statistics import draw_index_share
from constrained.errors import GenerationError, InvalidSpec, ModelError
from constrained.models import load_model
from constrained.models.loading import quiet_libraries
from constrained.spec import as_spec, integer, template
from tests import chats, tiny
from tests.scripted import scripted_generator, scripted_scorer

END = 256


def plan_of(spec: object = "Score: {score:0..10}", **changes: object) -> Plan:
    said = {
        "name": "t",
        "spec": spec,
        "items": [{"id": "e1", "text": "Cats purr."}, {"id": "e2", "text": "Dogs bark."}],
        "prompts": {"kind": "Grade: {text}\n", "strict": "Grade strictly: {text}\n"},
    }
    return Plan(**{**said, **changes})


def scored(plan: Plan, scorer: ModelScorer) -> list[CellRecord]:
    return list(scorer.score(tasks_of(plan, content_hashes(plan))))


def seven_or_ten(ids: Sequence[int]) -> Mapping[int, float]:
    """After "Score: ": 1 with 0.5 (then 0 with 0.5, the end with 0.25), 7 with 0.25."""
    text = bytes(i for i in ids if i < 256)
    if text.endswith(b"Score: 1"):
        return {ord("0"): 0.5, END: 0.25, ord("5"): 0.25}
    if text.endswith(b"Score: "):
        return {ord("1"): 0.5, ord("7"): 0.25, ord("T"): 0.25}
    after = text.rpartition(b"\n")[2]
    follows = b"Score: "[len(after) : len(after) + 1]
    return {follows[0]: 1.0} if follows and b"Score: ".startswith(after) else {END: 1.0}


def test_cells_of_a_template_are_spelled_and_switched_as_it_says() -> None:
    """The answer comes behind the template's space, and each variant's arguments reach it."""
    tokenizer = chats.llama()
    tokenizer.chat_template = chats.LLAMA.replace("[INST] ", "[INST] {{ mood }} ").replace(
        "'[INST] {{ mood }} '", "'[INST] ' ~ (mood or '') ~ ' '"
    )
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    plan = plan_of(
        formats=["template"],
        variants=[
            {"name": "as it is"},
            {"name": "sad", "chat_template_kwargs": {"mood": "sad"}},
        ],
    )
    records = scored(plan, ModelScorer(plan, generator))
    spec = plan.spec_of()
    for cell, record in zip(plan.cells(), records, strict=True):
        chat = [{"role": "user", "content": cell.text}]
        exact = generator.distribution(
            chat, spec, chat_template_kwargs=cell.variant.chat_template_kwargs
        )
        wanted = tuple(exact.by_text[f"Score: {score}"] for score in range(11))
        assert record.local == pytest.approx(wanted, abs=1e-6)
    assert records[0].local != pytest.approx(records[4].local, abs=1e-6)


# --- exact


def test_an_exact_cell_holds_both_distributions_and_what_the_mask_removed():
    first, *_ = scored(plan_of(), scripted_scorer(plan_of(), seven_or_ten))
    assert first.kind == "exact"
    assert first.support == tuple(float(i) for i in range(11))
    assert first.local is not None
    assert first.free is not None
    assert first.local[1] == pytest.approx(2 / 3 / 3, abs=1e-6)  # 0.5 of 0.75, then 0.25 of 0.75
    assert first.local[7] == pytest.approx(1 / 3, abs=1e-6)
    assert first.local[10] == pytest.approx(4 / 9, abs=1e-6)
    assert first.free[1] == pytest.approx(0.125 / 0.625, abs=1e-6)
    assert first.free[10] == pytest.approx(0.25 / 0.625, abs=1e-6)
    assert first.removed_mass == pytest.approx(0.375, abs=1e-6)
    assert first.prompt_text == "Grade: Cats purr.\n"
    assert first.prompt_tokens == len("Grade: Cats purr.\n")
    assert first.draws == ()
    assert first.numerics_floor is None  # a scripted model has no dtype
    assert first.seconds > 0


@pytest.mark.parametrize(
    ("spec", "scoring"),
    [
        ("Score: {score:0..10} / 10", {"kind": "exact"}),
        ("{why:/[ab]{2}/} Score: {score:0..10} / 10", {"kind": "reasoned", "draws": 3}),
    ],
)
def test_cells_without_the_free_model_say_the_same_scores_and_read_less(
    llama: Generator, spec: str, scoring: dict[str, object]
):
    read: list[int] = []

    def cells(free: bool) -> tuple[list[CellRecord], int]:
        plan = plan_of(spec, scoring={**scoring, "free": free})
        read.clear()
        with llama.model.register_forward_pre_hook(
            lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
        ):
            return scored(plan, ModelScorer(plan, llama)), sum(read)

    (whole, tokens), (short, fewer) = cells(True), cells(False)
    assert fewer <= tokens - 11 * len(" / 10") // 2
    for one, other in zip(whole, short, strict=True):
        assert one.local == pytest.approx(other.local, abs=1e-5)
        assert (one.free is None, one.removed_mass is None) == (False, False)
        assert (other.free, other.removed_mass) == (None, None)
        assert one.key != other.key


def test_temperatures_of_one_prompt_share_its_passes():
    plan = plan_of(temperatures=(0.5, 1.0, 2.0))
    scorer = scripted_scorer(plan, seven_or_ten)
    records = scored(plan, scorer)
    calls = scorer.generator.model.calls
    alone = scripted_scorer(plan_of(), seven_or_ten)
    assert scored(plan_of(), alone)[0].local == records[1].local
    assert calls == alone.generator.model.calls
    local = records[0].local or ()
    weights = np.array([0.5, 0.25]) ** 2  # temperature 0.5 squares what is inside the mask
    assert local[7] == pytest.approx(weights[1] / weights.sum(), abs=1e-5)


def test_texts_that_mean_the_same_score_are_added_up():
    def rule(_: Sequence[int]) -> Mapping[int, float]:
        return {ord("a"): 0.2, ord("b"): 0.3, ord("c"): 0.5}

    plan = plan_of({"choice": {"a": 1, "b": 1, "c": 2}})
    record = scored(plan, scripted_scorer(plan, rule))[0]
    assert record.support == (1.0, 2.0)
    assert record.local == pytest.approx((0.5, 0.5), abs=1e-6)


def test_the_field_that_the_plan_names_is_the_score():
    def rule(_: Sequence[int]) -> Mapping[int, float]:
        return {ord("2"): 0.75, ord("1"): 0.25, ord(","): 1e-9}

    plan = plan_of("{style:1..2},{content:1..2}", score="content")
    record = scored(plan, scripted_scorer(plan, rule))[0]
    assert record.support == (1.0, 2.0)
    assert record.local == pytest.approx((0.25, 0.75), abs=1e-6)


def test_a_pairwise_cell_is_a_joint_distribution_in_both_orders():
    def rule(ids: Sequence[int]) -> Mapping[int, float]:
        """Prefers the answer that is shown second."""
        text = bytes(i for i in ids if i < 256)
        high = text.endswith(b" ")
        return {ord("2"): 0.9, ord("1"): 0.1} if high else {ord("1"): 0.6, ord("2"): 0.4}

    plan = plan_of(
        "{one:1..2} {other:1..2}",
        scoring="pairwise",
        items=[{"id": "q", "answer_a": "Yes.", "answer_b": "No."}],
        prompts=["{first} or {second}\n"],
    )
    ab, ba = scored(plan, scripted_scorer(plan, rule))
    assert (ab.prompt_text, ba.prompt_text) == ("Yes. or No.\n", "No. or Yes.\n")
    assert (ab.address.order, ba.address.order) == ("ab", "ba")
    assert ab.support == ((1.0, 1.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0))
    assert ab.local == pytest.approx((0.06, 0.54, 0.04, 0.36), abs=1e-6)


# --- draws


def test_sampled_draws_have_the_seeds_of_their_cells():
    plan = plan_of(scoring={"kind": "sampled", "draws": 3})
    records = scored(plan, scripted_scorer(plan, seven_or_ten))
    seeds = [draw.seed for record in records for draw in record.draws]
    assert len(set(seeds)) == len(seeds) == 12
    for record in records:
        assert record.kind == "sampled"
        assert record.local is None
        for draw in record.draws:
            assert draw.seed == cell_seed(plan.seed, record.address, draw.index)
            assert draw.text == f"Score: {int(draw.score)}"  # type: ignore[arg-type]
            assert draw.failure == ""


def test_a_cell_is_drawn_the_same_whatever_is_drawn_beside_it():
    plan = plan_of(scoring={"kind": "sampled", "draws": 3})
    tasks = list(tasks_of(plan, content_hashes(plan)))
    together = [r.draws for r in scripted_scorer(plan, seven_or_ten).score(tasks)]
    apart = [
        r.draws for t in reversed(tasks) for r in scripted_scorer(plan, seven_or_ten).score([t])
    ]
    assert together == apart[::-1]


def uniform_scores(_: Sequence[int]) -> Mapping[int, float]:
    return {ord(str(digit)): 0.1 for digit in range(10)}


def test_seeds_put_no_variance_into_an_effect_of_the_draws_index():
    """One seed for all cells would move the variance between draws into a main effect of it."""
    plan = plan_of(
        {"range": "0..9"},
        items=[{"id": f"e{i}", "text": str(i)} for i in range(20)],
        prompts=[f"Prompt {p}: {{text}}\n" for p in range(4)],
        scoring={"kind": "sampled", "draws": 6},
    )
    scorer = scripted_scorer(plan, uniform_scores)
    records = scored(plan, scorer)
    grid = np.array([[d.score for d in r.draws] for r in records]).reshape(4, 20, 6)
    assert draw_index_share(grid).value < 0.05
    trap = [np.random.default_rng(seed).integers(0, 10, (1, 1)) for seed in range(6)]
    assert draw_index_share(np.broadcast_to(np.array(trap).reshape(6), (4, 20, 6))).value > 0.9


@pytest.fixture(scope="module")
def llama() -> Generator:
    tokenizer = tiny.byte_level()
    return Generator(tiny.model("llama", len(tokenizer)), tokenizer)


def test_instructions_are_read_once_and_no_bit_of_a_cell_depends_on_the_others(llama: Generator):
    rules = "You are a strict teacher. Grade arguments, topic and spelling, from 0 to 10. " * 2
    texts = ("Cats purr.", "Dogs bark at the moon.", "", "You are a strict teacher.")
    plan = plan_of(
        "Score: {score:0..10} / 10",
        items=[{"id": f"e{i}", "text": text} for i, text in enumerate(texts)],
        prompts={"before": rules + "{text}\n", "after": "{text}\n" + rules, "both": rules * 2},
    )
    tasks = list(tasks_of(plan, content_hashes(plan)))
    shortest = min(len(task.cell.head(llama.tokenizer)) for task in tasks)
    read: list[int] = []
    with llama.model.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
    ):
        whole = {record.key: record for record in ModelScorer(plan, llama).score(tasks)}
        together = sum(read)
        read.clear()
        for task in tasks:
            (alone,) = ModelScorer(plan, llama).score([task])
            record = whole[task.key]
            assert (alone.local, alone.free) == (record.local, record.free)
    # the instructions of two wordings, for three items each
    assert together < sum(read) - 2 * 3 * (shortest - 2)


def test_many_draws_of_a_transformer_agree_with_its_exact_distribution(llama: Generator):
    exact_plan = plan_of("Score: {score:0..10} / 10", temperatures=(0.5, 1.5))
    plan = exact_plan.with_options(scoring={"kind": "sampled", "draws": 600})
    exact = scored(exact_plan, ModelScorer(exact_plan, llama))
    sampled = scored(plan, ModelScorer(plan, llama))
    for one, other in zip(exact[:4], sampled[:4], strict=True):
        assert one.address == other.address
        counts = Counter(draw.score for draw in other.draws)
        observed = np.array([counts[score] for score in one.support])
        assert chi_square(observed, 600 * np.array(one.local)) > 1e-3


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    """The p-value; rare scores are put together."""
    common = expected >= 5
    if not common.all():
        observed = np.append(observed[common], observed[~common].sum())
        expected = np.append(expected[common], expected[~common].sum())
        if expected[-1] == 0:
            assert observed[-1] == 0
            observed, expected = observed[:-1], expected[:-1]
    return float(stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue)


def test_the_dtype_says_how_far_probabilities_may_be_off(llama: Generator):
    plan = plan_of()
    record = scored(plan, ModelScorer(plan, llama))[0]
    assert record.numerics_floor == pytest.approx(8 * 2**-23)
    assert ModelScorer(plan, llama).environment() == {
        "device": "cpu",
        "dtype": "float32",
        "model_class": "LlamaForCausalLM",
    }


def test_the_mode_is_what_temperature_0_says():
    plan = plan_of(scoring="mode")
    for record in scored(plan, scripted_scorer(plan, seven_or_ten)):
        (draw,) = record.draws
        assert (record.kind, draw.score, draw.text, draw.seed) == ("mode", 10.0, "Score: 10", None)


# --- reason, then score


def test_reasons_are_drawn_and_the_score_is_exact_after_each():
    def rule(ids: Sequence[int]) -> Mapping[int, float]:
        """Writes a or b; after b the score is higher."""
        text = bytes(i for i in ids if i < 256)
        if text.endswith(b"\n"):
            return {ord("a"): 0.5, ord("b"): 0.5}
        if text[-1:] in (b"a", b"b"):
            return {ord(";"): 1.0}
        return {ord("1"): 0.8, ord("2"): 0.2} if b"\na;" in text else {ord("1"): 0.3, ord("2"): 0.7}

    plan = plan_of("{why:/[ab]{1,3}/};{score:1..2}!", scoring={"kind": "reasoned", "draws": 8})
    record = scored(plan, scripted_scorer(plan, rule))[0]
    assert record.kind == "reasoned"
    after = {"a": (0.8, 0.2), "b": (0.3, 0.7)}
    for draw in record.draws:
        assert draw.probabilities == pytest.approx(after[draw.text[0]], abs=1e-6)
        assert draw.text == f"{draw.text[0]};{int(draw.score)}!"  # type: ignore[arg-type]
    assert {draw.text[0] for draw in record.draws} == {"a", "b"}
    mean = np.mean([draw.probabilities for draw in record.draws], axis=0)
    assert record.local == pytest.approx(tuple(mean))
    assert record.removed_mass is not None


def test_scores_drawn_after_reasons_follow_their_exact_distributions(llama: Generator):
    plan = plan_of(
        "{why:/[a-z ]{1,4}/}. Score: {score:0..10} / 10",
        items=[{"id": "e1", "text": "Cats purr."}],
        prompts=["Grade: {text}\n"],
        scoring={"kind": "reasoned", "draws": 400},
    )
    (record,) = scored(plan, ModelScorer(plan, llama))
    counts = Counter(draw.score for draw in record.draws)
    observed = np.array([counts[score] for score in record.support])
    assert chi_square(observed, 400 * np.array(record.local)) > 1e-3
    assert len({draw.text for draw in record.draws}) > 50


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
def test_texts_are_cut_before_the_token_that_begins_the_score(kind: str):
    """`` 7`` may be one token: the tokens kept never reach into the score."""
    tokenizer = getattr(tiny, kind)()
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    plan = plan_of(
        "{why:/[aé ]{1,4}/}, so: {score:0..10}", scoring={"kind": "reasoned", "draws": 6}
    )
    scorer = ModelScorer(plan, generator)
    for record in scored(plan, scorer):
        assert sum(record.local or ()) == pytest.approx(1)
        for draw in record.draws:
            assert draw.score in record.support
            assert sum(draw.probabilities or ()) == pytest.approx(1)


def test_the_score_is_found_by_name_or_by_being_a_number():
    spec = template("{why:/[a-z]+/}: {style:0..3}, {points:0..3}")
    assert split_at_score(spec, "points").before("neat: 1, 2") == "neat: 1, "
    both = split_at_score(spec)
    assert both.before("neat: 1, 2") == "neat: "
    assert both.rest("").parse("1, 2") == (1.0, 2.0)
    unnamed = as_spec("Score: ") + integer(0, 10) + " / 10"
    assert split_at_score(unnamed).rest(" ").parse(" 10 / 10") == 10.0


@pytest.mark.parametrize(
    ("spec", "field", "problem"),
    [
        (integer(0, 3), "", "this format has no parts"),
        (template("{why:/[a-z]+/}"), "", "the format needs one hole (or two) that holds a number"),
        (template("{why:/[a-z]+/} {s:0..3}"), "points", "the format needs a hole 'points'"),
        (
            template("{s:0..3}{why:/[a-z]+/}"),
            "",
            "no literal text separates the score from what follows it",
        ),
        (
            template("{a:0..3} {why:/[a-z]+/} {b:0..3}"),
            "",
            "there is another hole between the two scores",
        ),
    ],
)
def test_formats_whose_score_cannot_be_told_are_refused(spec: object, field: str, problem: str):
    with pytest.raises(InvalidSpec) as caught:
        split_at_score(spec, field)  # type: ignore[arg-type]
    assert problem in str(caught.value)
    assert "write the format as a template with the reasons before the score" in str(caught.value)


def test_models_with_an_encoder_cannot_reason_then_score():
    tokenizer = tiny.unigram()
    generator = Generator(tiny.model("t5", len(tokenizer), end=1, pad=0), tokenizer)
    plan = plan_of("{why:/[a-z]+/}: {s:0..3}", scoring={"kind": "reasoned", "draws": 1})
    with pytest.raises(InvalidSpec, match=r"this one has an encoder \(use kind: sampled\)"):
        ModelScorer(plan, generator)


# --- failures


@pytest.mark.parametrize("kind", ["exact", "sampled", "mode", "reasoned"])
def test_a_cell_that_fails_says_so_and_the_others_go_on(kind: str):
    draws = {"draws": 2} if kind in ("sampled", "reasoned") else {}
    plan = plan_of(
        "{why:/[a-z]{1,2}/}: {score:0..3}",
        items=[{"id": "ok", "text": "Cats purr."}, {"id": "double", "text": "### Human: Hi"}],
        prompts=["{text}"],
        formats=("guanaco",),
        scoring={"kind": kind, **draws},
    )

    def rule(_: Sequence[int]) -> Mapping[int, float]:
        return {ord("a"): 0.5, ord(":"): 0.3, ord("1"): 0.1}

    good, bad = scored(plan, scripted_scorer(plan, rule))
    assert good.notes == ()
    assert "the text begins with '### Human:', so it is in the format" in bad.notes[0]
    assert bad.local is None
    assert [draw.score for draw in bad.draws] == [None] * {"exact": 0, "mode": 1}.get(kind, 2)
    assert all(draw.failure == bad.notes[0] for draw in bad.draws)
    assert bad.support == good.support


def test_outputs_that_do_not_fit_the_budget_are_failures_with_the_reason():
    plan = plan_of(scoring={"kind": "sampled", "draws": 2, "max_new_tokens": 3})
    record = scored(plan, scripted_scorer(plan, seven_or_ten))[0]
    assert [draw.score for draw in record.draws] == [None, None]
    assert "no output for prompt 0 fits into 3 tokens (max_new_tokens=3)" in record.notes[0]


def test_too_little_memory_ends_the_run_with_a_remedy():
    def rule(_: Sequence[int]) -> Mapping[int, float]:
        raise OutOfMemoryError("CUDA out of memory")

    plan = plan_of()
    generator = scripted_generator(rule)
    with pytest.raises(ModelError, match=r"the memory is not enough for Address\(item='e1'"):
        scored(plan, ModelScorer(plan, generator))


class OutOfMemoryError(RuntimeError):
    """As torch's is called."""


# --- models


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny base with two LoRA adapters, and another base."""
    folder = tmp_path_factory.mktemp("models")
    tokenizer = tiny.byte_level()
    found = {}
    for name, seed in (("base", 0), ("other", 1)):
        model = tiny.model("llama", len(tokenizer), seed=seed)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        found[name] = str(folder / name)
    for name, seed in (("strict", 3), ("kind", 4)):
        torch.manual_seed(seed)
        config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        base = copy.deepcopy(tiny.model("llama", len(tokenizer)))
        with quiet_libraries():
            peft.get_peft_model(base, config).save_pretrained(folder / name)
        found[name] = str(folder / name)
    return found


def test_adapters_of_one_base_are_switched_without_loading_it_again(folders: dict[str, str]):
    base, other = folders["base"], folders["other"]
    plan = plan_of(
        variants=[
            {"name": "base", "model": base},
            {"name": "strict", "model": base, "adapter": folders["strict"]},
            {"name": "other", "model": other},
            {"name": "kind", "model": base, "adapter": folders["kind"]},
        ]
    )
    models = LoadedModels(plan)
    by_variant: dict[str, list] = {}
    executor = LocalExecutor(plan, models)
    for record in executor.score(list(tasks_of(plan, content_hashes(plan)))):
        by_variant.setdefault(record.address.variant, []).append(record.local)
    assert models.loads == 2
    (environment,) = executor.environments()
    assert environment["variants"]["kind"]["dtype"] == "float32"
    assert len({str(local) for local in by_variant.values()}) == 4
    # the same variants, each loaded alone
    for name, adapter in (("base", None), ("strict", folders["strict"])):
        alone = plan.with_options(variants=[v for v in plan.variants if v.name == name])
        generator = Generator(*load_model(base, adapter=adapter))
        expected = [r.local for r in scored(alone, ModelScorer(alone, generator))]
        for one, two in zip(by_variant[name], expected, strict=True):
            assert one == pytest.approx(two, abs=1e-5)


def test_an_argument_that_no_template_reads_ends_the_run_before_it_scores(folders: dict[str, str]):
    variant = {"name": "m", "model": folders["base"], "chat_template_kwargs": {"mood": "sad"}}
    plan = plan_of(formats=["template"], variants=[variant])
    with (
        pytest.raises(GenerationError, match="there is no chat template to take the argument"),
        LoadedModels(plan)(plan.variants[0]),
    ):
        pass


def test_a_variant_behind_a_server_is_refused_with_the_remedy():
    plan = plan_of(variants=[{"name": "api", "model": "m", "endpoint": "http://127.0.0.1:1/v1"}])
    with (
        pytest.raises(ModelError, match="variant 'api' is scored by a server"),
        LoadedModels(plan)(plan.variants[0]),
    ):
        pass
