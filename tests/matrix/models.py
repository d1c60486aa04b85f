"""Tiny random models of every kind of architecture, and what each takes for a prompt."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from constrained.vocabulary import Vocabulary
from tests import tiny

ATTENTION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
DECODERS: dict[str, dict[str, Any]] = {
    "llama": ATTENTION,
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "opt": {
        "hidden_size": 32,
        "word_embed_proj_dim": 32,
        "ffn_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    },
    "glm": {**ATTENTION, "head_dim": 8},
    "glm4": {**ATTENTION, "head_dim": 8},
    "gemma3_text": {**ATTENTION, "head_dim": 8, "sliding_window": 9},
    "qwen2": ATTENTION,
    "qwen3": {**ATTENTION, "head_dim": 8},
}
KINDS = [*DECODERS, "t5", "whisper", "llava"]
SPELLED_BY_SENTENCEPIECE = {"llama", "gemma3_text"}
MORE_LOGITS = 13
"""Logits beyond the tokenizer's ids: real models pad their embeddings."""
PATCHES, MELS, FRAMES = 4, 8, 24


@dataclass(frozen=True)
class Subject:
    """A model under test with its tokenizer, and how to ask it."""

    kind: str
    model: Any
    tokenizer: Any

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(self.model.config.is_encoder_decoder)

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.from_tokenizer(self.tokenizer, width=self.width)

    @property
    def width(self) -> int:
        return int(self.model.config.get_text_config(decoder=True).vocab_size)

    def inputs(self, prompts: Sequence[str], side: str = "left") -> dict[str, Any]:
        if self.kind == "whisper":
            torch.manual_seed(sum(map(len, prompts)))
            return {"input_features": torch.randn(len(prompts), MELS, FRAMES)}
        encoded = self.tokenizer(
            list(prompts), return_tensors="pt", padding=True, padding_side=side
        )
        inputs = {key: encoded[key] for key in ("input_ids", "attention_mask")}
        if self.kind == "llava":
            image = torch.full((len(prompts), PATCHES), self.model.config.image_token_id)
            inputs["input_ids"] = torch.cat([inputs["input_ids"], image], dim=1)
            seen = torch.ones_like(image)
            inputs["attention_mask"] = torch.cat([inputs["attention_mask"], seen], dim=1)
            torch.manual_seed(0)
            inputs["pixel_values"] = torch.randn(len(prompts), 3, 8, 8)
        return inputs

    def generate(
        self, prompts: Sequence[str], mask: Any, *, side: str = "left", seed: int = 0, **more: Any
    ) -> tuple[list[list[int]], Any]:
        """The ids that were generated for each row, and what `generate` gave."""
        inputs = self.inputs(prompts, side)
        torch.manual_seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output = self.model.generate(
                **inputs,
                **{"max_new_tokens": 48, "return_dict_in_generate": True, **more},
                logits_processor=None if mask is None else [mask],
            )
        start = 1 if self.is_encoder_decoder else inputs["input_ids"].shape[1]
        if self.kind == "whisper":
            start = 0 if output.sequences[0, 0] != self.start_id else 1
        return output.sequences[:, start:].tolist(), output

    @property
    def start_id(self) -> int:
        return int(self.model.config.decoder_start_token_id)

    def text(self, ids: Sequence[int]) -> str:
        """What the ids spell, without a space that the tokenizer puts before every text."""
        ends = [place for place, token in enumerate(ids) if token in self.vocabulary.end_ids]
        data = self.vocabulary.spell(ids[: ends[0]] if ends else ids)
        text = data.decode("utf-8")
        return text.removeprefix(" ") if self.kind == "t5" else text


@functools.cache
def subject(kind: str, seed: int = 0) -> Subject:
    tokenizer = tokenizer_of(kind)
    torch.manual_seed(seed)
    config = config_of(kind, len(tokenizer) + MORE_LOGITS, tokenizer)
    family = {
        "t5": transformers.AutoModelForSeq2SeqLM,
        "whisper": transformers.WhisperForConditionalGeneration,
        "llava": transformers.LlavaForConditionalGeneration,
    }.get(kind, transformers.AutoModelForCausalLM)
    model = family._from_config(config) if hasattr(family, "_from_config") else None
    model = (family.from_config(config) if model is None else model).eval()
    with torch.no_grad():  # weights large enough for opinions
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(1.5 if kind in ("t5", "whisper") else 4.0)
    return Subject(kind, model, tokenizer)


def tokenizer_of(kind: str) -> Any:
    if kind == "t5":
        return tiny.unigram()
    return tiny.sentencepiece() if kind in SPELLED_BY_SENTENCEPIECE else tiny.byte_level()


def config_of(kind: str, width: int, tokenizer: Any) -> Any:
    ids = {
        "vocab_size": width,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    if kind == "t5":
        return transformers.AutoConfig.for_model(
            "t5", **ids, **tiny.SIZES["t5"], is_encoder_decoder=True
        )
    if kind == "whisper":
        return transformers.WhisperConfig(
            **{**ids, "bos_token_id": width - 1},
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            num_mel_bins=MELS,
            max_source_positions=FRAMES // 2,
            max_target_positions=128,
            decoder_start_token_id=width - 1,
        )
    if kind == "llava":
        return transformers.LlavaConfig(
            text_config=transformers.AutoConfig.for_model("llama", **ids, **ATTENTION),
            vision_config=transformers.CLIPVisionConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                image_size=8,
                patch_size=4,
                projection_dim=32,
            ),
            image_token_index=width - 1,
            image_token_id=width - 1,
            vision_feature_layer=-1,
        )
    return transformers.AutoConfig.for_model(kind, **ids, **DECODERS[kind])
