"""How long does a six-field pydantic object take, against the peers and against no constraint?

    python benchmarks/pydantic_object.py [--model MODEL] [--essays 6] [--batch 1] [--rounds 3]

Everybody gets the same JSON Schema, written out with closed objects, and writes JSON as compact as
its own default allows; what is measured and how is told in answering.py.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from typing import Literal

import pydantic
from answering import compare, parser_of
from peers import schema_format

import constrained as ct
from constrained.demo.material import bundled


class Grade(pydantic.BaseModel):
    """What a grader says of an essay."""

    model_config = pydantic.ConfigDict(extra="forbid")

    score: Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    level: Literal["beginner", "intermediate", "advanced"]
    answers_the_question: bool
    grammar: Literal["poor", "fair", "good", "excellent"]
    spelling_mistakes: bool
    verdict: Literal["pass", "fail", "resubmit"]


def main() -> None:
    arguments = parser_of(__doc__ or "").parse_args()
    prompts = asked()[: max(arguments.essays, arguments.batch)]
    spec = ct.json(Grade, whitespace="flexible")
    compare(arguments, spec, schema_format(Grade.model_json_schema()), prompts, is_grade)


def asked() -> list[str]:
    """The prompts: each essay in each wording."""
    material = bundled()
    wanted = "Grade the essay as a JSON object with the fields " + ", ".join(Grade.model_fields)
    return [
        f"{wording.ask(material.question, essay)}\n\n{wanted}.\n"
        for wording in material.prompts
        for essay in material.essays
    ]


def is_grade(text: str) -> bool:
    """Whether pydantic takes the text, whatever its white space."""
    try:
        Grade.model_validate_json(text)
    except pydantic.ValidationError:
        return False
    return True


if __name__ == "__main__":
    main()
