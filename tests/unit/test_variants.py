"""Several adapters of one base in memory: switched, merged, and refused where they do not fit."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers

from constrained.errors import MissingPackage, ModelError
from constrained.generation import Generator
from constrained.models import QUANTIZATIONS, load_model, load_variants, quantization
from constrained.spec import integer
from tests import tiny

SPEC = "Score: " + integer(0, 10)
PROMPT = "The essay argues well.\n"

KINDS: dict[str, Any] = {
    "lora": peft.LoraConfig(
        task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False
    ),
    "ia3": peft.IA3Config(
        task_type="CAUSAL_LM",
        target_modules=["k_proj", "down_proj"],
        feedforward_modules=["down_proj"],
        init_ia3_weights=False,
    ),
    "prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "prompt": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tokenizer = tiny.byte_level()
    tokenizer.save_pretrained(folder)
    tiny.model("llama", len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapters(base, tmp_path_factory) -> dict[str, dict[str, str]]:
    """For each kind, two saved adapters of different weights."""
    root = tmp_path_factory.mktemp("adapters")
    saved: dict[str, dict[str, str]] = {}
    for kind, config in KINDS.items():
        saved[kind] = {}
        for seed, name in enumerate(("mild", "strict")):
            torch.manual_seed(seed)
            model = transformers.AutoModelForCausalLM.from_pretrained(base)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # peft reads a renamed attribute
                tuned = peft.get_peft_model(model, config)
            with torch.no_grad():
                for key, weights in tuned.named_parameters():
                    if "prompt_encoder" in key or "ia3" in key or "lora" in key:
                        weights.normal_(1.0 if kind == "ia3" else 0.0, 1.0)
            tuned.save_pretrained(root / kind / name)
            saved[kind][name] = str(root / kind / name)
    return saved


def pmf(model: Any, tokenizer: Any) -> dict[int, float]:
    return Generator(model, tokenizer).distribution(PROMPT, SPEC).pmf


def distance(a: dict[int, float], b: dict[int, float]) -> float:
    return sum(abs(a[key] - b[key]) for key in a) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_switched_adapter_answers_like_a_freshly_loaded_one(base, adapters, kind):
    variants = load_variants(str(base), adapters[kind], device="cpu")
    assert variants.names == ("base", "mild", "strict")
    generator = Generator(variants.model, variants.tokenizer)
    found = {}
    for name in ("strict", "base", "mild", "strict", "base"):
        with variants.use(name) as model:
            assert model is variants.model
            found[name] = generator.distribution(PROMPT, SPEC).pmf
            texts = generator([PROMPT, "Hi.\n"], SPEC, temperature=1.0, seed=5)
        path = adapters[kind].get(name)
        fresh = Generator(*load_model(str(base), device="cpu", adapter=path))
        assert found[name] == pytest.approx(fresh.distribution(PROMPT, SPEC).pmf, abs=1e-6)
        again = fresh([PROMPT, "Hi.\n"], SPEC, temperature=1.0, seed=5)
        assert [r.token_ids for r in texts] == [r.token_ids for r in again]
    assert distance(found["mild"], found["strict"]) > 0.01
    assert distance(found["mild"], found["base"]) > 0.01


def test_the_base_answers_outside_of_use_and_use_can_be_nested(base, adapters):
    variants = load_variants(str(base), adapters["lora"], device="cpu")
    assert variants.active == "base"
    with variants.use("mild"):
        with variants.use("base"):
            assert variants.active == "base"
            inside = pmf(variants.model, variants.tokenizer)
        assert variants.active == "mild"
        mild = pmf(variants.model, variants.tokenizer)
    assert inside == pytest.approx(pmf(*load_model(str(base), device="cpu")), abs=1e-6)
    assert distance(mild, inside) > 0.01
    assert repr(variants) == "Variants(LlamaForCausalLM: base, mild, strict; active: base)"
    with pytest.raises(ModelError) as caught, variants.use("harsh"):
        pass
    assert str(caught.value) == (
        "model 'harsh': there is no such variant (there are base, mild, strict)"
    )


def test_an_error_inside_use_switches_back(base, adapters):
    variants = load_variants(str(base), adapters["lora"], device="cpu")
    with pytest.raises(ZeroDivisionError), variants.use("mild"):
        raise ZeroDivisionError
    assert variants.active == "base"


def test_threads_wait_for_each_other_instead_of_switching_under_a_generation(base, adapters):
    variants = load_variants(str(base), adapters["lora"], device="cpu")
    generator = Generator(variants.model, variants.tokenizer)
    expected = {}
    for name in variants.names:
        with variants.use(name):
            expected[name] = generator.distribution(PROMPT, SPEC).pmf
    wrong: list[str] = []

    def ask(name: str) -> None:
        for _ in range(6):
            with variants.use(name):
                if generator.distribution(PROMPT, SPEC).pmf != pytest.approx(expected[name]):
                    wrong.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in variants.names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_merged_weights_give_the_same_distribution(base, adapters, kind):
    variants = load_variants(str(base), adapters[kind], device="cpu")
    with variants.use("strict"):
        unmerged = pmf(variants.model, variants.tokenizer)
    merged = variants.merged("strict")
    loaded, tokenizer = load_model(
        str(base), device="cpu", adapter=adapters[kind]["strict"], merge=True
    )
    for model in (merged, loaded):
        assert type(model) is transformers.LlamaForCausalLM
        assert pmf(model, tokenizer) == pytest.approx(unmerged, abs=1e-4)
    with variants.use("mild"):  # merging was done on a copy
        mild = pmf(variants.model, variants.tokenizer)
    fresh = load_model(str(base), device="cpu", adapter=adapters[kind]["mild"])
    assert mild == pytest.approx(pmf(*fresh), abs=1e-6)
    assert pmf(variants.merged("base"), tokenizer) == pytest.approx(
        pmf(*load_model(str(base), device="cpu")), abs=1e-6
    )


def test_virtual_tokens_cannot_be_merged(base, adapters):
    variants = load_variants(str(base), adapters["prefix"], device="cpu")
    with pytest.raises(ModelError) as caught:
        variants.merged("mild")
    assert str(caught.value) == (
        "model 'mild': PREFIX_TUNING is no change of weights, so it cannot be merged "
        "(use it as an adapter)"
    )


def fails(**arguments: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load_variants(**arguments, device="cpu")
    return str(caught.value)


def test_adapters_that_cannot_stand_together_are_refused(base, adapters):
    lora, prefix = adapters["lora"]["mild"], adapters["prefix"]["mild"]
    assert fails(name_or_path=str(base), adapters={"a": lora, "b": prefix}) == (
        f"model '{prefix}': it is of kind PREFIX_TUNING, and those beside it are LORA "
        "(load it as variants of its own)"
    )
    assert fails(name_or_path=str(base)) == (
        f"model '{base}': there is no adapter to switch to "
        '(pass adapters={"name": "path"}, or use load_model)'
    )
    for name in ("base", "", "v1.2"):
        assert fails(name_or_path=str(base), adapters={name: lora}) == (
            f"model '{name}': this cannot be the name of an adapter "
            "(not empty, without dots, and not 'base')"
        )
    missing = str(base / "none")
    assert fails(name_or_path=str(base), adapters={"a": lora, "b": missing}) == (
        f"model '{missing}': there is no such folder (check the path)"
    )


def test_an_adapter_of_another_model_is_refused(base, adapters, tmp_path):
    config = transformers.AutoConfig.from_pretrained(base)
    config.num_hidden_layers = 4
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tiny.byte_level().save_pretrained(tmp_path)
    message = fails(name_or_path=str(tmp_path), adapters={"a": adapters["lora"]["mild"]})
    assert message.startswith(f"model '{adapters['lora']['mild']}': the adapter cannot be loaded: ")
    assert message.endswith("(is it an adapter, and one for this model?)")


def test_merging_needs_an_adapter(base):
    with pytest.raises(ModelError, match="there is no adapter to merge"):
        load_model(str(base), device="cpu", merge=True)


@pytest.mark.parametrize("name", QUANTIZATIONS)
def test_packed_bases_name_the_library_that_is_missing(base, monkeypatch, name):
    monkeypatch.setattr(quantization, "find_spec", lambda _name: None)
    _, package, _ = QUANTIZATIONS[name]
    with pytest.raises(MissingPackage) as caught:
        load_model(str(base), device="cpu", quantize=name)
    assert str(caught.value) == (
        f"loading a model in {name[-4:]} needs the package {package} (run: pip install {package})"
    )


def test_an_unknown_packing_is_refused(base):
    with pytest.raises(ModelError) as caught:
        load_model(str(base), device="cpu", quantize="2bit")
    assert str(caught.value) == (
        f"model '{base}': there is no quantization '2bit' (known are {', '.join(QUANTIZATIONS)})"
    )
