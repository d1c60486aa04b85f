"""What a server has to be sent to enforce an output format, and to sample from all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from constrained.consistency.endpoint.address import Endpoint
from constrained.consistency.endpoint.dialect import Way
from constrained.consistency.endpoint.enforceable import enforceable
from constrained.consistency.plan import Plan
from constrained.errors import InvalidSpec
from constrained.spec.spec import Spec

__all__ = [
    "Constraint",
    "constrained_to",
    "constraint_of",
    "sampling_of",
    "without_whitespace",
]

STRING_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')

LISTED = 4_096
"""Outputs up to which a format is sent as the list of all of them."""

FREELY = "write #constrain=no to count answers outside the format as failures"


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is `sent` to make a server enforce a format, and what it does not enforce of it."""

    sent: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def sampling_of(plan: Plan, endpoint: Endpoint, temperature: float) -> dict[str, Any]:
    """The sampling settings of a request: those of the plan, and nothing of the server's own.

    Every setting that changes what is drawn is said: a server takes those that a request leaves out
    from its own defaults, or from the ``generation_config`` that comes with the model.

    Raises `InvalidSpec` for settings that the server has no word for.
    """
    scoring, dialect = plan.scoring, endpoint.dialect
    own = dict(dialect.sampling)
    if scoring.top_k is not None:
        if not dialect.top_k:
            raise InvalidSpec(
                "the OpenAI API has no top_k",
                where="scoring.top_k",
                hint="leave it out, or name the server: #server=vllm",
            )
        own["top_k"] = scoring.top_k
    settings = {"temperature": temperature, "top_p": scoring.top_p or 1.0}
    if not dialect.generation_config:
        return {**settings, **own}
    if temperature == 0:
        own = {name: value for name, value in own.items() if name not in ONLY_SAMPLING}
        own["do_sample"] = False
    own["max_new_tokens"] = scoring.max_new_tokens
    return {**settings, "generation_config": json.dumps(own)}


ONLY_SAMPLING = ("top_k", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")


def constraint_of(plan: Plan, endpoint: Endpoint) -> dict[str, Any]:
    """What a request has to hold for the server to enforce the plan's format (`constrained_to`)."""
    return dict(constrained_to(plan, endpoint).sent)


def constrained_to(plan: Plan, endpoint: Endpoint) -> Constraint:
    """What makes the server enforce the plan's format; empty when it is not to.

    * JSON (schema, pydantic): ``response_format`` with what the server enforces of the schema. When
      that is not all of it and the outputs can be listed, they are;
    * any other format: the list of all outputs, as ``choice`` or as a grammar.

    Raises `InvalidSpec` for a format that the server cannot be told.
    """
    if not endpoint.constrain:
        return Constraint()
    dialect = endpoint.dialect
    ways = dialect.chat if endpoint.route == "chat" else dialect.completions
    if not ways:
        raise InvalidSpec(
            f"{dialect.name} enforces no format: it leaves response_format out in silence",
            where="spec",
            hint=FREELY,
        )
    lists = next((way for way in ways if way in LISTS), None)
    types = next((way for way in ways if way not in LISTS), None)
    schema = _schema(plan)
    partly = None
    if schema is not None and types is not None:
        sent, left_out = enforceable(schema, dialect)
        partly = Constraint({"response_format": _format(types, sent)}, left_out)
        if not left_out:
            return partly
    if lists is not None:
        texts = _listed(plan.spec_of())
        if texts is not None:
            return Constraint(_all_of(lists, texts))
    if partly is not None:
        return partly
    if lists is None:
        raise InvalidSpec(
            f"the OpenAI API enforces JSON only, and the format is a {plan.spec.kind}",
            where="spec",
            hint="name the server (#server=vllm or llama.cpp), use a schema, or " + FREELY,
        )
    raise InvalidSpec(
        f"{dialect.name} cannot be told this {plan.spec.kind}: it has more than {LISTED:,} outputs",
        where="spec",
        hint=FREELY,
    )


LISTS: tuple[Way, ...] = ("choice", "grammar")


def _format(way: Way, schema: Any) -> dict[str, Any]:
    if way == "json_object":
        return {"type": "json_object", "schema": schema}
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


def _all_of(way: Way, texts: list[str]) -> dict[str, Any]:
    if way == "choice":
        return {"structured_outputs": {"choice": texts}}
    return {"grammar": "root ::= " + " | ".join(map(_gbnf, texts))}


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
