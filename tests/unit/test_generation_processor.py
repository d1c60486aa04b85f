"""`LogitsMask` in every mode of `model.generate`, against outputs found by brute force."""

from __future__ import annotations

import pickle
import re
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import constrained as ct
from constrained.errors import GenerationError, Truncated, VocabularyError
from constrained.generation import LogitsMask
from constrained.vocabulary import Vocabulary
from tests import chats, tiny

GRADE = ct.template("Essay score: {score} / 10", score=range(11))
GRADES = {f"Essay score: {i} / 10" for i in range(11)}
LABEL = ct.choice(["positive", "negative", "neutral"])
LABELS = {"positive", "negative", "neutral"}
NUMBER = ct.regex("[0-9]{1,3}(\\.[0-9])?")

MODES: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "top_k": 0},
    "several sequences": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 3, "do_sample": False},
    "beams, several": {"num_beams": 4, "num_return_sequences": 3, "do_sample": False},
    "beam sampling": {"num_beams": 3, "do_sample": True},
}
KINDS = ["llama", "gpt2", "bloom", "t5", "bart"]


def tokenizer_of(kind: str) -> Any:
    return tiny.unigram() if kind in ("t5", "bart") else tiny.byte_level()


def model_of(kind: str, seed: int = 0) -> Any:
    tokenizer = tokenizer_of(kind)
    ids = {"end": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    return tiny.model(kind, len(tokenizer), seed=seed, **ids)


def generate(
    kind: str, prompts: list[str], mask: Any, *, side: str = "left", seed: int = 0, **settings: Any
) -> list[str]:
    tokenizer, model = tokenizer_of(kind), model_of(kind)
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side=side)
    inputs.pop("token_type_ids", None)
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = model.generate(
            **inputs,
            **{"max_new_tokens": 48, **settings},
            logits_processor=[mask] if mask is not None else None,
        )
    if not model.config.is_encoder_decoder:
        output = output[:, inputs["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(
        output, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return [text.removeprefix(" ") for text in texts] if kind in ("t5", "bart") else texts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_every_text_is_valid_in_every_mode(kind: str, mode: str) -> None:
    mask = LogitsMask(GRADE, tokenizer_of(kind))
    texts = generate(kind, ["The essay argues well.", "Bad."], mask, **MODES[mode])
    assert set(texts) <= GRADES
    assert len(texts) == 2 * MODES[mode].get("num_return_sequences", 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["greedy", "beams, several"])
def test_every_row_has_its_own_spec_and_none_is_free(kind: str, mode: str) -> None:
    prompts = ["The essay argues well.", "Bad.", "How many?"]
    copies = MODES[mode].get("num_return_sequences", 1)
    mask = LogitsMask([GRADE, None, LABEL], tokenizer_of(kind))
    texts = generate(kind, prompts, mask, **MODES[mode])
    rows = [set(texts[i * copies : (i + 1) * copies]) for i in range(3)]
    assert rows[0] <= GRADES
    assert rows[2] <= LABELS
    free = generate(kind, prompts, None, **MODES[mode])
    assert texts[copies : 2 * copies] == free[copies : 2 * copies]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("policy", ["all", "auto"])
def test_greedy_text_equals_brute_force_over_every_token(kind: str, policy: Any) -> None:
    tokenizer, model = tokenizer_of(kind), model_of(kind)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    pattern = re.compile(r"[0-9]{1,3}(\.[0-9])?")
    prefix = re.compile(r"|[0-9]{1,3}(\.[0-9]?)?")
    for prompt in ("The score is ", "Essay score: ", "99", "def grade"):
        ids = tokenizer.encode(prompt)
        text = b""
        while True:  # every token of the vocabulary is tried against `re`
            with torch.inference_mode():
                logits = model(torch.tensor([ids])).logits[0, -1]
            alive = [
                token
                for token, data in enumerate(vocabulary.tokens)
                if data is not None and prefix.fullmatch((text + data).decode("latin-1"))
            ]
            ends = [0] if pattern.fullmatch(text.decode()) else []
            best = max([*alive, *ends], key=lambda token: (float(logits[token]), -token))
            if best == 0:
                break
            text += vocabulary.tokens[best] or b""
            ids.append(best)
        source = vocabulary if policy == "all" else tokenizer
        mask = LogitsMask(NUMBER, source, spellings="all" if policy == "all" else "auto")
        assert generate(kind, [prompt], mask) == [text.decode()]


@pytest.mark.parametrize("mode", ["greedy", "beams"])
def test_padding_on_the_left_changes_nothing(mode: str) -> None:
    prompts = ["The essay argues well, but its ending is weak.", "Bad.", "a"]
    mask = LogitsMask(GRADE, tokenizer_of("llama"))
    together = generate("llama", prompts, mask, **MODES[mode])
    alone = [generate("llama", [prompt], mask, **MODES[mode])[0] for prompt in prompts]
    assert together == alone


@pytest.mark.parametrize("side", ["left", "right"])
def test_encoder_padding_on_either_side(side: str) -> None:
    texts = generate(
        "t5", ["The essay argues well.", "a"], LogitsMask(LABEL, tokenizer_of("t5")), side=side
    )
    assert set(texts) <= LABELS


def test_right_padding_of_a_decoder_is_part_of_the_prompt() -> None:
    mask = LogitsMask(GRADE, tokenizer_of("llama"))
    assert set(generate("llama", ["The essay argues well.", "a"], mask, side="right")) <= GRADES


def test_prompt_lookup_and_assisted_decoding_change_nothing() -> None:
    tokenizer = tokenizer_of("llama")
    assistant = model_of("llama", seed=3)
    for prompt in ("Essay score: 3 / 10\nEssay score: 9 / 10\n", "The essay. Essay score: 1 / 1"):
        mask = LogitsMask(GRADE, tokenizer)
        plain = generate("llama", [prompt], mask)
        assert set(plain) <= GRADES
        lookup = LogitsMask(GRADE, tokenizer)
        assert generate("llama", [prompt], lookup, prompt_lookup_num_tokens=4) == plain
        assisted = LogitsMask(GRADE, tokenizer)
        assert generate("llama", [prompt], assisted, assistant_model=assistant) == plain
        for seed in range(3):
            drawn = generate(
                "llama", [prompt], lookup, prompt_lookup_num_tokens=4, do_sample=True, seed=seed
            )
            assert set(drawn) <= GRADES
            drawn = generate(
                "llama", [prompt], assisted, assistant_model=assistant, do_sample=True, seed=seed
            )
            assert set(drawn) <= GRADES


def test_one_object_serves_many_calls() -> None:
    mask = LogitsMask(GRADE, tokenizer_of("gpt2"))
    first = generate("gpt2", ["The essay argues well.", "Bad."], mask)
    assert set(generate("gpt2", ["Bad."], mask, num_beams=3)) <= GRADES
    assert set(generate("gpt2", ["Bad.", "a", "b c"], mask, do_sample=True)) <= GRADES
    assert generate("gpt2", ["The essay argues well.", "Bad."], mask) == first


def test_a_second_turn_starts_afresh_though_the_first_is_its_prefix() -> None:
    tokenizer, model = tokenizer_of("llama"), model_of("llama")
    mask = LogitsMask(GRADE, tokenizer)
    ids = tokenizer("The essay argues well.\n", return_tensors="pt")["input_ids"]
    for turn in ("\nAgain:", "\n", " / 10", "", "<|end|>"):
        mask.restart()
        whole = ids
        for _ in range(3):
            output = model.generate(
                whole, max_new_tokens=48, logits_processor=[mask], do_sample=False
            )
            answer = tokenizer.decode(output[0, whole.shape[1] :], skip_special_tokens=True)
            assert answer in GRADES, turn
            more = tokenizer(turn, return_tensors="pt", add_special_tokens=False)["input_ids"]
            whole = torch.cat([output, more.to(output.dtype)], dim=1) if turn else output


def test_restart_says_that_a_continued_text_is_a_new_prompt() -> None:
    tokenizer, model = tokenizer_of("llama"), model_of("llama")
    mask = LogitsMask(GRADE, tokenizer)
    prompt = tokenizer("The essay.\n", return_tensors="pt")["input_ids"]
    cut = model.generate(prompt, max_new_tokens=3, logits_processor=[mask], do_sample=False)
    going_on = model.generate(cut, max_new_tokens=48, logits_processor=[mask], do_sample=False)
    assert tokenizer.decode(going_on[0, prompt.shape[1] :], skip_special_tokens=True) in GRADES
    mask.restart()
    afresh = model.generate(cut, max_new_tokens=48, logits_processor=[mask], do_sample=False)
    assert tokenizer.decode(afresh[0, cut.shape[1] :], skip_special_tokens=True) in GRADES


def test_threads_share_one_object() -> None:
    mask = LogitsMask(GRADE, tokenizer_of("llama"))
    prompts = ["The essay argues well.", "Bad.", "a", "The answer is"]
    expected = {prompt: generate("llama", [prompt], mask) for prompt in prompts}
    found: dict[str, list[str]] = {}
    tokenizer, model = tokenizer_of("llama"), model_of("llama")

    def work(prompt: str) -> None:
        ids = tokenizer(prompt, return_tensors="pt")
        output = model.generate(
            input_ids=ids["input_ids"],
            attention_mask=ids["attention_mask"],
            max_new_tokens=48,
            logits_processor=[mask],
            do_sample=False,
        )
        new = output[:, ids["input_ids"].shape[1] :]
        found[prompt] = tokenizer.batch_decode(new, skip_special_tokens=True)

    threads = [threading.Thread(target=work, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_scores_keep_their_dtype_and_allowed_values(dtype: torch.dtype) -> None:
    vocabulary = Vocabulary([b"a", b"b", b"c", None], end_ids=[3])
    mask = LogitsMask([ct.choice(["ab", "b"]), None], vocabulary)
    scores = torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 2, dtype=dtype)
    masked = mask(torch.tensor([[2], [2]]), scores)
    assert masked.dtype == dtype
    assert masked[0].tolist() == [1.0, 2.0, float("-inf"), float("-inf")]
    assert masked[1].tolist() == scores[1].tolist()
    assert scores[0].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_complete_row_may_only_end() -> None:
    vocabulary = Vocabulary([b"a", b"b", None, None], end_ids=[2, 3])
    mask = LogitsMask(ct.choice(["a", "b"]), vocabulary)
    inf = float("-inf")
    assert mask(torch.tensor([[1], [1]]), torch.zeros(2, 4)).tolist() == [[0, 0, inf, inf]] * 2
    after = mask(torch.tensor([[1, 0], [1, 1]]), torch.zeros(2, 4))
    assert after.tolist() == [[inf, inf, 0, 0]] * 2
    ended = mask(torch.tensor([[1, 0, 2], [1, 1, 3]]), torch.zeros(2, 4))
    assert ended.tolist() == [[0, 0, inf, inf]] * 2  # both have ended: these are new prompts


@pytest.mark.parametrize("device_masks", [False, True])
@pytest.mark.parametrize("copied", [False, True])
def test_nothing_is_written_after_an_end_that_generate_does_not_know(
    device_masks: bool, copied: bool
) -> None:
    """A turn ends where the template says, and `generate` reads the generation config alone."""
    tokenizer = chats.with_template(chats.ENDING["a token of its own"][0])
    eot, eos = tokenizer.convert_tokens_to_ids(["<|eot|>", "<|end|>"])
    model = tiny.model("llama", len(tokenizer), end=eos, pad=tokenizer.pad_token_id)
    mask = LogitsMask([LABEL, None], tokenizer, device_masks=device_masks)
    mask = pickle.loads(pickle.dumps(mask)) if copied else mask
    inputs = tokenizer(["Grade this.", "Grade that."], return_tensors="pt")
    inputs.pop("token_type_ids", None)

    def prefer(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, eot] += 100.0  # the model has learnt to end its turns
        return scores

    output = model.generate(
        **inputs, do_sample=False, max_new_tokens=48, logits_processor=[prefer, mask]
    )
    start = inputs["input_ids"].shape[1]
    graded, free = (row[start:].tolist() for row in output)
    assert graded[graded.index(eot) :][:2] == free[:2] == [eot, eos]
    assert tokenizer.decode(graded, skip_special_tokens=True) in LABELS
    assert tokenizer.decode(free, skip_special_tokens=True) == ""


def test_padding_of_the_embedding_is_masked() -> None:
    vocabulary = Vocabulary([b"a", b"b", None], end_ids=[2], width=5)
    scores = LogitsMask(ct.regex("[ab]*"), vocabulary)(torch.tensor([[1]]), torch.zeros(1, 70))
    assert torch.isfinite(scores[0]).nonzero().flatten().tolist() == [0, 1, 2]


def test_logits_narrower_than_the_vocabulary_are_refused() -> None:
    mask = LogitsMask(GRADE, tokenizer_of("llama"))
    with pytest.raises(VocabularyError) as error:
        mask(torch.tensor([[5]]), torch.zeros(1, 100))
    assert str(error.value) == (
        "the model gives 100 logits, but the vocabulary was built for 420; pass the model's own "
        "width: width=model.config.get_text_config().vocab_size"
    )


@pytest.mark.parametrize("narrow", [True, False])
def test_a_model_wider_or_narrower_than_its_tokenizer(narrow: bool) -> None:
    tokenizer = tiny.byte_level(digits=False)
    width = len(tokenizer) - 60 if narrow else len(tokenizer) + 44
    model = tiny.model("llama", width)
    mask = LogitsMask(GRADE, tokenizer, width=width)
    ids = torch.tensor([tokenizer.encode("a b c d")[:2]])
    output = model.generate(ids, max_new_tokens=48, logits_processor=[mask], do_sample=True)
    assert tokenizer.decode(output[0, 2:], skip_special_tokens=True) in GRADES
    assert int(output.max()) < width


def test_rows_that_cannot_be_shared_out_are_refused() -> None:
    mask = LogitsMask([GRADE, LABEL], tokenizer_of("llama"))
    with pytest.raises(GenerationError) as error:
        mask(torch.tensor([[5]] * 3), torch.zeros(3, 420))
    assert str(error.value) == (
        "3 rows cannot be shared out to 2 specs; pass one spec for all rows, or one per prompt"
    )
    with pytest.raises(GenerationError, match="the list of specs is empty"):
        LogitsMask([], tokenizer_of("llama"))


@pytest.mark.parametrize("mode", ["greedy", "sampling", "beams"])
@pytest.mark.parametrize(
    "make", [lambda: NUMBER, lambda: ct.regex("(good |bad )*end"), lambda: GRADE]
)
def test_a_budget_always_ends_in_a_complete_output(mode: str, make: Callable[[], Any]) -> None:
    spec = make()
    tokenizer = tokenizer_of("llama")
    for budget in (1, 2, 5, 8, 13, 40):
        try:
            mask = LogitsMask(spec, tokenizer, max_new_tokens=budget)
        except Truncated:
            continue
        texts = generate(
            "llama", ["The essay ", "Bad."], mask, max_new_tokens=budget, **MODES[mode]
        )
        assert all(spec.matches(text) for text in texts), (budget, texts)


def test_a_budget_too_small_is_refused_before_generation() -> None:
    with pytest.raises(Truncated) as error:
        LogitsMask(
            ct.choice(["positive"]),
            Vocabulary([b"p", b"o", b"s", b"i", b"t", b"v", b"e", None], end_ids=[7]),
            max_new_tokens=5,
        )
    assert str(error.value) == (
        "no output fits into max_new_tokens=5: the shortest way to complete one takes 8 tokens; "
        "allow more"
    )


def test_the_repr_shows_what_is_enforced() -> None:
    mask = LogitsMask(ct.integer(1, 1), Vocabulary([b"1", None], end_ids=[1]))
    assert repr(mask) == "LogitsMask(integer(1, 1), Vocabulary(1 tokens, width=2, end_ids=[1]))"


def test_a_mask_for_another_tokenizer_is_refused() -> None:
    model, tokenizer = model_of("gpt2"), tokenizer_of("gpt2")
    inputs = tokenizer("The score is ", return_tensors="pt")
    mask = LogitsMask(ct.integer(1, 2), Vocabulary([b"1", b"2", None], end_ids=[2]))
    most = int(inputs["input_ids"].max())
    with pytest.raises(VocabularyError) as caught:
        model.generate(**inputs, max_new_tokens=4, logits_processor=[mask])
    assert str(caught.value) == (
        f"the rows hold the id {most:,} and the mask knows ids up to 2: it was made for another "
        "tokenizer; pass the model's own"
    )
