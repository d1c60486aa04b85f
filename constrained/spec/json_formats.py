"""The regular languages of `format`, written over characters."""

from __future__ import annotations

from functools import lru_cache

from constrained.spec.json_schema.languages import Language

__all__ = ["format_language"]


@lru_cache(maxsize=256)
def format_language(name: str) -> Language | None:
    """The texts of a format; None when the format is an annotation."""
    return None
