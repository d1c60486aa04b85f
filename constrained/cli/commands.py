"""The commands: each declares its options, calls the library and shows what came back."""

from __future__ import annotations

import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import constrained
from constrained.cli import options as o
from constrained.cli import screen
from constrained.cli.chat_arguments import chat_arguments
from constrained.cli.consistency.options import two_numbers
from constrained.cli.formats import chosen_spec, read_spec
from constrained.cli.loading import load, load_scorer, prepare, read_prompt
from constrained.models import DEFAULT_MODEL, load_tokenizer

__all__ = ["app"]

SPEC_HELP = """
A SPEC says its kind before a colon:

```text
template:Essay score: {score:0..10} / 10    text with holes
regex:[A-F][+-]?                            all of the answer matches
choice:yes|no|maybe                         one of these texts
integer:0..10   number:0..10 step 0.5       a number in a range
text:200                                    free text of that length
schema:file.json                            JSON of that JSON Schema
grammar:file.lark                           text of that grammar
substring:file.txt                          any piece of that text
```
A text with a hole needs no kind: "Essay score: {score:0..10} / 10".
"""

app = typer.Typer(
    name="constrained",
    help="Make a language model answer in a format, and see how sure it is.",
    epilog="Start with: constrained demo",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"constrained {constrained.__version__}")
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options that stand before any command; the help text is the app's own."""


@app.command()
def demo(
    model: o.ModelName = DEFAULT_MODEL,
    adapter: o.Adapter = None,
    device: o.Device = "auto",
    dtype: o.DType = "auto",
    trust_remote_code: o.Trust = False,
    essays: Annotated[
        Path | None,
        typer.Option(help="A JSON file with a question, essays and (if you like) prompts."),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(help="Only so many essays and prompts, for example 2x2.", metavar="ExP"),
    ] = None,
    json: o.Json = False,
) -> None:
    """Grade essays with a small model: how often free answers break the format, what it costs to
    guarantee it, and how far the scores move when the prompt is worded differently; and what all
    that is for the same model fine-tuned to score (the default model only, and with peft).

    Takes a minute or two on two CPU cores. The first time it downloads a model of 93 MB.

    **Examples**

    ```sh
    constrained demo
    constrained demo --model ./my-model --adapter ./my-lora
    constrained demo --essays my-essays.json --json > report.json
    ```
    """  # noqa: D205
    from constrained.demo.material import bundled, read_material
    from constrained.demo.scorer import scored

    material, tuned = read_material(essays) if essays else bundled(), scored()
    if limit is not None:
        size = two_numbers(limit, "x", "--limit", "essays x prompts, for example 2x3")
        material, tuned = material.first(*size), tuned.first(*size)
    variants = None
    if (model, adapter, essays) == (DEFAULT_MODEL, None, None) and find_spec("peft"):
        variants = load_scorer(device, dtype, trust_remote_code)
        loaded = variants.model, variants.tokenizer
    else:
        loaded = load(model, adapter, device, dtype, trust_remote_code)
    from constrained.demo.grading import compare, grade

    steps = 3 * material.cells + (6 * tuned.material.cells if variants else 0)
    with screen.progress(steps) as progress:
        report = grade(*loaded, material, name=model, progress=progress)
        comparison = compare(variants, tuned, progress=progress) if variants else None
    if json:
        screen.show_json(
            report.to_json() | ({"fine_tuned": comparison.to_json()} if comparison else {})
        )
    else:
        from constrained.demo.page import page

        screen.show(page(report, comparison))


@app.command(epilog=SPEC_HELP)
def generate(
    prompt: o.Prompt = None,
    prompt_file: o.PromptFile = None,
    spec: o.SpecText = None,
    template: o.Template = None,
    regex: o.Regex = None,
    choice: o.Choice = None,
    integer: o.Integer = None,
    schema: o.Schema = None,
    grammar: o.Grammar = None,
    chat: o.Chat = None,
    chat_template_arg: o.ChatTemplateArg = None,
    samples: Annotated[int, typer.Option(min=1, help="How many answers.")] = 1,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 takes the likeliest token; 1 draws as the model does.")
    ] = 0.0,
    seed: Annotated[int | None, typer.Option(help="For draws that can be repeated.")] = None,
    max_new_tokens: Annotated[
        int, typer.Option(min=1, help="Longest answer, in tokens; it is complete all the same.")
    ] = 256,
    model: o.ModelName = DEFAULT_MODEL,
    adapter: o.Adapter = None,
    device: o.Device = "auto",
    dtype: o.DType = "auto",
    trust_remote_code: o.Trust = False,
    json: o.Json = False,
) -> None:
    r"""Answer a prompt in a format. Only the answer goes to stdout.

    **Examples**

    ```sh
    constrained generate --chat "How good is this essay? ..." \
        --template "Essay score: {score:0..10} / 10"
    constrained generate -f review.txt --choice good --choice bad \
        --samples 5 --temperature 1
    cat letter.txt | constrained generate --schema person.json --json
    ```
    """
    form = chosen_spec(
        spec=spec,
        template=template,
        regex=regex,
        choice=choice or (),
        integer=integer,
        schema=schema,
        grammar=grammar,
    )
    text = read_prompt(prompt, prompt_file)
    generator, asked = prepare(
        text, chat, chat_template_arg, model, adapter, device, dtype, trust_remote_code
    )
    start = time.perf_counter()
    with screen.spinner("Generating"):
        results = generator(
            asked,
            form,
            samples=samples,
            temperature=temperature,
            seed=seed,
            max_new_tokens=max_new_tokens,
        )
    seconds = time.perf_counter() - start
    if json:
        found = [
            {
                "text": result.text,
                "value": result.value,
                "finish_reason": result.finish_reason,
                "logprob": result.logprob,
                "tokens": len(result.token_ids),
                "forward_passes": result.forward_passes,
            }
            for result in results
        ]
        screen.show_json({"model": model, "spec": repr(form), "seconds": seconds, "results": found})
        return
    for result in results:
        typer.echo(result.text)
    tokens, passes = len(results[0].token_ids), results[0].forward_passes
    times = "pass" if passes == 1 else "passes"
    screen.remark(f"{tokens} tokens in {passes} {times} of the model, {seconds:.1f} s")


