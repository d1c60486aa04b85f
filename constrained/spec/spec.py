"""`Spec`: an output format, with everything it can say of itself before any model runs.

A spec is a grammar and a reader. Front ends (`regex`, `template`, `json`, ...) are functions that
return one; nothing subclasses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from constrained.grammar import Grammar

__all__ = ["Spec"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False)
class Spec(Generic[T]):
    """An output format.

    `source` is how a user would write it (the repr), `grammar` what the engine runs, `read` turns
    a text that matches into its typed value.
    """

    source: str
    grammar: Grammar
    read: Callable[[str], T]

    def __repr__(self) -> str:
        return self.source
