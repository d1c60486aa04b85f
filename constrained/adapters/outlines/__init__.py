"""Outlines: its output types as specs, and these masks behind its generators.

::

    from constrained.adapters.outlines import from_outlines, outlines_processor

    spec = from_outlines(User)                                   # any output type or term
    generator = outlines.Generator(model, processor=outlines_processor(model, User))

`types` turns output types into specs, `terms` the terms of the regex DSL into grammars, `schemas`
JSON Schema terms; `processor` is what an Outlines generator takes.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from constrained.errors import MissingPackage
from constrained.generation import LogitsMask
from constrained.packages import remedy
from constrained.spec import Spec

__all__ = ["from_outlines", "outlines_processor"]

INSTALL = remedy("outlines")


def from_outlines(output_type: Any) -> Spec[Any]:
    """The spec of an Outlines output type: what `outlines.Generator` takes as its second argument.

    Terms (`Regex`, `CFG`, `JsonSchema`, `Choice` and what the regex DSL builds) and Python types
    (``int``, ``list[...]``, ``Literal``, an Enum, a pydantic model, a function ...) match the texts
    that Outlines says they match. What its default backend drops is enforced: bounds of numbers
    and of lengths, patterns, and whatever else a JSON Schema says. Scalars, literals, members of
    an Enum, JSON and function arguments are read as values, everything else as text.

    Raises `UnsupportedSpec` for what cannot be expressed exactly, by name, `InvalidSpec` for what
    Outlines takes for no output type either, `MissingPackage` without Outlines.

    >>> from outlines.types import Regex
    >>> from_outlines("Score: " + Regex("[0-9]|10")).matches("Score: 10")
    True
    """
    _require("reading output types of Outlines")
    from constrained.adapters.outlines.types import spec_of

    return spec_of(output_type)


def outlines_processor(model: Any, output_type: Any, **settings: Any) -> LogitsMask:
    """A processor for ``outlines.Generator(model, processor=...)``.

    `model` is what `outlines.from_transformers` made; its tokenizer and the width of its logits
    are used. `output_type` is for `from_outlines`, or a spec of this library, or a list with one
    per prompt for ``generator.batch``. `settings` are those of `LogitsMask`.

    Raises what `from_outlines` raises, and `UnsupportedSpec` for other models than those of
    transformers.

    >>> processor = outlines_processor(model, User)  # doctest: +SKIP
    >>> outlines.Generator(model, processor=processor)("...", max_new_tokens=99)  # doctest: +SKIP
    """
    _require("masks for Outlines")
    from constrained.adapters.outlines.processor import processor_of

    return processor_of(model, output_type, settings)


def _require(doing: str) -> None:
    if find_spec("outlines") is None:
        raise MissingPackage("outlines", doing, install=INSTALL)
