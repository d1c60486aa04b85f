"""``constrained consistency init``: a plan to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constrained.cli.consistency.places import command, is_plan
from constrained.errors import InvalidSpec

__all__ = ["STARTER", "init"]

STARTER = """\
# A consistency plan: items x prompts x formats x variants, each cell scored exactly.
# Every key is described in docs/reference/plan.md. Score it with: constrained consistency run

# What an answer looks like. The score is the hole.
spec: "Essay score: {score:0..10} / 10"

# What is scored. `gold` is the score that people gave; leave it out if there is none.
# From a file instead:   items: {file: essays.jsonl, id: essay, gold: teacher}
items:
  - id: phones
    text: Phones are bad. I like mine.
    gold: 2
  - id: uniforms
    text: Uniforms save families money and end quarrels about brands. But they hide who we are.
    gold: 6
  - id: recess
    text: >-
      Longer breaks help us learn: a study of two schools found fewer mistakes after them. They cost
      lesson time, yet tired pupils waste more of it. So a longer break is worth its price.
    gold: 9
  - id: homework
    text: Homework should be abolished because nobody likes it and nobody does it.
    gold: 4

# The rooms: other words for the same question. {text} is the item's text.
prompts:
  plain: "Grade this essay from 0 to 10.\\n\\n{text}\\n\\n"
  strict: "You are a strict teacher. How many points out of 10?\\n\\n{text}\\n\\n"
  kind: "You are a kind teacher. How many points out of 10?\\n\\n{text}\\n\\n"
  last: "{text}\\n\\nWhat score does the essay above deserve, from 0 to 10?\\n"

# How a prompt is put before the model: plain, template (the tokenizer's own), chatml, alpaca, ...
formats: [template]

# Who scores: a folder, a name on the model hub, or smollm2. With an adapter:
#   - {name: tuned, model: smollm2, adapter: ./my-adapter}
variants:
  - {name: base, model: smollm2}

scoring: exact      # or {kind: sampled, draws: 20}, or mode

# What the report asks; it can be changed later without scoring anything again.
pass_mark: 6
gates:
  max_sem: 1.0          # points by which one score is off
  max_flip_rate: 0.1    # how often another room crosses the pass mark
"""


def init(
    path: Annotated[Path, typer.Argument(help="Where the plan goes.")] = Path("plan.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a small plan with a comment on every key, ready to run.

    **Examples**

    ```sh
    constrained consistency init
    constrained consistency init essays.yaml
    ```

    Exit codes: 0 written, 2 there is a file of that name.
    """
    if not is_plan(path):
        raise InvalidSpec("a plan is a YAML file", where=str(path), hint="name it plan.yaml")
    if path.exists() and not force:
        raise InvalidSpec(
            "there is a file of that name", where=str(path), hint="name another, or pass --force"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STARTER, encoding="utf-8")
    except OSError as error:
        raise InvalidSpec(f"cannot be written: {error.strerror}", where=str(path)) from error
    typer.echo(f"{path}: 4 essays x 4 prompts, to be edited")
    typer.echo(f"Next:   {command('run', path, '--dry-run')}")
    typer.echo(f"        {command('run', path)}")
