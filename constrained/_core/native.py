"""The compiled extension, or a clear message when it has not been built."""

from __future__ import annotations

import numpy as np

from constrained.grammar.program import Program as LoweredProgram

try:
    from constrained._core._native import Bounds, Core, CoreError, Program, Vocabulary
except ImportError as error:
    raise ImportError(
        "the compiled core of constrained is missing: in a source checkout run "
        "`pip install -e . -c constraints.txt` once (needs a C++17 compiler)"
    ) from error

__all__ = ["Bounds", "Core", "CoreError", "Program", "Vocabulary", "program"]


def program(lowered: LoweredProgram) -> Program:
    """The lowered grammar as the core reads it."""
    return Program(
        np.frombuffer(lowered.code, dtype=np.int32),
        lowered.pool,
        np.frombuffer(lowered.bodies, dtype=np.int32),
        np.frombuffer(lowered.keys, dtype=np.int32),
        lowered.start,
    )
