"""What does the constraint cost on a card, as a share of a decode step and in tokens per second?

    python benchmarks/gpu.py                          # a random model in the shape of LLaMA 8B
    python benchmarks/gpu.py --layers 8               # a slice of it, scaled (and said so)
    python benchmarks/gpu.py --shape tiny --device cpu --batches 1 2 --tokens 4 --rounds 1

Prints for each batch: making masks (of states that the engine has met before; first visits are
what `maskbench_engine.py` is about) and uploading them as new, masking with known ones (their
places and the kernel, waited for: an upper bound, as a real step does not wait), one decode step
of the model, and the share. Then tokens per second: our loop, and `model.generate` with and
without processors. The weights are random, so texts mean nothing; the times do not depend on them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import transformers
from peers import PROCESSORS, Format, Target
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import constrained as ct
from constrained.generation import Generator, LogitsMask
from constrained.generation.guide import Guide
from constrained.generation.kernels import default_backend
from constrained.generation.mask_table import MaskTable
from constrained.generation.masking import MaskKey, fill_masks, mask_words
from constrained.generation.policy import guide_of
from constrained.vocabulary import Vocabulary

SHAPES: dict[str, dict[str, int]] = {
    "llama-8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "llama-1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "tiny": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    },
}
PATTERN = "[a-z]+( [a-z]+){1000,}\\."
"""Longer than any answer here, so that every step has a choice to make."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="llama-8b")
    parser.add_argument("--layers", type=int, help="build only so many layers, and scale")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default="bfloat16")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64, 256])
    parser.add_argument("--context", type=int, default=256, help="tokens in the cache of a step")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of an answer")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tokenizer", help="a folder; otherwise a small one is trained here")
    options = parser.parse_args()
    shape = dict(SHAPES[options.shape])
    whole = shape["num_hidden_layers"]
    shape["num_hidden_layers"] = built = options.layers or whole
    if built != whole and not 2 <= built < whole:
        parser.error(f"--layers takes 2 to {whole}: what a layer costs needs two of them")
    device = torch.device(options.device)
    tokenizer = load_tokenizer(options.tokenizer)
    model = random_model(shape, tokenizer, device, getattr(torch, options.dtype))
    print(f"card: {card(device)}; masks by {default_backend(device)}; torch {torch.__version__}")
    print(f"model: {options.shape}, random, {built} of {whole} layers, {options.dtype}")
    print_steps(model, tokenizer, whole, options)
    print_speeds(model, tokenizer, options)


def print_steps(model: Any, tokenizer: Any, whole: int, options: argparse.Namespace) -> None:
    """Milliseconds of each part of a step."""
    device, width = model.device, model.config.vocab_size
    vocabulary = Vocabulary.from_tokenizer(tokenizer, width=width)
    guide = guide_of(ct.regex(PATTERN), vocabulary, None, spellings="all")
    built = model.config.num_hidden_layers
    print(f"\nmilliseconds, medians of {options.rounds}; {options.context} tokens in the cache")
    print("batch  make masks  upload  mask a step  decode step  share")
    for batch in options.batches:
        keys = walk(guide, batch)
        logits = torch.randn((batch, width), device=device, dtype=model.dtype)
        fill = partial(fill_masks, vocabulary)

        def new_table(fill: Any = fill) -> MaskTable[MaskKey]:
            return MaskTable(mask_words(vocabulary), device, fill)

        table = new_table()
        clock = partial(seconds, device=device, rounds=options.rounds)
        make = clock(partial(fill_now, keys=keys), prepare=new_table)
        full = clock(partial(apply, keys=keys, logits=logits), prepare=ready(keys, new_table))
        known = clock(partial(apply, keys=keys, logits=logits), prepare=lambda table=table: table)
        step = decode_step(model, batch, options, built)
        note = ""
        if built < whole:
            single = decode_step(model, batch, options, 1)
            each = (step - single) / (built - 1)
            note = f"  (measured {1e3 * step:.3f} with {built} layers, scaled to {whole})"
            step = single + each * (whole - 1)
        upload = max(full - known, 0.0)
        print(
            f"{batch:5}  {1e3 * make:10.3f}  {1e3 * upload:6.3f}  {1e3 * known:11.3f}  "
            f"{1e3 * step:11.3f}  {known / step:5.2%}{note}"
        )


