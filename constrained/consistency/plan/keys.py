"""`cell_key`: the hash of everything that decides a cell's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from constrained.consistency.plan.cell import Batch, Cell
from constrained.consistency.plan.hashing import content_hash, digest_of
from constrained.consistency.plan.parts import Variant
from constrained.consistency.plan.plan import Plan
from constrained.prompts import PromptFormat

__all__ = ["cell_key", "content_hashes"]

VERSION = 1
ASKED = 2
"""Counted up when scoring changes in a way that makes old values wrong: that of all models, and
that of models behind endpoints."""


def content_hashes(plan: Plan) -> dict[str, str]:
    """The content hash of every model and adapter of a plan, under the names the plan uses.

    Reads the files of local folders, so do it once per run. A model behind an endpoint stands for
    its name and address, and is left out.

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
    return found


def cell_key(plan: Plan, cell: Cell, hashes: Mapping[str, str]) -> str:
    """The key of a cell: 64 hexadecimal digits that are equal only where values are.

    It covers the address, the filled-in texts, the strings of the prompt format and the arguments
    of a chat template, the output format and its score, content of model and adapter (`hashes`,
    from `content_hashes`), dtype, quantisation and what else decides the arithmetic (attention, a
    merged adapter, the other prompts of a shared pass), scoring, temperature, and the run's seed
    where texts are drawn. Devices are left out: a cell scored elsewhere is the same cell, up to the
    numerics floor.
    """
    variant = cell.variant
    chat = not cell.format.last or variant.endpoint is not None
    arguments = variant.chat_template_kwargs if chat else {}
    # Cells of other formats keep the keys that they had before answers had a lead.
    spaced = not cell.format.last or bool(cell.format.lead)
    drawn = plan.scoring.kind in ("sampled", "reasoned")
    return digest_of(
        {
            "version": VERSION,
            "address": _address(cell),
            "text": cell.text,
            "system": cell.system,
            "format": _strings_of(cell.format),
            "scoring": plan.settled,
            "model": variant.model if variant.endpoint else hashes[variant.model],
            "adapter": variant.adapter and hashes[variant.adapter],
            "dtype": variant.dtype,
            "quantisation": variant.quantisation,
            "endpoint": variant.endpoint,
            **({"asked": ASKED} if variant.endpoint else {}),
            "seed": plan.seed if drawn else None,
            **({"chat_template_kwargs": arguments} if arguments else {}),
            **({"lead": True} if spaced else {}),
            **{
                name: getattr(variant, name)
                for name, usual in Variant.COMPUTING.items()
                if getattr(variant, name) != usual
            },
            **({"beside": _beside(cell.batch)} if cell.batch is not None else {}),
        }
    )


def _address(cell: Cell) -> dict[str, Any]:
    """Where a cell is; cells without a numerical room keep the keys that they had before any."""
    said = asdict(cell.address)
    if not cell.address.numerics:
        del said["numerics"]
    return said


@lru_cache(maxsize=64)
def _beside(batch: Batch) -> str:
    """All prompts of a pass: padding and sums depend on them."""
    return digest_of([[c.text, c.system, _strings_of(c.format)] for c in batch.cells])


@lru_cache(maxsize=64)
def _strings_of(layout: PromptFormat) -> str:
    return digest_of(asdict(layout))
