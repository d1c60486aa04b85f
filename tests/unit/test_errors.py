"""Errors say all they know, and still do after they crossed the border of a process."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from constrained import errors
from constrained.errors import (
    ConstrainedError,
    GenerationError,
    InvalidSpec,
    LimitExceeded,
    MissingPackage,
    ModelError,
    TextRejected,
    TokenRejected,
    Truncated,
    UnsupportedSpec,
)
from constrained.spec import integer

EXAMPLES = [
    ConstrainedError("wrong"),
    InvalidSpec("no digit", where="1:2", hint="write one"),
    UnsupportedSpec("\\b", "cannot be enforced", where="3", hint="leave it out"),
    LimitExceeded("max_terms", 10, "filling a mask", remedy="shorten it"),
    TokenRejected(3, 7, "a digit"),
    TextRejected("ab", 1, "'c'"),
    GenerationError("stopped", text="ab", finish_reason="error"),
    Truncated("too short", text="ab"),
    ModelError("smollm2", "is damaged", hint="load it again"),
    MissingPackage("torch", "loading", install="pip install torch"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_can_be_copied_and_pickled(error: ConstrainedError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))


def test_every_kind_of_error_has_an_example() -> None:
    kinds = {getattr(errors, name) for name in errors.__all__}
    made = {type(error) for error in EXAMPLES}
    own = {kind for kind in kinds if "__init__" in vars(kind)}
    assert own - made == {errors.SpecError}  # by way of its children


def reject() -> int:
    return integer(0, 9).parse("x")


def test_an_error_comes_back_from_a_pool() -> None:
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool, pytest.raises(TextRejected) as caught:
        pool.submit(reject).result(timeout=60)
    assert (caught.value.text, caught.value.position) == ("x", 0)


def test_a_limit_names_its_remedy() -> None:
    assert str(LimitExceeded("max_terms", 1000)) == (
        "limit max_terms=1,000 reached (simplify the spec, or pass Limits(max_terms=...))"
    )
    assert str(LimitExceeded("max_outputs", 5, "listing", remedy="draw samples")) == (
        "limit max_outputs=5 reached while listing (draw samples, or pass Limits(max_outputs=...))"
    )
