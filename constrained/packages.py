"""Optional packages: which there are, and how to get them; imports nothing."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["EXTRAS", "remedy"]

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "hf": ("torch", "transformers", "safetensors", "gguf", "accelerate"),
    "adapters": ("peft",),
    "consistency": ("scipy", "pyyaml", "jinja2"),
    "parquet": ("pyarrow", "pandas", "'numpy>=2'"),
    "outlines": ("'outlines>=1.3,<1.4'",),
    "ray": ("ray",),
    "testing": ("pytest", "hypothesis"),
}
"""The extras of pyproject.toml, with their packages as `pip install` takes them.

This library itself is in no package registry, so a remedy names the packages.
"""


def remedy(extra: str) -> str:
    """What to run so that the packages of an extra are there.

    >>> remedy("consistency")
    'pip install scipy pyyaml jinja2; in a clone: scripts/install consistency'
    """
    return f"pip install {' '.join(EXTRAS[extra])}; in a clone: scripts/install {extra}"
