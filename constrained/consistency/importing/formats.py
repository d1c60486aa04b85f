"""The format that reads a score out of a text, as readers take it."""

from __future__ import annotations

from typing import Any

from constrained.consistency.plan.output import OutputFormat
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec

__all__ = ["format_of"]


def format_of(spec: Any) -> Spec[Any] | None:
    """A spec, what `as_spec` takes, or a text as plans have it; None stays None.

    A text is a template or ``kind:value`` (see `OutputFormat`), for literal text holds no score.

    >>> format_of("Score: {score:0..10}").parse("Score: 7")
    {'score': 7}
    """
    if spec is None:
        return None
    return OutputFormat.model_validate(spec).spec if isinstance(spec, str) else as_spec(spec)
