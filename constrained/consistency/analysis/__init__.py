"""From records to findings: everything a report shows, differences between runs, and gates."""

from constrained.consistency.analysis.analysing import (
    analyse_arrays,
    analyse_draws,
    analyse_grid,
)
from constrained.consistency.analysis.comparing import (
    ChangedVerdict,
    Comparison,
    JudgeDifference,
    compare,
)
from constrained.consistency.analysis.gates import (
    GATES,
    Gate,
    GateReport,
    GateResult,
    as_gates,
    check,
)
from constrained.consistency.analysis.grid import Grid, grid_of_draws, grid_of_exact
from constrained.consistency.analysis.judges import Settings
from constrained.consistency.analysis.junit import to_junit
from constrained.consistency.analysis.numerics import Numerics, NumericsPair
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
from constrained.consistency.analysis.stored import analyse

__all__ = [
    "GATES",
    "Agreement",
    "Analysis",
    "ChangedVerdict",
    "Comparison",
    "FlakyItem",
    "Gate",
    "GateReport",
    "GateResult",
    "Gold",
    "Grid",
    "HeatMap",
    "Judge",
    "JudgeDifference",
    "Methods",
    "Numerics",
    "NumericsPair",
    "Pairwise",
    "PassMark",
    "Quality",
    "Room",
    "RoomRow",
    "Settings",
    "Study",
    "Summary",
    "analyse",
    "analyse_arrays",
    "analyse_draws",
    "analyse_grid",
    "as_gates",
    "check",
    "compare",
    "grid_of_draws",
    "grid_of_exact",
    "to_junit",
]
