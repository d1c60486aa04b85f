"""The committed type stub of the native core is what nanobind generates from it."""

from __future__ import annotations

from pathlib import Path

from nanobind.stubgen import StubGen

from constrained._core import _native


def test_the_stub_is_up_to_date() -> None:
    generator = StubGen(_native)
    generator.put(_native)
    committed = Path(__file__).parents[2] / "constrained" / "_core" / "_native.pyi"
    assert committed.read_text() == generator.get(), (
        "run: python -m nanobind.stubgen -m constrained._core._native "
        "-o constrained/_core/_native.pyi"
    )