def print_speeds(model: Any, tokenizer: Any, options: argparse.Namespace) -> None:
    """Tokens per second; a slice of a model says nothing of the whole one's."""
    width = model.config.vocab_size
    target, wanted = Target(model, tokenizer, width), Format("regex", PATTERN)
    generator = Generator(model, tokenizer)
    mask = LogitsMask(ct.regex(PATTERN), tokenizer, width=width)
    print(f"\ntokens per second, {options.tokens} tokens per answer, with the layers built")
    for batch in options.batches:
        prompts = [f"Describe number {i}: " for i in range(batch)]
        encoded = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
        inputs = {key: encoded[key].to(model.device) for key in ("input_ids", "attention_mask")}

        def loop(spec: Any, prompts: list[str] = prompts) -> int:
            answers = generator(prompts, spec, max_new_tokens=options.tokens, partial=True)
            return sum(len(answer.token_ids) for answer in answers)

        def generate(processors: list[Any], inputs: dict[str, Any] = inputs) -> int:
            output = model.generate(
                **inputs,
                do_sample=False,
                min_new_tokens=None if processors else options.tokens,
                max_new_tokens=options.tokens,
                logits_processor=processors,
                pad_token_id=tokenizer.pad_token_id,
            )
            return int(output.shape[0] * (output.shape[1] - inputs["input_ids"].shape[1]))

        ways: dict[str, Callable[[], int]] = {
            "our loop, no constraint": partial(loop, None),
            "our loop": partial(loop, ct.regex(PATTERN)),
            "generate, no constraint": partial(generate, []),
            "generate, LogitsMask": partial(generate, [mask]),
        }
        for name in ("xgrammar", "llguidance"):
            if name in PROCESSORS:
                ways[f"generate, {name}"] = lambda name=name, batch=batch: generate(
                    [PROCESSORS[name](target, wanted, batch)]
                )
        for name, way in ways.items():
            way()  # compiles, allocates, fills the tables
            mask.restart()
            begin = time.perf_counter()
            tokens = way()
            spent = time.perf_counter() - begin
            mask.restart()
            print(f"batch {batch:4}  {name:26} {tokens / spent:10.1f}")


def fill_now(table: MaskTable[MaskKey], keys: list[MaskKey]) -> None:
    """Make the masks and wait for them, without sending them."""
    table.prepare(keys)
    table.wait()


def apply(table: MaskTable[MaskKey], keys: list[MaskKey], logits: torch.Tensor) -> None:
    """What a step does with its logits."""
    table.block_(logits, keys)


def ready(keys: list[MaskKey], new: Callable[[], MaskTable[MaskKey]]) -> Callable[[], Any]:
    """Tables whose masks are made but not sent."""

    def make() -> MaskTable[MaskKey]:
        table = new()
        fill_now(table, keys)
        return table

    return make


def decode_step(model: Any, batch: int, options: argparse.Namespace, layers: int) -> float:
    """Seconds of a pass over one token of each row, through the first layers."""
    built = model.config.num_hidden_layers
    model.config.num_hidden_layers = layers
    tokens = torch.zeros((batch, options.context), dtype=torch.long, device=model.device)
    try:
        with torch.inference_mode():
            cache = model(tokens, use_cache=True, logits_to_keep=1).past_key_values

            def step(_: Any) -> None:
                model(tokens[:, :1], past_key_values=cache, use_cache=True)
                cache.crop(-1)

            return seconds(step, model.device, options.rounds)
    finally:
        model.config.num_hidden_layers = built


def seconds(
    work: Callable[[Any], Any],
    device: torch.device,
    rounds: int,
    prepare: Callable[[], Any] = lambda: None,
) -> float:
    """The median time of `work` on what `prepare` gives, the device waited for."""
    spent = []
    for _ in range(rounds + 1):
        given = prepare()
        wait(device)
        begin = time.perf_counter()
        work(given)
        wait(device)
        spent.append(time.perf_counter() - begin)
    return statistics.median(spent[1:])  # the first one compiles and allocates


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def walk(guide: Guide, states: int) -> list[MaskKey]:
    """So many nodes along one output."""
    keys, node = [], guide.start
    for place in range(states):
        keys.append(MaskKey(guide, node))
        allowed = guide.allowed(node)
        node = guide.advance(node, int(allowed[place % len(allowed)]))
    return keys


def card(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "none (CPU)"


def random_model(shape: dict[str, int], tokenizer: Any, device: Any, dtype: torch.dtype) -> Any:
    config = transformers.LlamaConfig(
        **shape,
        max_position_embeddings=8192,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    with torch.device(device):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def load_tokenizer(folder: str | None) -> Any:
    if folder is not None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        return tokenizer
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|end|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator([__doc__] * 4, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained, eos_token="<|end|>", pad_token="<|pad|>", padding_side="left"
    )


if __name__ == "__main__":
    main()
