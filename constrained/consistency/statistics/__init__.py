"""Statistics of consistency: plain functions on arrays, results as frozen values.

NaN is a missing cell. Grids have the axes (item, prompt) or one axis per facet. Too little data is
NaN with a reason, never an error and never 0. docs/reference/statistics.md lists every function
with its formula and the published numbers that prove it.
"""

from constrained.consistency.statistics.agreement import Intraclass, intraclass
from constrained.consistency.statistics.averages import over_cells, over_move, over_pairs
from constrained.consistency.statistics.bootstrap import (
    ResampledComponents,
    resample_components,
    resample_items,
)
from constrained.consistency.statistics.cells import (
    Cells,
    exact_cells,
    mode_cells,
    reasoned_cells,
    sampled_cells,
    single_cells,
)
from constrained.consistency.statistics.comparison import (
    Flips,
    changed_verdicts,
    component_difference,
    item_mean,
    paired_difference,
)
from constrained.consistency.statistics.distances import (
    between_prompts,
    entropy,
    jensen_shannon,
    pooled,
    to_pooled,
    total_variation,
    wasserstein,
)
from constrained.consistency.statistics.estimate import BOTH, ITEMS, THESE, Estimate, unknown
from constrained.consistency.statistics.flips import (
    any_flip,
    cell_flips,
    flip_between_prompts,
    flip_within_prompt,
    item_flips,
    pair_flips,
    pass_curve,
    pass_probability,
    sampled_pass_probability,
    straddle_rate,
)
from constrained.consistency.statistics.gates import (
    GateCurves,
    GateRisk,
    Verdict,
    gate_curve,
    gate_risk,
    gate_risks,
    mean_gate_risk,
    poisson_binomial,
    safe_gate,
    verdict,
)
from constrained.consistency.statistics.generalizability import (
    Dependability,
    DependabilityEstimates,
    cut_score_dependability,
    dependability,
    dependability_estimates,
    many_draws_ceiling,
)
from constrained.consistency.statistics.generalized import draw_components
from constrained.consistency.statistics.kappa import (
    bias,
    exact_quadratic_kappa,
    mean_kappa,
    quadratic_kappa,
    standardised_bias,
    weighted_kappa,
)
from constrained.consistency.statistics.krippendorff import Metric, alpha, exact_alpha
from constrained.consistency.statistics.moves import Moves, at_marks, effective_draws, moves
from constrained.consistency.statistics.pairwise import (
    JointScores,
    Preferences,
    joint_scores,
    mean_of_ratios,
    order_effect,
    order_flip,
    preferences,
    ratio_of_means,
)
from constrained.consistency.statistics.power import (
    detectable_difference,
    items_for_difference,
    items_for_intraclass,
)
from constrained.consistency.statistics.published import (
    components_from_mean_squares,
    known_components,
)
from constrained.consistency.statistics.spread import (
    ItemSpread,
    item_spread,
    prompt_spread,
    room_to_room,
    severity,
)
from constrained.consistency.statistics.studies import StudyPoint, cheapest, d_study, prompts_needed
from constrained.consistency.statistics.variance import (
    DRAW,
    Component,
    VarianceComponents,
    crossed_mean,
    draw_index_share,
    variance_components,
)

__all__ = [
    "BOTH",
    "DRAW",
    "ITEMS",
    "THESE",
    "Cells",
    "Component",
    "Dependability",
    "DependabilityEstimates",
    "Estimate",
    "Flips",
    "GateCurves",
    "GateRisk",
    "Intraclass",
    "ItemSpread",
    "JointScores",
    "Metric",
    "Moves",
    "Preferences",
    "ResampledComponents",
    "StudyPoint",
    "VarianceComponents",
    "Verdict",
    "alpha",
    "any_flip",
    "at_marks",
    "between_prompts",
    "bias",
    "cell_flips",
    "changed_verdicts",
    "cheapest",
    "component_difference",
    "components_from_mean_squares",
    "crossed_mean",
    "cut_score_dependability",
    "d_study",
    "dependability",
    "dependability_estimates",
    "detectable_difference",
    "draw_components",
    "draw_index_share",
    "effective_draws",
    "entropy",
    "exact_alpha",
    "exact_cells",
    "exact_quadratic_kappa",
    "flip_between_prompts",
    "flip_within_prompt",
    "gate_curve",
    "gate_risk",
    "gate_risks",
    "intraclass",
    "item_flips",
    "item_mean",
    "item_spread",
    "items_for_difference",
    "items_for_intraclass",
    "jensen_shannon",
    "joint_scores",
    "known_components",
    "many_draws_ceiling",
    "mean_gate_risk",
    "mean_kappa",
    "mean_of_ratios",
    "mode_cells",
    "moves",
    "order_effect",
    "order_flip",
    "over_cells",
    "over_move",
    "over_pairs",
    "pair_flips",
    "paired_difference",
    "pass_curve",
    "pass_probability",
    "poisson_binomial",
    "pooled",
    "preferences",
    "prompt_spread",
    "prompts_needed",
    "quadratic_kappa",
    "ratio_of_means",
    "reasoned_cells",
    "resample_components",
    "resample_items",
    "room_to_room",
    "safe_gate",
    "sampled_cells",
    "sampled_pass_probability",
    "severity",
    "single_cells",
    "standardised_bias",
    "straddle_rate",
    "to_pooled",
    "total_variation",
    "unknown",
    "variance_components",
    "verdict",
    "wasserstein",
    "weighted_kappa",
]
