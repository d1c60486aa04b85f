"""Masks by brute force: every token of the vocabulary is tried, by nothing but what it spells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import torch

from constrained.vocabulary import Vocabulary

Judge = Callable[[bytes], bool]


def check_greedy(
    vocabulary: Vocabulary,
    logits: Iterable[torch.Tensor],
    row: Sequence[int],
    begins: Judge,
    complete: Judge,
    forbidden: Callable[[int], Collection[int]] = lambda _: (),
) -> bytes:
    """Assert that each token of `row` scored best of those that some output allows; its text.

    `logits` are the model's own, shape (width,) for each token. `begins` says whether an output
    begins with a text, `complete` whether the text is one. `forbidden` are the tokens that the
    settings of `generate` take away as well, by the number of tokens written.
    """
    written = b""
    for place, (scores, chosen) in enumerate(zip(logits, row, strict=True)):
        alive = [
            token
            for token, data in enumerate(vocabulary.tokens)
            if data is not None and begins(written + data)
        ]
        alive += [end for end in vocabulary.end_ids if complete(written)]
        gone = set(forbidden(place))
        best = max(
            (token for token in alive if token not in gone),
            key=lambda token: (float(scores[token]), -token),
        )
        assert chosen == best, (written, vocabulary.tokens[best])
        if chosen in vocabulary.end_ids:
            assert complete(written)
            return written
        written += vocabulary.tokens[chosen] or b""
    raise AssertionError(f"{written!r} has no end")
