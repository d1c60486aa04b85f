"""Masks and draws on a device, tried on the CPU: against masks made anew and draws made there."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

import constrained as ct
from constrained.engine import Engine
from constrained.errors import GenerationError
from constrained.generation import Generator, LogitsMask
from constrained.generation.device_scores import DeviceDraws, draw_rows
from constrained.generation.guide import ENDED
from constrained.generation.mask_table import MaskTable
from constrained.generation.masking import MaskKey, fill_masks, mask_words
from constrained.generation.policy import guide_of
from constrained.generation.sampling import Sampling
from constrained.generation.scores import Choice
from constrained.vocabulary import Vocabulary
from tests import tiny

CPU = torch.device("cpu")
LIST = ct.regex("(good|bad)(, (good|bad))*\\.")
OBJECT = ct.json(
    {
        "type": "object",
        "properties": {"name": {"enum": ["Ann", "Bob"]}, "score": {"type": "integer"}},
        "required": ["name", "score"],
        "additionalProperties": False,
    }
)
GRADE = ct.template("Essay score: {score} / 10", score=range(11))
PROMPTS = ["The essay argues well.\n", "Bad.\n", "Essay score: 10 / 10\nNext: ", "a"]


def model_of(kind: str, dtype: torch.dtype = torch.float32) -> Any:
    tokenizer = tiny.byte_level()
    ids = {"end": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    return copy.deepcopy(tiny.model(kind, len(tokenizer), **ids)).to(dtype)


# The table


def number_masks(keys: Sequence[int], rows: np.ndarray) -> None:
    """A key's mask are the bits of the key itself."""
    rows[:, 0] = keys
    rows[:, 1:] = 0


def masked_by(table: MaskTable[int], keys: Sequence[int | None]) -> list[int]:
    """Which keys the table applied, read back from what it left."""
    logits = table.block_(torch.zeros((len(keys), 30)), keys)
    return [sum(1 << i for i, x in enumerate(row) if x == 0) for row in logits.tolist()]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.lists(st.none() | st.integers(0, 12), min_size=1, max_size=6), max_size=12),
    most=st.integers(1, 5),
    ahead=st.booleans(),
)
def test_every_row_gets_its_own_mask_however_few_fit(steps, most, ahead):
    table = MaskTable[int](2, CPU, number_masks, most_bytes=most * 8)
    held = most
    for keys in steps:
        if ahead:
            table.prepare(keys)
        assert masked_by(table, keys) == [2**30 - 1 if key is None else key for key in keys]
        held = max(held, len(set(keys) - {None}))  # a step gets all that it needs
        assert len(table) <= table.rows <= held


def test_a_mask_is_made_and_uploaded_once_and_the_one_used_longest_ago_gives_way():
    made: list[int] = []

    def fill(keys: Sequence[int], rows: np.ndarray) -> None:
        made.extend(keys)
        number_masks(keys, rows)

    table = MaskTable[int](2, CPU, fill, most_bytes=3 * 8)
    for _ in range(5):
        masked_by(table, [1, 2, 3, 2, 1])
    assert made == [1, 2, 3]
    masked_by(table, [1])
    masked_by(table, [4])  # 2 and 3 were used before 1, and 2 before 3
    masked_by(table, [1, 3, 4])
    assert made == [1, 2, 3, 4]
    masked_by(table, [2])
    assert made == [1, 2, 3, 4, 2]
    assert table.uploaded == 5
    assert table.rows == 3


def test_a_table_grows_and_keeps_what_it_has():
    table = MaskTable[int](2, CPU, number_masks)
    for first in range(0, 2000, 100):
        masked_by(table, range(first, first + 100))
    assert table.rows >= len(table) == table.uploaded == 2000
    assert masked_by(table, [0, 1999, 257]) == [0, 1999, 257]
    assert table.uploaded == 2000


def test_preparing_returns_at_once_and_the_masks_are_waited_for():
    go, names = threading.Event(), []

    def fill(keys: Sequence[int], rows: np.ndarray) -> None:
        names.append(threading.current_thread().name)
        assert go.wait(30)
        number_masks(keys, rows)

    table = MaskTable[int](1, CPU, fill)
    table.prepare([5, None, 6])
    table.prepare([6, 7])
    assert len(table) == 0
    threading.Timer(0.1, go.set).start()
    assert masked_by(table, [7, 5, 6]) == [7, 5, 6]
    assert threading.current_thread().name not in names
    assert len(names) == 2


