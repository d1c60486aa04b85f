"""Plans: which cells a consistency run has, and everything that decides their values."""

from constrained.consistency.plan.cell import Batch, Cell
from constrained.consistency.plan.cost import (
    CostEstimate,
    Speed,
    estimate,
    measure_speed,
)
from constrained.consistency.plan.hashing import cell_seed, content_hash
from constrained.consistency.plan.items import read_items
from constrained.consistency.plan.keys import cell_key, content_hashes
from constrained.consistency.plan.numerics import NumericalRooms
from constrained.consistency.plan.output import OutputFormat
from constrained.consistency.plan.parts import (
    Gold,
    Item,
    PlannedGate,
    Scoring,
    Selection,
    Variant,
    Wording,
)
from constrained.consistency.plan.plan import Plan
from constrained.consistency.plan.reading import parse_plan, read_plan

__all__ = [
    "Batch",
    "Cell",
    "CostEstimate",
    "Gold",
    "Item",
    "NumericalRooms",
    "OutputFormat",
    "Plan",
    "PlannedGate",
    "Scoring",
    "Selection",
    "Speed",
    "Variant",
    "Wording",
    "cell_key",
    "cell_seed",
    "content_hash",
    "content_hashes",
    "estimate",
    "measure_speed",
    "parse_plan",
    "read_items",
    "read_plan",
]
