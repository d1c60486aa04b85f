"""`cell_key`: the hash of everything that decides a cell's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from constrained.consistency.plan.cell import Cell
from constrained.consistency.plan.hashing import content_hash, digest_of
from constrained.consistency.plan.plan import Plan

__all__ = ["cell_key", "content_hashes"]

VERSION = 1
"""Counted up when scoring changes in a way that makes old values wrong."""


def content_hashes(plan: Plan) -> dict[str, str]:
    """The content hash of every model and adapter of a plan, under the names the plan uses.

    Reads the files of local folders, so do it once per run. A model behind an endpoint stands for
    its name and address.

    >>> from constrained.consistency.plan import Plan
    >>> content_hashes(Plan(name="d", spec="{s:0..1}", items=[{"id": "a"}], prompts=["Grade."]))
    {'smollm2': 'name:smollm2'}
    """
    found: dict[str, str] = {}
    for variant in plan.variants:
        if variant.endpoint is None:
            for name in (variant.model, variant.adapter):
                if name is not None and name not in found:
                    found[name] = content_hash(name)
        else:
            found.setdefault(variant.model, f"name:{variant.model}")
    return found


def cell_key(plan: Plan, cell: Cell, hashes: Mapping[str, str]) -> str:
    """The key of a cell: 64 hexadecimal digits that are equal only where values are.

    It covers the address, the filled-in texts, the strings of the prompt format, the output format
    and its score, content of model and adapter (`hashes`, from `content_hashes`), dtype and
    quantisation, scoring, temperature, and the run's seed where texts are drawn. Devices are left
    out: a cell scored elsewhere is the same cell, up to the numerics floor.
    """
    variant, scoring = cell.variant, plan.scoring
    drawn = scoring.kind in ("sampled", "reasoned")
    return digest_of(
        {
            "version": VERSION,
            "address": asdict(cell.address),
            "text": cell.text,
            "system": cell.system,
            "format": asdict(cell.format),
            "spec": _spec_of(plan),
            "score": plan.score,
            "model": hashes[variant.model],
            "adapter": variant.adapter and hashes[variant.adapter],
            "dtype": variant.dtype,
            "quantisation": variant.quantisation,
            "endpoint": variant.endpoint,
            "scoring": _scoring_of(plan),
            "seed": plan.seed if drawn else None,
        }
    )


def _spec_of(plan: Plan) -> Any:
    return plan.spec.model_dump(mode="json")


def _scoring_of(plan: Plan) -> Any:
    said = plan.scoring.model_dump(mode="json", exclude={"orders"})
    if plan.scoring.kind in ("exact", "mode") and plan.support is not None:
        del said["max_new_tokens"]
    return said