def test_an_error_comes_out_where_the_mask_is_wanted_and_only_there():
    broken = True

    def fill(keys: Sequence[int], rows: np.ndarray) -> None:
        if broken and 3 in keys:
            raise GenerationError("no such mask")
        number_masks(keys, rows)

    table = MaskTable[int](1, CPU, fill)
    table.prepare([3])
    assert masked_by(table, [4]) == [4]
    with pytest.raises(GenerationError, match=r"^no such mask$"):
        masked_by(table, [3])
    assert masked_by(table, [4]) == [4]
    broken = False
    assert masked_by(table, [3]) == [3]


def test_threads_share_a_table_that_is_too_small_for_them():
    table = MaskTable[int](2, CPU, number_masks, most_bytes=2 * 8)
    wrong: list[Any] = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(60):
            keys = random.integers(0, 8, 4).tolist()
            table.prepare(keys[:2])
            found = masked_by(table, keys)
            if found != keys:
                wrong.append((keys, found))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_masks_of_guides_of_both_kinds_are_those_of_their_allowed_ids():
    vocabulary = Vocabulary.from_tokenizer(tiny.byte_level())
    speller = None
    keys = [MaskKey(None, ENDED)]
    for spec in (LIST, OBJECT, GRADE):
        guide = guide_of(spec, vocabulary, speller)
        node, random = guide.start, np.random.default_rng(0)
        while node != ENDED and len(keys) < 60:
            keys += [MaskKey(guide, node), MaskKey(guide, node, guide.cost(node) + 3)]
            node = guide.advance(node, int(random.choice(guide.allowed(node))))
        keys.append(MaskKey(guide, ENDED))
    rows = np.full((len(keys), mask_words(vocabulary)), -1, dtype=np.int32)
    fill_masks(vocabulary, keys, rows)
    for (guide, node, budget), row in zip(keys, rows, strict=True):
        bits = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
        ends = sorted(vocabulary.end_ids)
        assert bits == (ends if guide is None else guide.allowed(node, budget).tolist())


# Draws


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_draw_on_the_device_is_the_draw_of_the_cpu(data):
    width = data.draw(st.integers(2, 60))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    samplings, rows, numbers, expected = [], [], [], []
    for _ in range(data.draw(st.integers(1, 4))):
        sampling = Sampling(
            data.draw(st.sampled_from([0.0, 0.3, 1.0, 2.5])),
            data.draw(st.none() | st.integers(1, 80)),
            data.draw(st.none() | st.floats(0.05, 1.0)),
        )
        # Few different logits: ties have to be settled the same way.
        row = np.round(random.normal(0, 2, width), data.draw(st.sampled_from([0, 8])))
        allowed = np.sort(random.choice(width, random.integers(1, width + 1), replace=False))
        number = float(random.random())

        class Fixed:
            def __init__(self, value: float) -> None:
                self.value = value

            def random(self) -> float:
                return self.value

        probabilities = sampling.probabilities(row[allowed])
        at = sampling.draw(probabilities, Fixed(number))
        inside = float(np.logaddexp.reduce(row[allowed]))
        greedy = sampling.temperature == 0
        local = float(row[allowed[at]]) - inside if greedy else float(np.log(probabilities[at]))
        expected.append([float(allowed[at]), inside, local, row[allowed].max()])
        masked = np.full(width, -np.inf)
        masked[allowed] = row[allowed]
        rows.append(masked)
        samplings.append(sampling)
        numbers.append(number)
    found = draw_rows(torch.tensor(np.array(rows)), samplings, numbers).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-53])
def test_a_token_outside_the_mask_is_never_drawn_even_at_the_rim(number):
    logits = torch.full((1, 1000), float("-inf"))
    logits[0, 400:410] = torch.linspace(-700, 0, 10)
    token = int(draw_rows(logits, [Sampling(1.0)], [number])[0, 0])
    assert 400 <= token < 410


