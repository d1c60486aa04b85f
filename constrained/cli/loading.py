"""What commands begin with: the prompt as it was given, and the model that is asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from constrained.chat import takes_chats
from constrained.cli import screen
from constrained.cli.chat_arguments import chat_arguments
from constrained.cli.formats import read_text
from constrained.errors import GenerationError, InvalidSpec
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
    arguments: Sequence[str] | None,
    model: str,
    adapter: str | None,
    device: str,
    dtype: str,
    trust: bool,
) -> tuple[Generator, Any]:
    """The generator, and the prompt as the user wants it asked."""
    given = chat_arguments(arguments or ())
    if given and not chat:
        raise InvalidSpec(
            "an argument of the chat template changes nothing where the prompt is not put into it",
            where="--chat-template-arg",
            hint="add --chat",
        )
    loaded, tokenizer = load(model, adapter, device, dtype, trust)
    from constrained.generation.generator import Generator
    from constrained.generation.inputs import prompt_ids

    generator = Generator(loaded, tokenizer, chat_template_kwargs=given)
    if chat:
        return generator, [{"role": "user", "content": text}]
    if chat is None and generator.for_chat:
        screen.log(
            "warning: this model is for chat and the prompt is used without its chat template, "
            "outside of which it may give no probability to any answer; --chat puts it in, --plain "
            "keeps it out and says nothing"
        )
    elif chat is None and takes_chats(tokenizer):
        screen.remark(
            "note: this model has a chat template and the prompt is used without it; --chat puts "
            "it in, --plain keeps it out and says nothing"
        )
    # Ids are not remarked on again.
    encoder = bool(getattr(loaded.config, "is_encoder_decoder", False))
    return generator, prompt_ids(tokenizer, text, encoder=encoder)
