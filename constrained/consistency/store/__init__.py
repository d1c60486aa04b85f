"""The records of a run in one SQLite file: crash-safe, shared by processes, merged from shards."""

from constrained.consistency.store.columns import Columns
from constrained.consistency.store.merging import merge
from constrained.consistency.store.rows import KINDS
from constrained.consistency.store.store import PlanLike, Store

__all__ = ["KINDS", "Columns", "PlanLike", "Store", "merge"]
