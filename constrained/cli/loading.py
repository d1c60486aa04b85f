"""What commands begin with: the prompt as it was given, and the model that is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from constrained.cli import screen
from constrained.cli.formats import read_text
from constrained.errors import GenerationError
from constrained.models import DEFAULT_MODEL, Variants, load_model, load_variants

if TYPE_CHECKING:
    from constrained.generation.generator import Generator

__all__ = ["load", "load_scorer", "prepare", "read_prompt"]


def read_prompt(prompt: str | None, file: Path | None) -> str:
    """The prompt from the argument, a file or stdin; it must not be empty."""
    if prompt not in (None, "-") and file is not None:
        raise typer.BadParameter("pass a prompt or --prompt-file, not both", param_hint="PROMPT")
    if file is not None:
        text = read_text(file, "the prompt file")
    elif prompt is not None and prompt != "-":
        text = prompt
    elif prompt is None and sys.stdin.isatty():
        raise typer.BadParameter("pass a prompt, --prompt-file or stdin", param_hint="PROMPT")
    else:
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError as error:
            raise GenerationError("the prompt on stdin is not UTF-8 text") from error
    if not text.strip():
        raise GenerationError("the prompt is empty, so there is nothing to answer")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise GenerationError("the prompt is not UTF-8 text")
    return text


def load(model: str, adapter: str | None, device: str, dtype: str, trust: bool) -> tuple[Any, Any]:
    """A model and its tokenizer, with a spinner that says what is being done."""
    with screen.spinner(f"Loading {model}") as notify:
        return load_model(
            model,
            adapter=adapter,
            device=device,
            dtype=dtype,
            trust_remote_code=trust,
            notify=notify,
        )


def load_scorer(device: str, dtype: str, trust: bool) -> Variants:
    """The default model with the fine-tuned scorer that comes with the package."""
    from constrained.demo.scorer import ADAPTER, SCORER

    with screen.spinner(f"Loading {DEFAULT_MODEL}") as notify:
        return load_variants(
            DEFAULT_MODEL,
            {SCORER: str(ADAPTER)},
            device=device,
            dtype=dtype,
            trust_remote_code=trust,
            notify=notify,
        )


def prepare(
    text: str,
    chat: bool | None,
    model: str,
    adapter: str | None,
    device: str,
    dtype: str,
    trust: bool,
) -> tuple[Generator, Any]:
    """The generator, and the prompt as the user wants it asked."""
    loaded, tokenizer = load(model, adapter, device, dtype, trust)
    from constrained.generation.generator import Generator

    if chat is None and getattr(tokenizer, "chat_template", None):
        screen.remark(
            "note: this model has a chat template and the prompt is used without it; --chat puts "
            "it in, --plain keeps it out and says nothing"
        )
    asked = [{"role": "user", "content": text}] if chat else text
    return Generator(loaded, tokenizer), asked
