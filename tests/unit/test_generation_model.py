"""`ModelRows` against whole passes without a cache, over architectures of every kind."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import transformers

import constrained as ct
from constrained.errors import GenerationError
from constrained.generation.branches import BranchRows
from constrained.generation.model import LanguageModel
from constrained.generation.rows import ModelRows
from constrained.generation.tree import Tree
from constrained.testing import ScriptedModel
from tests import tiny

PLAIN = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
GROUPED = {**PLAIN, "num_key_value_heads": 2, "head_dim": 8}
OLD = {"n_embd": 32, "n_layer": 2, "n_head": 4}
KINDS: dict[str, dict[str, Any]] = {
    "llama": GROUPED,
    "qwen3": GROUPED,
    "gemma": GROUPED,
    "gemma2": {**GROUPED, "sliding_window": 6},
    "gemma3_text": {
        **GROUPED, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"],
    },
    "mistral": {**GROUPED, "sliding_window": 6},
    "phi": PLAIN,
    "glm": {**GROUPED, "pad_token_id": 0},
    "gpt2": OLD,
    "gpt_neox": PLAIN,
    "gpt_neo": {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "window_size": 6,
        "attention_types": [[["global", "local"], 1]],
    },
    "gptj": {**OLD, "rotary_dim": 8},
    "opt": {
        "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "word_embed_proj_dim": 32,
    },
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 128},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "t5": tiny.SIZES["t5"],
    "bart": tiny.SIZES["bart"],
}  # fmt: skip


def build(kind: str) -> Any:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, vocab_size=97, **KINDS[kind])
    family = (
        transformers.AutoModelForSeq2SeqLM
        if config.is_encoder_decoder
        else transformers.AutoModelForCausalLM
    )
    model = family.from_config(config).eval()
    for parameter in model.parameters():
        parameter.data.mul_(1 if config.is_encoder_decoder else 3)
    return model


def whole_pass(model: Any, prompt: list[int], output: list[int]) -> torch.Tensor:
    """The logits after the prompt and after every output token, from one pass over everything."""
    with torch.inference_mode():
        if model.config.is_encoder_decoder:
            start = [model.config.decoder_start_token_id]
            inputs = {"input_ids": torch.tensor([prompt])}
            return model(**inputs, decoder_input_ids=torch.tensor([start + output])).logits[0]
        return model(torch.tensor([prompt + output])).logits[0, len(prompt) - 1 :]


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    scale = max(1.0, float(expected.std()))
    return bool((found - expected).abs().max() < 1e-4 * scale)


def draw(draws: random.Random, sizes: list[int]) -> list[list[int]]:
    return [[draws.randrange(4, 97) for _ in range(size)] for size in sizes]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_grow_by_different_lengths(kind: str) -> None:
    model, draws = build(kind), random.Random(1)
    language_model = LanguageModel(model)
    even = language_model.in_step
    prompts = draw(draws, [9, 4, 12])
    heads = draw(draws, [2, 2, 2] if even else [2, 0, 3])
    sizes = [[1] * 3, [3] * 3, [2] * 3] if even else [[1, 3, 2], [4, 1, 1], [1, 1, 1], [1, 5, 2]]
    chunks = [draw(draws, size) for size in sizes]
    rows = ModelRows(language_model)
    passes = [rows.begin(prompts, heads), *(rows.extend(chunk) for chunk in chunks)]
    for i in range(3):
        output = heads[i] + [token for chunk in chunks for token in chunk[i]]
        found = torch.cat([logits[i] for logits in passes])
        assert close(found, whole_pass(model, prompts[i], output))
    rows.select([2, 0, 2])
    more = draw(draws, [2, 2, 2])
    for place, row in enumerate([2, 0, 2]):
        output = heads[row] + [t for chunk in chunks for t in chunk[row]] + more[place]
        expected = whole_pass(model, prompts[row], output)[-2:]
        if place == 0:
            logits = rows.extend(more)
        assert close(logits[place], expected)


def extend_and_take_back(
    rows: ModelRows, outputs: list[list[int]], chunks: list[list[int]], back: list[int]
) -> None:
    """Give tokens to all rows and take the last of them back; `outputs` get what stays."""
    rows.extend(chunks)
    rows.retract(back)
    for output, chunk, wrong in zip(outputs, chunks, back, strict=True):
        output += chunk[: len(chunk) - wrong]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("t5", "bart")])
@pytest.mark.parametrize("back", [[2, 0, 3], [3, 3, 3], [0, 1, 0]], ids=str)
def test_tokens_can_be_taken_back(kind: str, back: list[int]) -> None:
    model, draws = build(kind), random.Random(4)
    rows = ModelRows(LanguageModel(model))
    outputs = draw(draws, [2, 0, 3])
    prompts = draw(draws, [9, 4, 12])
    rows.begin(prompts, outputs)
    for sizes in ([4, 3, 5], [4, 4, 4], [3, 9, 4]):
        extend_and_take_back(rows, outputs, draw(draws, sizes), back)
        chunks = draw(draws, [1, 2, 1])
        for place, logits in enumerate(rows.extend(chunks)):
            outputs[place] += chunks[place]
            expected = whole_pass(model, prompts[place], outputs[place])[-len(logits) :]
            assert close(logits, expected)
    rows.select([1, 2])
    rows.extend(draw(draws, [2, 4]))
    rows.retract([2, 4])
    for place, logits in zip([1, 2], rows.extend([[5], [6]]), strict=True):
        assert close(logits, whole_pass(model, prompts[place], [*outputs[place], place + 4])[-1:])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if LanguageModel(build(kind)).takes_trees])
def test_tokens_of_branches_can_be_taken_back(kind: str) -> None:
    model, draws = build(kind), random.Random(5)
    first = ModelRows(LanguageModel(model))
    prompts, heads = draw(draws, [9]), draw(draws, [2])
    first.begin(prompts, heads)
    rows = BranchRows(first, 3)
    outputs = [list(heads[0]) for _ in range(3)]
    for sizes, back in (([4, 3, 5], [2, 0, 3]), ([2, 2, 1], [2, 1, 1])):
        extend_and_take_back(rows, outputs, draw(draws, sizes), back)
        chunks = draw(draws, [1, 2, 1])
        for place, logits in enumerate(rows.extend(chunks)):
            outputs[place] += chunks[place]
            expected = whole_pass(model, prompts[0], outputs[place])[-len(logits) :]
            assert close(logits, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_of_continuations_is_scored_and_leaves_the_row_alone(kind: str) -> None:
    model, draws = build(kind), random.Random(2)
    rows = ModelRows(LanguageModel(model))
    prompts, heads = draw(draws, [9]), draw(draws, [2])
    rows.begin(prompts, heads)
    (tokens,) = draw(draws, [7])
    parents = [-1, -1, 0, 2, 1, 0, -1]
    scored = rows.branch(Tree(tuple(tokens), tuple(parents)))
    for place, logits in enumerate(scored):
        path, at = [], place
        while at >= 0:
            path.append(tokens[at])
            at = parents[at]
        assert close(logits, whole_pass(model, prompts[0], heads[0] + path[::-1])[-1])
    assert close(rows.extend([[5]])[0][0], whole_pass(model, prompts[0], [*heads[0], 5])[-1])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if LanguageModel(build(kind)).takes_trees])
def test_trees_can_be_scored_in_the_first_pass(kind: str) -> None:
    model, draws = build(kind), random.Random(3)
    rows = ModelRows(LanguageModel(model))
    prompts, heads = draw(draws, [9, 3, 6]), draw(draws, [2, 0, 1])
    trees = [
        Tree(tuple(draw(draws, [4])[0]), (-1, 0, -1, 1)),
        Tree(),
        Tree(tuple(draw(draws, [2])[0]), (-1, -1)),
    ]
    found = rows.begin_with_trees(prompts, heads, trees)
    for prompt, head, tree, (chain, branches) in zip(prompts, heads, trees, found, strict=True):
        assert close(chain, whole_pass(model, prompt, head))
        for place, logits in enumerate(branches):
            path, at = [], place
            while at >= 0:
                path.append(tree.tokens[at])
                at = tree.parents[at]
            assert close(logits, whole_pass(model, prompt, head + path[::-1])[-1])
    more = draw(draws, [2, 1, 3])
    for prompt, head, chunk, logits in zip(prompts, heads, more, rows.extend(more), strict=True):
        assert close(logits, whole_pass(model, prompt, head + chunk)[-len(chunk) :])


def test_the_width_is_the_output_layers() -> None:
    model = build("gpt2")
    assert LanguageModel(model).width == 97
    model.resize_token_embeddings(128)
    assert LanguageModel(model).width == 128
    assert LanguageModel(ScriptedModel(50, lambda _: {})).width == 50


def test_end_ids_come_from_the_models_settings() -> None:
    model = build("llama")
    model.generation_config.eos_token_id = [3, 9]
    assert LanguageModel(model).end_ids == (3, 9)
    model.generation_config.eos_token_id = None
    assert LanguageModel(model).end_ids == (2,)


def test_a_decoder_that_does_not_know_how_to_start_is_refused() -> None:
    model = build("t5")
    model.generation_config.decoder_start_token_id = None
    model.config.decoder_start_token_id = None
    model.config.bos_token_id = model.generation_config.bos_token_id = None
    with pytest.raises(GenerationError, match="does not say how its outputs start"):
        LanguageModel(model).decoder_start  # noqa: B018


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_that_drops_activations_is_refused_until_it_is_settled(kind: str) -> None:
    tokenizer = tiny.byte_level()
    shared = tiny.model(kind, len(tokenizer))
    model = type(shared)(shared.config)
    generator = ct.Generator(model.train(), tokenizer)
    if kind == "gpt2":
        for ask in (generator, generator.distribution):
            with pytest.raises(GenerationError, match=r"drops .* at random .*; call model\.eval"):
                ask("The score is ", range(3))
    else:  # it drops nothing, so training mode makes no difference
        assert generator("The score is ", range(3)).complete
    model.eval()
    assert generator("The score is ", range(3)).complete
