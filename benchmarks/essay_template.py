"""How long does one essay score take, against the peers' processors and against no constraint?

    python benchmarks/essay_template.py [--model MODEL] [--essays 6] [--batch 1] [--rounds 3]
                                        [--plan examples/essay_scorer/plan.yaml]
                                        [--before benchmarks/rubric.txt]

The prompts are the demo's (some 250 tokens), or those of a consistency plan (the essay scorer's
have some 120), with the text of a file before each if one is named. All of an answer's time is the
pass over its prompt, so its length decides, and in a batch what the prompts share. What is measured
and how is told in answering.py. Torch's threads sleep while they wait, as on any machine that is
not idle.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from answering import compare, parser_of
from peers import Format

import constrained as ct
from constrained.consistency.plan import read_plan
from constrained.demo.material import bundled

PATTERN = r"Essay score: ([0-9]|10) / 10"


def main() -> None:
    parser = parser_of(__doc__ or "")
    parser.add_argument("--plan", help="a consistency plan whose prompts are taken")
    parser.add_argument("--before", help="a file with the text that every prompt begins with")
    arguments = parser.parse_args()
    before = Path(arguments.before).read_text("utf-8") if arguments.before else ""
    asked = prompts_of(arguments.plan) if arguments.plan else demo_prompts()
    asked = [before + prompt for prompt in asked]
    prompts = asked[: max(arguments.essays, arguments.batch)]
    spec = ct.template("Essay score: {score:0..10} / 10")
    compare(
        arguments, spec, Format("regex", PATTERN), prompts, lambda t: bool(re.fullmatch(PATTERN, t))
    )


def demo_prompts() -> list[str]:
    material = bundled()
    return [
        wording.ask(material.question, essay)
        for wording in material.prompts
        for essay in material.essays
    ]


def prompts_of(plan: str) -> list[str]:
    """One prompt for each item, in the plan's first wording and format."""
    read = read_plan(plan)
    return [cell.render() for cell in islice(read.cells(), len(read.items))]


if __name__ == "__main__":
    main()
