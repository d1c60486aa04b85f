"""Hashes of values and model folders; seeds by hash, so that no cells share random numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

from constrained.consistency.records import Address
from constrained.errors import ModelError

__all__ = ["canonical", "cell_seed", "content_hash", "digest_of", "share_of"]

SEED_BITS = 63
"""Below 2**63, so that SQLite (signed 64 bits) and torch both take a seed as it is."""

ANSWERING = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt", "*.jinja", "*.py", "*.gguf")
"""Files of a model or adapter folder that can change an answer."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal texts.

    >>> canonical({"b": 1.0, "a": "é"})
    '{"a":"é","b":1.0}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """64 hexadecimal digits (BLAKE2b) of what `canonical` writes.

    >>> digest_of([1]) == digest_of((1,)), len(digest_of([1]))
    (True, 64)
    """
    text = canonical(value).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=32).hexdigest()


def cell_seed(run_seed: int, address: Address, index: int) -> int:
    """The seed of one draw of a cell, 0 to 2**63 - 1: a hash of run, address and index.

    One seed for all cells would hand every cell the same random numbers: variance between draws
    then shows up as an effect of the seed and vanishes from the residual (measured: 1.01 to 0.08).
    Seeds that are counted up from a common start overlap between cells. A hash does neither, and
    the seed of a cell does not depend on which other cells there are, nor on who runs it.

    >>> cell_seed(1, Address("e1", "p1"), 0) == cell_seed(1, Address("e1", "p1"), 0)
    True
    >>> cell_seed(1, Address("e1", "p1"), 0) == cell_seed(1, Address("e1", "p2"), 0)
    False
    """
    return _number([run_seed, *_parts(address), index]) >> (64 - SEED_BITS)


def share_of(what: str, seed: int, address: Address) -> float:
    """A number from 0 (included) to 1 that is fixed for a cell, whatever its temperature.

    Cells that differ by temperature alone share the work of the model, so they go together.

    >>> cold, warm = (Address("e1", "p1", temperature=t) for t in (0.5, 1.0))
    >>> share_of("shard", 0, cold) == share_of("shard", 0, warm)
    True
    """
    item, prompt, layout, variant, _, *rest = _parts(address)
    return (_number([what, seed, item, prompt, layout, variant, *rest]) >> 11) / 2**53


def content_hash(model: str) -> str:
    """What stands for a model's or adapter's content: a folder's files hashed, else its name.

    For a folder the hash covers names and bytes of all files that can change an answer, so weights
    that were trained again count as another model. A hub name stands for itself; give it a folder
    (or a revision in the name) where the hub's copy may change. Raises `ModelError` for a folder
    without such files.

    >>> content_hash("smollm2")
    'name:smollm2'
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return f"name:{model}"
    files = sorted({found for pattern in ANSWERING for found in folder.glob(pattern)})
    if not files:
        hint = "a model or adapter folder is what save_pretrained writes"
        raise ModelError(model, "the folder has no file of a model", hint=hint)
    whole = hashlib.blake2b(digest_size=32)
    for path in files:
        with path.open("rb") as file:
            part = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32))
        whole.update(path.name.encode("utf-8") + b"\0" + part.digest())
    return f"content:{whole.hexdigest()}"


def _parts(address: Address) -> list[Any]:
    *names, temperature, order, numerics = astuple(address)
    # Cells without a numerical room keep the seeds that they had before there were any.
    return [*names, float(temperature), order, *([numerics] if numerics else [])]


def _number(value: Any) -> int:
    text = canonical(value).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
