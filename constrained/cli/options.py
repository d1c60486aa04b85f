"""Options that the commands share: the format, the model, the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Adapter",
    "Chat",
    "ChatTemplateArg",
    "Choice",
    "DType",
    "Device",
    "Grammar",
    "Integer",
    "Json",
    "ModelName",
    "Prompt",
    "PromptFile",
    "Regex",
    "Schema",
    "SpecText",
    "Template",
    "Trust",
]

FORMAT = "Output format (exactly one)"
MODEL = "Model"

SpecText = Annotated[
    str | None,
    typer.Option("--spec", help="A SPEC, see below.", metavar="SPEC", rich_help_panel=FORMAT),
]
Template = Annotated[
    str | None,
    typer.Option(
        help="Text with holes: 'Essay score: {score:0..10} / 10'.", rich_help_panel=FORMAT
    ),
]
Regex = Annotated[
    str | None, typer.Option(help="The whole answer matches this.", rich_help_panel=FORMAT)
]
Choice = Annotated[
    list[str] | None,
    typer.Option(
        help="One of these texts; repeat the option.", metavar="TEXT", rich_help_panel=FORMAT
    ),
]
Integer = Annotated[str | None, typer.Option(help="A range such as 0..10.", rich_help_panel=FORMAT)]
Schema = Annotated[
    Path | None, typer.Option(help="A file with a JSON Schema.", rich_help_panel=FORMAT)
]
Grammar = Annotated[
    Path | None, typer.Option(help="A file with a Lark-style grammar.", rich_help_panel=FORMAT)
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="A folder, a name on the model hub, or smollm2 (needs no hub).",
        rich_help_panel=MODEL,
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(help="A PEFT adapter (LoRA, ...) for the model.", rich_help_panel=MODEL),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...", rich_help_panel=MODEL)]
DType = Annotated[
    str, typer.Option(help="auto, float32, bfloat16 or float16.", rich_help_panel=MODEL)
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code", help="Run Python code that the model brings.", rich_help_panel=MODEL
    ),
]
Chat = Annotated[
    bool | None,
    typer.Option(
        "--chat/--plain",
        help="Put the prompt into the model's chat template, or use it as it is (the default).",
        show_default=False,
    ),
]
ChatTemplateArg = Annotated[
    list[str] | None,
    typer.Option(
        "--chat-template-arg",
        help="An argument of the chat template: enable_thinking=false, or a JSON object of several;"
        " repeat the option.",
        metavar="NAME=VALUE",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a page.")]
Prompt = Annotated[str | None, typer.Argument(help="The prompt; - or nothing reads it from stdin.")]
PromptFile = Annotated[
    Path | None, typer.Option("--prompt-file", "-f", help="Read the prompt from a file.")
]
