"""How long does one essay score take, against the peers' processors and against no constraint?

    python benchmarks/essay_template.py [--model MODEL] [--essays 6] [--batch 1] [--rounds 3]

What is measured and how is told in answering.py. Torch's threads sleep while they wait, as on any
machine that is not idle.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from answering import arguments_of, compare
from peers import Format

import constrained as ct
from constrained.demo.material import bundled

PATTERN = r"Essay score: ([0-9]|10) / 10"


def main() -> None:
    arguments = arguments_of(__doc__ or "")
    material = bundled()
    asked = [
        wording.ask(material.question, essay)
        for wording in material.prompts
        for essay in material.essays
    ]
    prompts = asked[: max(arguments.essays, arguments.batch)]
    spec = ct.template("Essay score: {score:0..10} / 10")
    compare(arguments, spec, Format("regex", PATTERN), prompts)


if __name__ == "__main__":
    main()