def test_draws_follow_the_distribution_of_the_mask():
    vocabulary = Vocabulary([b"a", b"b", b"c", b"d", None], end_ids=[4])
    guide = guide_of(ct.choice(["a", "c", "d"]), vocabulary, None)
    logits = torch.log(torch.tensor([[[0.1, 0.6, 0.2, 0.05, 0.05]]]))
    draws = DeviceDraws(vocabulary, always=True)
    random = np.random.default_rng(1)
    ((scores,),) = draws.scores(list(logits))
    choice = Choice(guide, guide.start, None, Sampling(1.0), random)
    drawn = [scores.draw(choice) for _ in range(2000)]
    counts = np.bincount([one.token for one in drawn], minlength=5)
    expected = 2000 * np.array([0.1, 0.2, 0.05]) / 0.35
    assert counts[[1, 4]].sum() == 0
    assert ((counts[[0, 2, 3]] - expected) ** 2 / expected).sum() < 13.8  # chi-square, p = 0.001
    assert drawn[0].removed == pytest.approx(0.65)
    assert {round(one.local, 6) for one in drawn} == {
        round(float(np.log(p / 0.35)), 6) for p in (0.1, 0.2, 0.05)
    }
    assert scores.logprob(1) == pytest.approx(np.log(0.6))
    assert scores.total == pytest.approx(0.0, abs=1e-6)
    assert scores.logits.tolist() == pytest.approx(logits[0, 0].tolist())


# The loop

SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"temperature": 1.0, "seed": 3},
    "cut": {"temperature": 1.3, "top_k": 5, "top_p": 0.9, "seed": 4},
    "several": {"temperature": 1.0, "samples": 3, "seed": 5},
    "tight": {"temperature": 2.0, "seed": 6, "max_new_tokens": 12},
}


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("how", SETTINGS)
def test_the_loop_answers_the_same_on_the_device(kind: str, how: str) -> None:
    tokenizer, model = tiny.byte_level(), model_of(kind)
    specs = [LIST, GRADE, None, ct.choice(["positive", "negative"])]
    asked = {"max_new_tokens": 24, "partial": True, **SETTINGS[how]}
    here = Generator(model, tokenizer, device_masks=False)(PROMPTS, specs, **asked)
    there = Generator(model, tokenizer, device_masks=True)(PROMPTS, specs, **asked)
    for one, other in zip(flat(here), flat(there), strict=True):
        assert other.text == one.text
        assert other.token_ids == one.token_ids
        assert other.finish_reason == one.finish_reason
        assert other.logprob == pytest.approx(one.logprob, abs=1e-4)
        assert other.removed_mass == pytest.approx(one.removed_mass, abs=1e-5)


def flat(results: Sequence[Any]) -> list[Any]:
    return [one for r in results for one in (r if isinstance(r, list) else [r])]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_logits_of_every_precision(dtype: torch.dtype) -> None:
    tokenizer, model = tiny.byte_level(), model_of("llama", dtype)
    here = Generator(model, tokenizer, device_masks=False)(PROMPTS, OBJECT, max_new_tokens=40)
    there = Generator(model, tokenizer, device_masks=True)(PROMPTS, OBJECT, max_new_tokens=40)
    assert [r.text for r in there] == [r.text for r in here]
    assert all(OBJECT.matches(r.text) for r in there)


def test_logits_that_are_not_finite_are_refused_there_too() -> None:
    model = model_of("llama")
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(float("nan"))
    generator = Generator(model, tiny.byte_level(), device_masks=True)
    with pytest.raises(GenerationError, match="no finite logit to any allowed token"):
        generator("a", LIST)


WAITS = {"cpu", "item", "tolist", "nonzero", "__bool__", "__int__", "__float__", "__index__"}


class Waits(TorchFunctionMode):
    """Counts the calls that would wait for a device, outside the model's own pass."""

    def __init__(self, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.passes = 0
        self.seen: list[str] = []
        self._inside = False
        forward = model.forward

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.passes += 1
            self._inside = True
            try:
                return forward(*args, **kwargs)
            finally:
                self._inside = False

        monkeypatch.setattr(model, "forward", counted)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        given = [one for one in (*args[1:], *kwargs.values()) if isinstance(one, str)]
        moves = name == "to" and "cpu" in given  # a device of the table is none that is spelled out
        if not self._inside and (name in WAITS or moves or picks_by_mask(name, args)):
            self.seen.append(name)
        return func(*args, **kwargs)


def picks_by_mask(name: str, args: Any) -> bool:
    """Indexing by a boolean tensor asks the device how many there are."""
    index = args[1] if name == "__getitem__" else None
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, torch.Tensor) and part.dtype == torch.bool for part in parts)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_loop_waits_for_the_tokens_of_a_pass_and_nothing_else(temperature, monkeypatch):
    model = model_of("llama")
    generator = Generator(model, tiny.byte_level(), device_masks=True)
    warm = generator(PROMPTS, LIST, max_new_tokens=60, temperature=temperature, seed=1)
    with Waits(model, monkeypatch) as waits:
        again = generator(PROMPTS, LIST, max_new_tokens=60, temperature=temperature, seed=1)
    assert [r.text for r in again] == [r.text for r in warm]
    assert waits.passes > 3
    # Numbers that were read are made a list on the CPU; that is no second wait.
    assert waits.seen.count("cpu") == waits.seen.count("tolist") <= waits.passes + len(PROMPTS)
    assert set(waits.seen) <= {"cpu", "tolist", "to"}
    assert waits.seen.count("to") == 0


