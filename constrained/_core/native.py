"""The compiled extension, or a clear message when it has not been built."""

from __future__ import annotations

try:
    from constrained._core._native import Bounds, Core, CoreError, Program, Vocabulary, written
except ImportError as error:
    raise ImportError(
        "the compiled core of constrained is missing: in a source checkout run "
        "`pip install -e . -c constraints.txt` once (needs a C++17 compiler)"
    ) from error

__all__ = ["Bounds", "Core", "CoreError", "Program", "Vocabulary", "written"]
