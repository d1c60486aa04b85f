"""Generation with Hugging Face models: the processor, the loop, exact distributions.

Needs torch and transformers (``scripts/install hf``).
"""

from constrained.generation.distribution import Distribution, Outcome, Pmf
from constrained.generation.generator import Generator
from constrained.generation.nested import NestedDistribution, NestedDraw
from constrained.generation.processor import LogitsMask
from constrained.generation.progress import Progress
from constrained.generation.result import Chunk, Result
from constrained.generation.training_check import TrainingCheck, training_check
from constrained.generation.weighted import SampledDistribution, WeightedSample

__all__ = [
    "Chunk",
    "Distribution",
    "Generator",
    "LogitsMask",
    "NestedDistribution",
    "NestedDraw",
    "Outcome",
    "Pmf",
    "Progress",
    "Result",
    "SampledDistribution",
    "TrainingCheck",
    "WeightedSample",
    "training_check",
]
