"""Plans that were run on real servers, and the replies of then: what a replay of them needs.

`benchmarks/record_servers.py` runs the plans of a server against it and writes what was said into
tests/data/servers; tests answer the same requests with it. A request that differs from the recorded
one by anything has no answer, so what is sent here is what that server took.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from constrained.consistency.plan import Plan

DATA = Path(__file__).parent / "data" / "servers"

SCHEMA = {
    "type": "object",
    "properties": {
        "why": {"type": "string", "maxLength": 20},
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "tags": {
            "type": "array",
            "items": {"enum": ["a", "b"]},
            "maxItems": 2,
            "uniqueItems": True,
        },
    },
    "required": ["why", "score", "tags"],
    "additionalProperties": False,
}

SAMPLED = {"kind": "sampled", "draws": 3, "max_new_tokens": 60}

PLANS: dict[str, dict[str, dict[str, Any]]] = {
    "vllm-0.32.0": {
        "exact, one token": {
            "address": "#server=vllm",
            "spec": {"choice": {"I": 2, "This": 1, "The": 0}},
            "scoring": "exact",
        },
        "exact, several tokens": {
            "address": "/completions#server=vllm",
            "spec": "Score: {score:8..10}",
            "scoring": "exact",
            "temperatures": [1.0, 0.5],
        },
        "exact, several tokens, chat": {
            "address": "#server=vllm",
            "spec": "range:9..10",
            "scoring": "exact",
        },
        "exact, one answer begins another": {
            "address": "/completions#server=vllm",
            "spec": {"choice": {"1": 1, "10": 10}},
            "scoring": "exact",
        },
        "sampled list": {"address": "#server=vllm", "spec": "range:0..10", "scoring": SAMPLED},
        "sampled JSON": {
            "address": "#server=vllm",
            "spec": {"schema": SCHEMA},
            "scoring": SAMPLED,
        },
        "cut off": {
            "address": "#server=vllm",
            "spec": {"choice": {"1": 1, "10": 10, "100": 100}},
            "scoring": {"kind": "sampled", "draws": 3, "max_new_tokens": 2},
        },
        "too long": {
            "address": "#server=vllm",
            "spec": "range:0..10",
            "scoring": {"kind": "sampled", "draws": 1, "max_new_tokens": 5000},
        },
    },
    "transformers-5.23.0": {
        "sampled, whatever comes": {
            "address": "#server=transformers&constrain=no",
            "spec": "range:0..10",
            "scoring": {"kind": "sampled", "draws": 3, "max_new_tokens": 6},
        },
        "likeliest": {
            "address": "#server=transformers&constrain=no",
            "spec": "range:0..10",
            "scoring": {"kind": "mode", "max_new_tokens": 6},
        },
    },
    "llama-cpp-python-0.3.36": {
        "exact, one token": {
            "address": "#server=llama-cpp-python",
            "spec": {"choice": {"1": 1, "4": 4}},
            "scoring": "exact",
            "temperatures": [1.0, 0.5],
        },
        "sampled list": {
            "address": "#server=llama-cpp-python",
            "spec": "range:0..10",
            "scoring": SAMPLED,
        },
        "sampled JSON": {
            "address": "#server=llama-cpp-python",
            "spec": {"schema": SCHEMA},
            "scoring": SAMPLED,
        },
    },
}
"""By server and what is tried; an address goes after that of the server."""

QUESTION = [{"role": "user", "content": "Grade from 0 to 10: Cats purr."}]
ASKED = {"max_tokens": 1, "logprobs": True, "top_logprobs": 5, "seed": 1}

LOGPROBS: dict[str, dict[str, dict[str, Any]]] = {
    "vllm-0.32.0": {
        "plain": {"temperature": 1.0, "repetition_penalty": 1.0, "top_k": -1},
        "cold": {"temperature": 0.5, "repetition_penalty": 1.0, "top_k": -1},
        "penalised": {"temperature": 1.0, "repetition_penalty": 1.5, "top_k": -1},
        "masked": {
            "temperature": 1.0,
            "repetition_penalty": 1.0,
            "top_k": -1,
            "structured_outputs": {"choice": ["I", "The"]},
        },
    },
    "llama-cpp-python-0.3.36": {
        "plain": {"temperature": 1.0, "repeat_penalty": 1.0, "top_k": 0},
        "cold": {"temperature": 0.5, "repeat_penalty": 1.0, "top_k": 0},
        "penalised": {"temperature": 1.0, "repeat_penalty": 1.5, "top_k": 0},
        "masked": {
            "temperature": 1.0,
            "repeat_penalty": 1.0,
            "top_k": 0,
            "grammar": 'root ::= "Cat" | "The"',
        },
    },
}
"""Requests of one token that differ by what may change log-probabilities."""


def plan_of(server: str, name: str, base: str) -> Plan:
    """One of the plans, for a server at `base` (``http://127.0.0.1:8000/v1``)."""
    settings = dict(PLANS[server][name])
    address = settings.pop("address")
    return Plan(
        name=name,
        items=[{"id": "e1", "text": "Cats purr."}],
        prompts={"p": "Grade from 0 to 10: {text}\n"},
        variants=[{"name": "served", "model": "a-model", "endpoint": base + address}],
        **settings,
    )


def recorded(server: str) -> dict[str, Any]:
    """What was recorded: ``exchanges`` (path, body, status, reply) and what was ``expected``."""
    found: dict[str, Any] = json.loads((DATA / f"{server}.json").read_text("utf-8"))
    return found


def key_of(path: str, body: Any) -> str:
    """Equal for equal requests."""
    return json.dumps([path, body], sort_keys=True)
