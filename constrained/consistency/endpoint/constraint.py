"""What a server has to be sent to enforce an output format, and to sample from all of it."""

from __future__ import annotations

import json
import re
from typing import Any

from constrained.consistency.endpoint.address import Endpoint
from constrained.consistency.plan import Plan
from constrained.errors import InvalidSpec
from constrained.spec.spec import Spec

__all__ = ["constraint_of", "sampling_of", "without_whitespace"]

STRING_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')

LISTED = 4_096
"""Outputs up to which a format is sent as the list of all of them."""

WHOLE: dict[str, dict[str, Any]] = {
    "openai": {},
    "vllm": {"top_k": -1, "min_p": 0.0},
    "llama.cpp": {"top_k": 0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0},
}
"""Settings that switch off what a server would cut from the distribution on its own account."""


def sampling_of(plan: Plan, endpoint: Endpoint, temperature: float) -> dict[str, Any]:
    """The sampling settings of a request: those of the plan, and nothing of the server's own.

    Raises `InvalidSpec` for settings that the server has no word for.
    """
    scoring = plan.scoring
    settings = {"temperature": temperature, "top_p": scoring.top_p or 1.0, **WHOLE[endpoint.server]}
    if scoring.top_k is not None:
        if endpoint.server == "openai":
            raise InvalidSpec(
                "the OpenAI API has no top_k",
                where="scoring.top_k",
                hint="leave it out, or name the server: #server=vllm",
            )
        settings["top_k"] = scoring.top_k
    return settings


def constraint_of(plan: Plan, endpoint: Endpoint) -> dict[str, Any]:
    """What makes the server enforce the plan's format; empty when it is not to.

    * JSON (schema, pydantic): ``response_format``, as all servers know it;
    * vLLM: ``structured_outputs`` with the list of all outputs;
    * llama.cpp: ``grammar`` (GBNF) with the list of all outputs.

    Raises `InvalidSpec` for a format that the server cannot be told.
    """
    if not endpoint.constrain:
        return {}
    schema = _schema(plan)
    if schema is not None:
        return {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            }
        }
    if endpoint.server == "openai":
        raise InvalidSpec(
            f"the OpenAI API enforces JSON only, and the format is a {plan.spec.kind}",
            where="spec",
            hint="name the server (#server=vllm or llama.cpp), use a schema, or write "
            "#constrain=no to count answers outside the format as failures",
        )
    texts = _listed(plan.spec_of())
    if texts is not None and endpoint.server == "vllm":
        return {"structured_outputs": {"choice": texts}}
    if texts is not None:
        return {"grammar": "root ::= " + " | ".join(map(_gbnf, texts))}
    raise InvalidSpec(
        f"{endpoint.server} cannot be told this {plan.spec.kind}: it has more than {LISTED:,} "
        "outputs",
        where="spec",
        hint="write #constrain=no to count answers outside the format as failures",
    )


def _schema(plan: Plan) -> Any:
    """The JSON Schema of the format; None when it is none."""
    if plan.spec.kind == "schema":
        return plan.spec.value
    return plan.spec.value["schema"] if plan.spec.kind == "pydantic" else None


def _listed(spec: Spec[Any]) -> list[str] | None:
    """All outputs, None when they are too many."""
    outputs = spec.summary().outputs
    return list(spec.enumerate()) if outputs is not None and outputs <= LISTED else None


def _gbnf(text: str) -> str:
    r"""A text as a literal of GBNF: JSON's escapes are its own for what JSON has to escape.

    >>> _gbnf('8 "7"\n')
    '"8 \\"7\\"\\n"'
    """
    return json.dumps(text, ensure_ascii=False)


def without_whitespace(text: str) -> str | None:
    """A JSON text without the whitespace between its parts; None when it is no JSON.

    >>> without_whitespace('{ "why": "a b",  "score" : 7 }')
    '{"why":"a b","score":7}'
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return STRING_OR_SPACE.sub(lambda found: found[1] or "", text)
