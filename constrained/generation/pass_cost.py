"""What a pass of the model costs, counted in tokens, and how many tokens it should take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["pass_cost", "worth_trying", "worthwhile"]

PASS_TOKENS = {"cpu": 50}
"""What a pass costs before its first token: all weights are read. By type of device."""

ACCELERATOR_PASS_TOKENS = 500
"""The same on a device that is not named above; far more than a pass has in tokens."""

ONE_TOKEN = 0.5
"""What a pass over a single token costs on a CPU, in passes over several: a product of a matrix and
a vector reads the weights once, one of two matrices copies them into another order first."""


def pass_cost(tokens: int, device: str) -> float:
    """What a pass over so many tokens costs on a type of device, counted in tokens.

    >>> pass_cost(1, "cpu"), pass_cost(8, "cpu"), pass_cost(8, "cuda")
    (25.0, 58, 508)
    """
    read = PASS_TOKENS.get(device, ACCELERATOR_PASS_TOKENS)
    return read * ONE_TOKEN if tokens == 1 and device == "cpu" else read + tokens


def worth_trying(rows: int, device: str) -> float:
    """The chance to be of use from which on a token of each row is worth its place in a pass."""
    return rows / pass_cost(rows, device)


def worthwhile(chances: Sequence[Sequence[float]], device: str, *, padded: bool) -> int:
    """How many tokens of each row the next pass should take, at most.

    `chances` has for each row the chance of each token to be of use, 1 for what is certain. The
    pass with the most useful tokens for its cost is best. Where rows are `padded` to the longest
    one, padding costs as much as tokens: a row with many tokens then gives some of them to later
    passes, so rows stay in step where they can.

    >>> worthwhile([[1, 1, 1], [1, 1, 1]], "cpu", padded=True)
    3
    >>> worthwhile([[1] * 12, *[[1]] * 31], "cpu", padded=True)
    1
    """
    longest = max(map(len, chances))
    gains, taken = np.zeros(longest), np.zeros(longest, dtype=np.int64)
    for row in chances:
        gains[: len(row)] += row
        taken[: len(row)] += 1
    if padded:
        taken[:] = len(chances)
    costs = [pass_cost(int(tokens), device) for tokens in taken.cumsum()]
    return int(np.argmax(gains.cumsum() / costs)) + 1
