"""Guaranteed, typed model outputs with exact distributions.

>>> import constrained as ct
>>> grade = ct.template("Essay score: {score} / 10", score=range(0, 11))
>>> grade.matches("Essay score: 7 / 10")
True
>>> grade.parse("Essay score: 10 / 10")
{'score': 10}

``ct.Generator(model, tokenizer)(prompt, grade)`` generates under a spec,
``.distribution(prompt, grade)`` gives the exact distribution of its outputs, and
``ct.LogitsMask(grade, tokenizer)`` is the same mask for ``model.generate``, and
``ct.check_model(name)`` says what to know of a model beforehand. These load torch and transformers
when first used; everything else needs numpy only (and pydantic for its types).

Every error and every warning of the library is here too (``ct.InvalidSpec``, ``ct.ChatWarning``).
Beside these stand rooms of their own: `constrained.models` (`load_model`, `load_variants`),
`constrained.prompts` (`prompt_format`), `constrained.generation` (`training_check`),
`constrained.consistency` (plans, runs, reports, statistics), `constrained.testing` (Hypothesis
strategies, models by rule) and `constrained.adapters` (Outlines, pytest, Ray).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from constrained.engine import ByteEngine, Engine
from constrained.errors import (
    ChatWarning,
    ConstrainedError,
    GenerationError,
    InvalidSpec,
    LeftOutWarning,
    LimitExceeded,
    MissingPackage,
    ModelError,
    PatternWarning,
    RecordError,
    SchemaWarning,
    SpecError,
    SpellingWarning,
    TextRejected,
    TokenRejected,
    Truncated,
    UnsatisfiableSpec,
    UnsupportedSpec,
    VocabularyError,
)
from constrained.limits import Limits
from constrained.spec import (
    JsonStyle,
    ReactStep,
    Spec,
    Tool,
    ToolCall,
    as_spec,
    as_tool,
    boolean,
    choice,
    grammar,
    integer,
    json,
    likert,
    many,
    number,
    react,
    regex,
    substring_of,
    template,
    text,
    tool_call,
)
from constrained.vocabulary import Vocabulary

if TYPE_CHECKING:
    from constrained.generation import Distribution, Generator, LogitsMask, Result
    from constrained.model_check import ModelCheck, check_model

__version__ = "0.1.0"

__all__ = [
    "ByteEngine",
    "ChatWarning",
    "ConstrainedError",
    "Distribution",
    "Engine",
    "GenerationError",
    "Generator",
    "InvalidSpec",
    "JsonStyle",
    "LeftOutWarning",
    "LimitExceeded",
    "Limits",
    "LogitsMask",
    "MissingPackage",
    "ModelCheck",
    "ModelError",
    "PatternWarning",
    "ReactStep",
    "RecordError",
    "Result",
    "SchemaWarning",
    "Spec",
    "SpecError",
    "SpellingWarning",
    "TextRejected",
    "TokenRejected",
    "Tool",
    "ToolCall",
    "Truncated",
    "UnsatisfiableSpec",
    "UnsupportedSpec",
    "Vocabulary",
    "VocabularyError",
    "as_spec",
    "as_tool",
    "boolean",
    "check_model",
    "choice",
    "grammar",
    "integer",
    "json",
    "likert",
    "many",
    "number",
    "react",
    "regex",
    "substring_of",
    "template",
    "text",
    "tool_call",
]

_WITH_TORCH = {
    "Distribution": "generation",
    "Generator": "generation",
    "LogitsMask": "generation",
    "ModelCheck": "model_check",
    "Result": "generation",
    "check_model": "model_check",
}


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(f"constrained.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module 'constrained' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