@app.command(epilog=SPEC_HELP)
def distribution(
    prompt: o.Prompt = None,
    prompt_file: o.PromptFile = None,
    spec: o.SpecText = None,
    template: o.Template = None,
    regex: o.Regex = None,
    choice: o.Choice = None,
    integer: o.Integer = None,
    schema: o.Schema = None,
    grammar: o.Grammar = None,
    chat: o.Chat = None,
    chat_template_arg: o.ChatTemplateArg = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Of the draws that are described.")
    ] = 1.0,
    model: o.ModelName = DEFAULT_MODEL,
    adapter: o.Adapter = None,
    device: o.Device = "auto",
    dtype: o.DType = "auto",
    trust_remote_code: o.Trust = False,
    json: o.Json = False,
) -> None:
    r"""The exact probability of every answer that a format allows.

    Nothing is sampled. The format must have finitely many answers.

    **Examples**

    ```sh
    constrained distribution "The number of days in a week is " --integer 0..10
    constrained distribution --chat -f essay.txt \
        --template "Essay score: {score:0..10} / 10"
    constrained distribution "Is snow white?" --choice " yes" --choice " no"
    ```
    """
    form = chosen_spec(
        spec=spec,
        template=template,
        regex=regex,
        choice=choice or (),
        integer=integer,
        schema=schema,
        grammar=grammar,
    )
    text = read_prompt(prompt, prompt_file)
    generator, asked = prepare(
        text, chat, chat_template_arg, model, adapter, device, dtype, trust_remote_code
    )
    with screen.spinner("Computing the probability of every answer"):
        found = generator.distribution(asked, form, temperature=temperature)
    from constrained.cli.views import distribution_json, distribution_page

    if json:
        screen.show_json({"model": model, "spec": repr(form)} | distribution_json(found))
    else:
        screen.show(distribution_page(found))


@app.command(epilog=SPEC_HELP)
def explain(
    spec: Annotated[str, typer.Argument(help="A SPEC, see below.", metavar="SPEC")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Also count tokens, with the tokenizer of this model."),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many example answers to show.")] = 5,
    trust_remote_code: o.Trust = False,
    json: o.Json = False,
) -> None:
    """What a format allows, before any model runs: how many answers, how long, with examples.

    **Examples**

    ```sh
    constrained explain "Essay score: {score:0..10} / 10"
    constrained explain "regex:[A-F][+-]?" --model smollm2
    constrained explain schema:person.json --json
    ```
    """
    form = read_spec(spec)
    vocabulary = None
    if model is not None:
        from constrained.vocabulary import Vocabulary

        with screen.spinner(f"Loading the tokenizer of {model}") as notify:
            tokenizer = load_tokenizer(model, trust_remote_code=trust_remote_code, notify=notify)
        vocabulary = Vocabulary.from_tokenizer(tokenizer)
    summary = form.summary(vocabulary)
    drawn = form.examples(examples) if examples else []
    if json:
        screen.show_json({"spec": repr(form), **asdict(summary), "examples": drawn})
    else:
        from constrained.cli.views import summary_page

        screen.show(summary_page(form, summary, drawn))


@app.command(epilog=SPEC_HELP)
def check(
    model: Annotated[
        str,
        typer.Argument(help="A folder, a name on the model hub, or smollm2.", metavar="MODEL"),
    ] = DEFAULT_MODEL,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="A SPEC to look at too; repeat the option.", metavar="SPEC"),
    ] = None,
    chat_template_arg: o.ChatTemplateArg = None,
    trust_remote_code: o.Trust = False,
    json: o.Json = False,
) -> None:
    """What to know of a model before its answers are trusted; its weights are not loaded.

    Exit code 1 when something would be wrong without a word, with what to do about it.

    **Examples**

    ```sh
    constrained check smollm2 --format "Essay score: {score:0..10} / 10"
    constrained check ./my-model --chat-template-arg enable_thinking=false
    constrained check ./my-model --json > check.json
    ```
    """
    named = {text: read_spec(text) for text in formats or ()}
    arguments = chat_arguments(chat_template_arg or ())
    from constrained.model_check import check_model

    with screen.spinner(f"Checking {model}"):
        found = check_model(
            model,
            named,
            chat_template_kwargs=arguments,
            trust_remote_code=trust_remote_code,
        )
    if json:
        screen.show_json(found.to_json())
    else:
        typer.echo(str(found))
    if not found:
        raise typer.Exit(1)
