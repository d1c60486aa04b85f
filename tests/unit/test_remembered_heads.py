"""Beginnings of prompts that are kept between calls: less work, the same answers, never stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.errors import GenerationError
from constrained.generation import Generator
from constrained.generation.heads import Heads
from tests import tiny

TOKENIZER = tiny.byte_level()
GRADE = ct.template("Essay score: {score} / 10", score=range(11))
HEAD = "The essay argues well. The answer is positive. " * 4
PROMPTS = [HEAD + end for end in ("Bad.", "Good.\n", "a", "Score: 7 / 10")]


class Cache:
    """The keys and values of one layer, of so many bytes together."""

    def __init__(self, size: int) -> None:
        keys, values = (
            torch.zeros(part, dtype=torch.uint8) for part in (size // 2, size - size // 2)
        )
        self.layers = [SimpleNamespace(keys=keys, values=values)]


def own_model(kind: str = "llama") -> Any:
    """A model that no other test sees."""
    shared = tiny.model(kind, len(TOKENIZER))
    own = type(shared)(shared.config).eval()
    own.load_state_dict(shared.state_dict())
    return own


@contextmanager
def tokens_passed(generator: Generator) -> Iterator[list[int]]:
    """Tokens of every pass, padding counted."""
    read: list[int] = []
    base = getattr(generator.model, "get_base_model", lambda: generator.model)()
    with base.register_forward_pre_hook(
        lambda _m, _a, given_: read.append(given_["input_ids"].numel()), with_kwargs=True
    ):
        yield read


def exact(generator: Generator, prompt: str) -> list[float]:
    found = generator.distribution(prompt, GRADE)
    return [p for one in found.outcomes for p in (one.local, one.free)]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_remembered_head_is_passed_once_and_answers_stay(kind: str) -> None:
    plain, other = (Generator(own_model(kind), TOKENIZER) for _ in range(2))
    known = other.remember(PROMPTS)
    assert len(HEAD) // 8 < known <= len(TOKENIZER.encode(HEAD))
    for place, prompt in enumerate(PROMPTS):
        sizes = []
        for generator in (plain, other):
            with tokens_passed(generator) as read:
                answer = generator(prompt, GRADE, temperature=1.0, seed=place)
                sizes.append(sum(read))
            assert answer.text == plain(prompt, GRADE, temperature=1.0, seed=place).text
        assert sizes[0] - sizes[1] == (known if place else 0)
        assert exact(other, prompt) == pytest.approx(exact(plain, prompt), rel=1e-4)


def test_calls_with_several_prompts_take_the_head_from_memory() -> None:
    plain, other = (Generator(own_model(), TOKENIZER) for _ in range(2))
    known = other.remember(HEAD)
    other(PROMPTS[0], GRADE)
    for spec in (GRADE, ct.template("{why} {score:0..10}", why=ct.text(stop=".", max_length=9))):
        strangers = [*PROMPTS, "Bad.", "Another essay, about cats."]
        asked: Any = {"temperature": 1.0, "seed": 4}
        with tokens_passed(other) as read:
            answers = other(strangers, spec, **asked)
        assert max(read) < 2 * known
        assert [one.text for one in answers] == [
            one.text for one in plain(strangers, spec, **asked)
        ]
    for one, two in zip(
        plain.distribution(strangers, GRADE), other.distribution(strangers, GRADE), strict=True
    ):
        pairs = zip(one.outcomes, two.outcomes, strict=True)
        assert all(a.local == pytest.approx(b.local, rel=1e-4) for a, b in pairs)


def test_what_was_asked_before_changes_no_bit() -> None:
    model = own_model()
    orders = [(0, 1, 2, 3), (3, 2, 1, 0), (2, 2, 0, 1, 3)]
    found = []
    for order, head_bytes in zip(orders, (2**29, 2**29, 1), strict=True):
        generator = Generator(model, TOKENIZER, head_bytes=head_bytes)
        generator.remember(HEAD)
        said = {place: exact(generator, PROMPTS[place]) for place in order}
        found.append([said[place] for place in range(4)])
    assert found[0] == found[1] == found[2]


def test_memory_bounds_what_is_kept() -> None:
    model = own_model()
    generator = Generator(model, TOKENIZER, head_bytes=1)
    known = generator.remember(HEAD)
    for _ in range(2):  # kept by nobody, so passed again
        with tokens_passed(generator) as read:
            generator(PROMPTS[0], GRADE)
        assert read[0] == pytest.approx(known, abs=1)
    none = Generator(model, TOKENIZER, head_bytes=0)
    none.remember(HEAD)
    with tokens_passed(none) as read:
        none(PROMPTS[0], GRADE)
    assert read[0] > known
    with pytest.raises(GenerationError, match=r"^head_bytes must be at least 0, got -1$"):
        Generator(model, TOKENIZER, head_bytes=-1)


def test_changed_weights_are_noticed() -> None:
    model = own_model()
    generator = Generator(model, TOKENIZER)
    generator.remember(HEAD)
    before = exact(generator, PROMPTS[0])
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(3)
    after = exact(generator, PROMPTS[0])
    assert after == pytest.approx(exact(Generator(model, TOKENIZER), PROMPTS[0]), rel=1e-4)
    assert after != pytest.approx(before, rel=1e-2)


def test_weights_that_come_to_lie_where_others_lay_are_noticed() -> None:
    model = own_model()
    generator = Generator(model, TOKENIZER)
    generator.remember(HEAD)
    weight = model.get_input_embeddings().weight
    memory = weight.detach().clone().numpy()
    weight.data = torch.from_numpy(memory)
    before = exact(generator, PROMPTS[0])
    memory *= 3
    weight.data = torch.from_numpy(memory)  # another tensor, at the address of the last one
    after = exact(generator, PROMPTS[0])
    assert after == pytest.approx(exact(Generator(model, TOKENIZER), PROMPTS[0]), rel=1e-4)
    assert after != pytest.approx(before, rel=1e-2)


def test_a_head_that_does_not_fit_leaves_the_others_alone() -> None:
    heads = Heads(most_bytes=100)
    caches = {name: Cache(size) for name, size in (("small", 30), ("other", 40), ("big", 101))}
    tokens = {"small": (1,) * 20, "other": (2,) * 20, "big": (3,) * 20}
    for head in tokens.values():
        heads.remember(head)
    for name, head in tokens.items():
        heads.keep(head, "weights", caches[name], torch.ones(1, 20))
    found = {name: heads.find(head, "weights") for name, head in tokens.items()}
    kept = {name: both and both[0] for name, both in found.items()}
    assert kept == {"small": caches["small"], "other": caches["other"], "big": None}
    assert heads.find(tokens["small"], "other weights") is None


def test_what_was_forgotten_while_it_was_passed_is_not_kept() -> None:
    heads, head = Heads(), (1,) * 20
    heads.remember(head)
    heads.forget()
    heads.keep(head, "weights", Cache(1), torch.ones(1, 20))
    assert heads.find(head, "weights") is None


def test_threads_may_ask_remember_and_forget_at_the_same_time() -> None:
    model = own_model()
    generator = Generator(model, TOKENIZER)
    right = [Generator(model, TOKENIZER)(prompt, GRADE).text for prompt in PROMPTS]

    def work(place: int) -> list[str]:
        found = []
        for turn in range(6):
            generator.remember(HEAD)
            found.append(generator(PROMPTS[(place + turn) % 4], GRADE).text)
            if turn % 2:
                generator.forget()
        return found

    with ThreadPoolExecutor(4) as pool:
        for place, found in enumerate(pool.map(work, range(4))):
            assert found == [right[(place + turn) % 4] for turn in range(6)]


def lora() -> Any:
    return peft.LoraConfig(
        task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False
    )


def prefix() -> Any:
    return peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)


@pytest.mark.parametrize("config", [lora, prefix])
@pytest.mark.filterwarnings("ignore")  # peft reads a renamed attribute, and asks for seeds
def test_adapters_that_are_switched_are_noticed(config: Callable[[], Any]) -> None:
    torch.manual_seed(7)
    model = peft.get_peft_model(own_model(), config()).eval()
    model.add_adapter("second", config())
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora" in name or "prompt" in name:
                weights.normal_(0, 1.0)
    generator = Generator(model, TOKENIZER)
    generator.remember(HEAD)

    def agrees() -> list[float]:
        found = exact(generator, PROMPTS[0])
        assert found == pytest.approx(exact(Generator(model, TOKENIZER), PROMPTS[0]), rel=1e-4)
        return found

    found = []
    for name in ("default", "second", "default"):
        model.set_adapter(name)
        found.append(agrees())
    with model.disable_adapter():
        found.append(agrees())
    assert found[0] == found[2]
    assert len({tuple(one) for one in found}) == 3


@pytest.mark.filterwarnings("ignore")
def test_merged_and_rescaled_adapters_are_noticed() -> None:
    torch.manual_seed(7)
    model = peft.get_peft_model(own_model(), lora()).eval()
    generator = Generator(model, TOKENIZER)
    generator.remember(HEAD)
    before = exact(generator, PROMPTS[0])
    model.merge_adapter()
    assert exact(generator, PROMPTS[0]) == pytest.approx(before, rel=1e-3)
    model.unmerge_adapter()
    for module in model.modules():
        if hasattr(module, "set_scale"):
            module.set_scale("default", 9.0)
    after = exact(generator, PROMPTS[0])
    assert after == pytest.approx(exact(Generator(model, TOKENIZER), PROMPTS[0]), rel=1e-4)
    assert after != pytest.approx(before, rel=1e-2)


@pytest.mark.parametrize("kind", ["bloom", "mistral", "t5"])
def test_models_that_cannot_start_in_the_middle_remember_nothing(kind: str) -> None:
    tokenizer = tiny.unigram() if kind == "t5" else TOKENIZER
    generator = Generator(tiny.model(kind, len(tokenizer)), tokenizer)
    spec = ct.regex("[a-b]{3}")
    before = generator("the essay is good " * 9, spec).text
    assert generator.remember("the essay is good " * 8) == 0
    assert generator("the essay is good " * 9, spec).text == before


def test_forgetting_undoes_it() -> None:
    generator = Generator(own_model(), TOKENIZER)
    known = generator.remember(HEAD)
    generator(PROMPTS[0], GRADE)
    generator.forget()
    with tokens_passed(generator) as read:
        generator(PROMPTS[0], GRADE)
    assert sum(read) > known
    assert generator.remember("Too short.") == 0


tokens = st.lists(st.integers(0, 2), max_size=40)


@given(st.lists(tokens, max_size=3), st.lists(tokens.filter(bool), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_what_is_shared_begins_every_prompt_and_one_head(
    known: list[list[int]], prompts: list[list[int]]
) -> None:
    heads = Heads()
    for head in known:
        heads.remember(head)
    shared = heads.shared(prompts)
    begins = [
        length
        for length in range(16, min(map(len, prompts)))
        if any(all(head[:length] == one[:length] for one in prompts) for head in known)
        and any(len(head) >= length and head[:length] == prompts[0][:length] for head in known)
    ]
    assert shared == max(begins, default=0)