def test_masks_are_made_while_the_model_runs(monkeypatch):
    """The second pass does not go on before a mask for what follows it is in the making."""
    # Drafts would have some of the masks made passes before.
    monkeypatch.setattr("constrained.generation.row.MOST_DRAFTED", 0)
    model = model_of("llama")
    generator = Generator(model, tiny.byte_level(), device_masks=True, spellings="all")
    started = threading.Event()
    fill, forward, waited = Engine.fill_masks, model.forward, []

    def watched(self: Engine, *args: Any, **kwargs: Any) -> None:
        started.set()
        fill(self, *args, **kwargs)

    def patient(*args: Any, **kwargs: Any) -> Any:
        if waited or started.is_set():
            waited.append(started.wait(30))
        started.clear()
        return forward(*args, **kwargs)

    monkeypatch.setattr(Engine, "fill_masks", watched)
    monkeypatch.setattr(model, "forward", patient)
    result = generator("Number: ", ct.regex("[0-9]{6}"), max_new_tokens=8)
    assert len(result.text) == 6
    assert len(waited) >= 2
    assert all(waited)


# The processor


def scores_of(rows: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn((rows, width), generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_processor_masks_the_same_bits_on_the_device(dtype):
    tokenizer = tiny.byte_level()
    width = len(tokenizer) + 13
    prompt = torch.tensor([tokenizer.encode("ab")] * 3)
    here = LogitsMask([LIST, None, GRADE], tokenizer, width=width)
    there = LogitsMask([LIST, None, GRADE], tokenizer, width=width, device_masks=True)
    rows = prompt
    for _ in range(12):
        scores = scores_of(3, width, dtype)
        before = scores.clone()
        one, other = here(rows, scores), there(rows, scores)
        assert torch.equal(scores, before)
        assert other.dtype == dtype
        assert torch.equal(one, other)
        rows = torch.cat([rows, other.argmax(dim=-1, keepdim=True)], dim=1)


def test_a_step_of_the_processor_waits_for_the_tokens_and_nothing_else(monkeypatch):
    tokenizer, model = tiny.byte_level(), model_of("llama")
    mask = LogitsMask([LIST, None], tokenizer, device_masks=True)
    rows = torch.tensor([tokenizer.encode("ab")] * 2)
    with Waits(model, monkeypatch) as waits:
        for _ in range(5):
            masked = mask(rows, scores_of(2, len(tokenizer), torch.float32))
            rows = torch.cat([rows, masked.argmax(dim=-1, keepdim=True)], dim=1)
    # From the second step on, what the step before found out is on the CPU along with the tokens.
    assert waits.seen == ["cpu", *["cpu", "__bool__"] * 4]


@pytest.mark.parametrize("known", [True, False])
def test_a_row_with_nothing_left_is_refused_at_the_next_step_or_the_last(known):
    tokenizer = tiny.byte_level()
    mask = LogitsMask(
        LIST, tokenizer, device_masks=True, max_new_tokens=40 if known else None, spellings="all"
    )
    rows = torch.tensor([tokenizer.encode("ab")])
    scores = torch.full((1, len(tokenizer)), float("-inf"))
    scores[0, tokenizer.encode("z")] = 1.0
    masked = mask(rows, scores)
    token = masked.argmax(dim=-1, keepdim=True)
    assert int(token) not in mask.vocabulary.end_ids
    with pytest.raises(GenerationError, match="is forbidden by another setting of generate"):
        mask(torch.cat([rows, token], dim=1), scores)
    mask(rows, scores_of(1, len(tokenizer), torch.float32))  # the object can be used again


def test_the_last_step_of_a_budget_is_asked_at_once():
    tokenizer = tiny.byte_level()
    mask = LogitsMask(ct.integer(0, 9), tokenizer, device_masks=True, max_new_tokens=1)
    scores = torch.full((1, len(tokenizer)), float("-inf"))
    with pytest.raises(GenerationError, match="is forbidden by another setting of generate"):
        mask(torch.tensor([tokenizer.encode("ab")]), scores)
