"""Masks applied in place: every backend against a loop over bits.

Triton's own code needs a card; where Triton is installed, its interpreter runs it on the CPU.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constrained.generation.kernels import block_, default_backend

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
BACKENDS = ["torch", *(["triton"] if INTERPRETED else [])]


def brute_force(logits: torch.Tensor, words: torch.Tensor, places: list[int]) -> torch.Tensor:
    expected = logits.clone()
    for row, place in enumerate(places):
        for column in range(logits.shape[1] if place >= 0 else 0):
            word, bit = divmod(column, 32)
            known = word < words.shape[1]
            allowed = known and (int(words[place, word]) & 0xFFFFFFFF) >> bit & 1
            if not allowed:
                expected[row, column] = float("-inf")
    return expected


def table(masks: int, words: int, seed: int) -> torch.Tensor:
    bits = np.random.default_rng(seed).integers(-(2**31), 2**31, (masks, words), dtype=np.int64)
    return torch.from_numpy(bits.astype(np.int32))


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    views = {2: torch.int16, 4: torch.int32}
    kind = views[one.element_size()]
    return torch.equal(one.contiguous().view(kind), other.contiguous().view(kind))


def laid_out(rows: int, width: int, dtype: torch.dtype, layout: str) -> torch.Tensor:
    """Random logits in memory as models leave them: whole, a slice of positions, a transpose."""
    generator = torch.Generator().manual_seed(width)
    if layout == "last position":
        return torch.randn((rows, 3, width), generator=generator).to(dtype)[:, -1]
    if layout == "wider rows":
        return torch.randn((rows, width + 5), generator=generator).to(dtype)[:, :width]
    if layout == "transposed":
        return torch.randn((width, rows), generator=generator).to(dtype).t()
    return torch.randn((rows, width), generator=generator).to(dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["whole", "last position", "wider rows", "transposed"])
def test_exactly_the_columns_without_a_bit_are_blocked(backend, dtype, layout):
    places = [2, -1, 0, 2, 1]
    for width in (1, 31, 32, 33, 70, 100, 1025):
        logits = laid_out(len(places), width, dtype, layout)
        words = table(3, (width + 31) // 32, seed=width)
        expected = brute_force(logits, words, places)
        given_back = block_(logits, words, torch.tensor(places, dtype=torch.int32), backend=backend)
        assert given_back is logits
        assert same_bits(logits, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_columns_beyond_the_mask_are_blocked_and_bits_beyond_the_columns_are_not_written(backend):
    memory = torch.zeros((2, 80))
    words = table(1, 2, seed=0)
    wide = memory[:, :70]
    expected = brute_force(wide, words, [0, -1])
    block_(wide, words, torch.tensor([0, -1], dtype=torch.int32), backend=backend)
    assert same_bits(wide, expected)
    assert bool(torch.isneginf(wide[0, 64:]).all())
    assert not memory[:, 70:].any()

    memory = torch.zeros((2, 80))
    block_(memory[:, :20], words, torch.tensor([0, 0], dtype=torch.int32), backend=backend)
    assert same_bits(memory[:, :20], brute_force(torch.zeros((2, 20)), words, [0, 0]))
    assert not memory[:, 20:].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_and_infinite_logits_pass_where_allowed(backend):
    logits = torch.tensor([[float("nan"), float("inf"), float("-inf"), float("nan")]])
    words = torch.tensor([[0b0111]], dtype=torch.int32)
    block_(logits, words, torch.tensor([0], dtype=torch.int32), backend=backend)
    assert logits[0, 0].isnan()
    assert logits[0, 1:].tolist() == [float("inf"), float("-inf"), float("-inf")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_to_mask_is_no_error(backend):
    free = torch.tensor([-1, -1], dtype=torch.int32)
    logits = torch.ones((2, 40))
    block_(logits, torch.zeros((0, 2), dtype=torch.int32), free, backend=backend)
    assert bool((logits == 1).all())
    none = torch.zeros((0, 40))
    assert block_(none, table(1, 2, 0), free[:0], backend=backend) is none


@pytest.mark.parametrize("backend", BACKENDS)
def test_logits_of_inference_mode_can_be_masked_outside_it(backend):
    with torch.inference_mode():
        logits = torch.zeros((1, 32))
    words, place = torch.tensor([[1]], dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    block_(logits, words, place, backend=backend)
    assert logits[0, 0] == 0
    assert bool(torch.isneginf(logits[0, 1:]).all())


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_shape_and_any_places(data):
    width = data.draw(st.integers(1, 200))
    words = data.draw(st.integers(0, 7))
    masks = data.draw(st.integers(0, 4))
    places = data.draw(st.lists(st.integers(-2, masks - 1), min_size=1, max_size=6))
    dtype = data.draw(st.sampled_from(DTYPES))
    bits = table(masks, words, data.draw(st.integers(0, 99)))
    for backend in BACKENDS:
        logits = laid_out(len(places), width, dtype, "last position")
        expected = brute_force(logits, bits, places)
        block_(logits, bits, torch.tensor(places, dtype=torch.int32), backend=backend)
        assert same_bits(logits, expected)


def test_the_backend_follows_the_device():
    assert default_backend(torch.device("cpu")) == "torch"
    expected = "torch" if find_spec("triton") is None else "triton"
    assert default_backend(torch.device("cuda:0")) == expected


def test_the_triton_kernel_passes_these_tests_in_its_interpreter():
    # A process of its own, since Triton reads the variable when it is imported. Without Triton
    # there is no such kernel to choose, and its module says so.
    if find_spec("triton") is None:
        with pytest.raises(ModuleNotFoundError, match="No module named 'triton'"):
            block_(torch.ones(1, 1), table(1, 1, 0), torch.zeros(1).int(), backend="triton")
    elif not INTERPRETED:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
            env={**os.environ, "TRITON_INTERPRET": "1"},
            check=True,
        )
