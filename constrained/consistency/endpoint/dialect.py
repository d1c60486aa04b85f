"""`Dialect`: what a kind of server knows of the OpenAI API, and beyond it.

All that differs between servers is here as data, as it was found by asking them: what has to be
sent so that a server samples from the whole distribution of its model, how it is told an output
format, which keywords of JSON Schema it then enforces, and what its log-probabilities are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["DIALECTS", "NOTES", "Dialect", "Way"]

Way = Literal["json_schema", "json_object", "choice", "grammar"]
"""How a server is told an output format: JSON in ``response_format`` with a schema of that type,
all outputs as vLLM's ``choice``, or all outputs as a grammar (GBNF)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How servers of one kind are asked.

    `sampling` is sent with every request: it switches off what the server, or the
    ``generation_config`` of its model, would do to the distribution on its own account. `top_k` is
    whether a plan's own may be sent. `generation_config` is whether these settings go as the text
    of one.

    `chat` and `completions` are the ways in which a format can be told on that route. `enforced`
    are the keywords of JSON Schema that the server enforces (others are not sent; None: all are
    sent). `formats` are the values of ``format`` among them.

    `listed` is how many log-probabilities are asked for (0: it gives none), `merges` whether tokens
    that read alike are listed as one, with the number of the least likely. `texts` is whether the
    server says how likely a text is that it did not write. `several` is whether one request may ask
    for several answers, `one_by_one` whether requests under way together would share one seed.
    """

    name: str
    sampling: Mapping[str, Any]
    top_k: bool = True
    generation_config: bool = False
    chat: tuple[Way, ...] = ()
    completions: tuple[Way, ...] = ()
    enforced: frozenset[str] | None = None
    formats: frozenset[str] = field(default_factory=frozenset)
    listed: int = 20
    merges: bool = False
    texts: bool = False
    several: bool = True
    one_by_one: bool = False


NO_PENALTIES = {"presence_penalty": 0.0, "frequency_penalty": 0.0}

NOTES = frozenset(
    {"title", "description", "default", "examples", "deprecated", "$comment", "$schema"}
)
STRUCTURE = frozenset(
    {"$ref", "$defs", "definitions", "$id", "type", "enum", "const", "properties", "required"}
)
"""Keywords that say nothing of what is valid, and those that every server here knows."""

OBJECTS = frozenset({"additionalProperties"})
ARRAYS = frozenset({"items", "prefixItems", "minItems", "maxItems"})
STRINGS = frozenset({"minLength", "maxLength", "pattern", "format"})
UNIONS = frozenset({"anyOf", "oneOf"})
BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})

ALL = (
    Dialect(
        "openai",
        sampling=NO_PENALTIES,
        top_k=False,
        chat=("json_schema",),
        completions=("json_schema",),
    ),
    Dialect(
        "vllm",
        sampling={
            **NO_PENALTIES,
            "repetition_penalty": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            "min_tokens": 0,
        },
        chat=("choice", "json_schema"),
        completions=("choice", "json_schema"),
        enforced=NOTES | STRUCTURE | OBJECTS | ARRAYS | STRINGS | UNIONS | BOUNDS,
        formats=frozenset(
            {"date", "time", "date-time", "duration", "email", "ipv4", "ipv6", "uuid"}
        ),
        texts=True,
    ),
    Dialect(
        "llama.cpp",
        sampling={
            **NO_PENALTIES,
            "repeat_penalty": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "typical_p": 1.0,
            "top_n_sigma": -1.0,
            "xtc_probability": 0.0,
            "dry_multiplier": 0.0,
            "dynatemp_range": 0.0,
            "mirostat": 0,
        },
        chat=("grammar", "json_object"),
        completions=("grammar",),
        enforced=NOTES | STRUCTURE | OBJECTS | ARRAYS | STRINGS | UNIONS,
        formats=frozenset({"date", "time", "date-time", "uuid"}),
    ),
    Dialect(
        "llama-cpp-python",
        sampling={
            **NO_PENALTIES,
            "repeat_penalty": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "min_tokens": 0,
            "mirostat_mode": 0,
        },
        chat=("grammar", "json_object"),
        completions=("grammar",),
        enforced=NOTES | STRUCTURE | OBJECTS | ARRAYS | STRINGS | UNIONS,
        formats=frozenset({"date", "time", "date-time", "uuid"}),
        merges=True,
        several=False,
    ),
    Dialect(
        "transformers",
        sampling={
            "do_sample": True,
            "top_k": 0,
            "min_p": None,
            "typical_p": 1.0,
            "epsilon_cutoff": 0.0,
            "eta_cutoff": 0.0,
            "repetition_penalty": 1.0,
            "no_repeat_ngram_size": 0,
            "num_beams": 1,
        },
        generation_config=True,
        listed=0,
        several=False,
        one_by_one=True,
    ),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({one.name: one for one in ALL})
"""By the name that stands after ``#server=``."""
