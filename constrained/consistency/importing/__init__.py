"""Scores of others as records: tables, and the logs of evaluation tools."""

from constrained.consistency.importing.deepeval import read_deepeval
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.inspect_logs import read_inspect
from constrained.consistency.importing.kinds import KINDS, kind_of, read_scores
from constrained.consistency.importing.lighteval import read_lighteval
from constrained.consistency.importing.lm_eval import read_lm_eval
from constrained.consistency.importing.promptfoo import read_promptfoo
from constrained.consistency.importing.storing import import_scores, imported_plan
from constrained.consistency.importing.tables import read_csv, read_jsonl, read_parquet

__all__ = [
    "KINDS",
    "Imported",
    "import_scores",
    "imported_plan",
    "kind_of",
    "read_csv",
    "read_deepeval",
    "read_inspect",
    "read_jsonl",
    "read_lighteval",
    "read_lm_eval",
    "read_parquet",
    "read_promptfoo",
    "read_scores",
]
