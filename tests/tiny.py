"""Tiny tokenizers of every family and tiny random models, built in a second."""

from __future__ import annotations

import functools
import json
from typing import Any

import torch
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

torch.set_num_threads(1)  # tiny matrices: more threads only wait for each other

TEXT = [
    "Essay score: 7 / 10. The essay argues well, but its ending is weak.",
    "Essay score: 10 / 10\nEssay score: 3 / 10\nScore: 4.5\n",
    "The answer is positive. The answer is negative. The answer is neutral.",
    '{"name": "Ann", "score": 8, "passed": true, "tags": ["a", "b"]}',
    '{"name": "Bob", "score": 10, "passed": false, "tags": []}',
    "good, bad, excellent, poor; naïve café, 日本語, 😀",
    "A grade of B+ is better than a grade of C-, and 100 is more than 99.",
    "def grade(essay):\n    return 0 if not essay else 10\n",
    "yes no yes no maybe   indented      text\tand tabs",
    "0 1 2 3 4 5 6 7 8 9",
] * 4


def _special(tokenizer: Tokenizer, **kwargs: Any) -> Any:
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **kwargs)


@functools.cache
def byte_level(size: int = 420, *, digits: bool = True, bos: bool = False) -> Any:
    """Byte-level BPE as GPT-2 and Llama 3 have it; `digits` splits numbers into digits."""
    tokenizer = Tokenizer(models.BPE())
    split = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*split, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<|end|>", "<|start|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|start|> $A", special_tokens=[("<|start|>", 1)]
        )
    return _special(
        tokenizer,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        bos_token="<|start|>" if bos else None,
        padding_side="left",
    )


@functools.cache
def sentencepiece(size: int = 300) -> Any:
    """BPE with ``▁`` for spaces, a space before every text and byte fallback, as Llama 2 has it."""
    plain = Tokenizer(models.BPE(unk_token="<unk>"))
    plain.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    plain.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[], show_progress=False)
    plain.train_from_iterator([line.replace("\n", " ") for line in TEXT], trainer)
    trained = json.loads(plain.to_str())["model"]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    names += sorted(trained["vocab"], key=trained["vocab"].get)
    tokenizer = Tokenizer(
        models.BPE(
            vocab={name: i for i, name in enumerate(dict.fromkeys(names))},
            merges=[tuple(pair) for pair in trained["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = plain.normalizer
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return _special(
        tokenizer,
        eos_token="</s>",
        bos_token="<s>",
        unk_token="<unk>",
        pad_token="</s>",
        padding_side="left",
    )


@functools.cache
def unigram(size: int = 200) -> Any:
    """Unigram with ``▁`` for spaces and no byte fallback, as T5 has it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace("\n", " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=size,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return _special(tokenizer, eos_token="</s>", unk_token="<unk>", pad_token="<pad>")


SIZES = {
    "llama": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mistral": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "sliding_window": 9,
    },
    "t5": {
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
        "decoder_start_token_id": 0,
    },
    "bart": {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_ffn_dim": 64,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "decoder_ffn_dim": 64,
    },
}


@functools.cache
def model(kind: str, width: int, *, end: int = 0, pad: int = 2, seed: int = 0) -> Any:
    """A random model with weights large enough for opinions."""
    torch.manual_seed(seed)
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=width,
        eos_token_id=end,
        pad_token_id=pad,
        bos_token_id=None,
        **({"forced_eos_token_id": None} if kind == "bart" else {}),
        **SIZES[kind],
    )
    family = (
        transformers.AutoModelForSeq2SeqLM
        if config.is_encoder_decoder
        else transformers.AutoModelForCausalLM
    )
    made = family.from_config(config).eval()
    scale = 1.5 if kind in ("t5", "bart") else 4.0
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.mul_(scale)
    return made
