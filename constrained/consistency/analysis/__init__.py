"""From records to findings: everything a report shows, differences between runs, and gates."""

from constrained.consistency.analysis.gates import Gate, GateReport, GateResult
from constrained.consistency.analysis.results import (
    Agreement,
    Analysis,
    FlakyItem,
    Gold,
    HeatMap,
    Judge,
    Methods,
    Pairwise,
    PassMark,
    Quality,
    Room,
    RoomRow,
    Study,
    Summary,
)

__all__ = [
    "Agreement",
    "Analysis",
    "FlakyItem",
    "Gate",
    "GateReport",
    "GateResult",
    "Gold",
    "HeatMap",
    "Judge",
    "Methods",
    "Pairwise",
    "PassMark",
    "Quality",
    "Room",
    "RoomRow",
    "Study",
    "Summary",
]
