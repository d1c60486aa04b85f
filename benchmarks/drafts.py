"""How often is a draft right, and how many passes does it save?

    python benchmarks/drafts.py [--model MODEL] [--prompts 24] [--batch 1]

The prompts and the object of six fields are those of pydantic_object.py; every prompt is answered
with drafts and without. Counts do not depend on how busy the machine is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any
from unittest import mock

from pydantic_object import Grade, asked

import constrained as ct
from constrained.generation.drafts import Draft
from constrained.generation.row import Row, Scored
from constrained.models import load_model


class CountingRow(Row):
    """A row that counts the guesses that passes tried, and those that held."""

    tried = right = 0
    drafted: Draft | None = None

    def draft(self, least: float) -> Draft:
        self.drafted = super().draft(least)
        return self.drafted

    def read(self, scored: Scored, fed: Sequence[int]) -> int:
        tried = len(fed) - len(self.waiting)
        wrong = super().read(scored, fed)
        if self.drafted is not None:
            right = len([place for place in self.drafted.choices if place < tried - wrong])
            CountingRow.right += right
            # What comes after the first wrong guess was never compared with anything.
            CountingRow.tried += right + (wrong > 0)
        return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    generator = ct.Generator(*load_model(arguments.model))
    spec = ct.json(Grade, whitespace="flexible")
    prompts = asked()[: arguments.prompts]
    batches = [prompts[i : i + arguments.batch] for i in range(0, len(prompts), arguments.batch)]

    def answer() -> list[Any]:
        return [result for batch in batches for result in generator(batch, spec)]

    with mock.patch("constrained.generation.runtime.Row", CountingRow):
        drafted = answer()
    with mock.patch("constrained.generation.row.MOST_DRAFTED", 0):
        plain = answer()
    for name, results in (("with drafts", drafted), ("without", plain)):
        passes = sum(result.forward_passes for result in results) / len(results)
        print(f"{name:<12} {passes:5.1f} passes per answer")
    print(f"{CountingRow.right} of {CountingRow.tried} guesses were right")
    same = sum(a.text == b.text for a, b in zip(drafted, plain, strict=True))
    print(f"{same} of {len(plain)} texts are the same")


if __name__ == "__main__":
    main()
