"""`Drafts`: the tokens that a row will probably choose, guessed from what it wrote before.

A pass over several tokens costs little more than a pass over one, so likely choices are given to
the model before they are made. The row then draws from what the pass says, as it would have
without: a right guess saves a pass, a wrong one is taken back, and no answer depends on any guess
(speculative decoding, Leviathan et al., 2023, arXiv:2211.17192, with the text itself as the draft
model: Saxena, 2023, prompt lookup decoding). A row guesses from its own prompt and output only, so
its passes do not depend on other rows or earlier calls.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from constrained.generation.guide import Mark

__all__ = ["LOOK_BACK", "MOST_DRAFTED", "Draft", "Drafts", "Guess"]

MOST_DRAFTED = 24
"""Tokens of one row that one pass may try."""

NARROW = 256
"""Ids of a choice up to which it is one of form, such as a separator; wider ones are free text."""

_PRIORS = {
    "form, after the same token": (4, 1),
    "form": (2, 1),
    "form, after the same 3": (1, 1),
    "form, after the same 2": (1, 2),
    "text, after the same 3": (1, 2),
    "text, after the same 2": (1, 4),
}
"""What a guess is based on, with pseudo-counts of right and wrong ones: the same choice, after the
same token or any; the same last tokens. What was written tells much of form and little of text."""

LOOK_BACK = 3
"""Tokens that a guess looks back."""


class Guess(NamedTuple):
    """The token that will probably be chosen, and the chance that it is."""

    token: int
    chance: float


@dataclass(eq=False)
class Draft:
    """Tokens to try after a node of a guide; `nodes` begins with that node."""

    nodes: list[int]
    """The node before each token, and the one after the last."""
    tokens: list[int] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    """The chance of each token that the row comes to it."""
    choices: set[int] = field(default_factory=set)
    """The places of tokens that were guessed; the others are certain after them."""

    @property
    def chance(self) -> float:
        """The chance that the row comes to the end of the draft."""
        return self.chances[-1] if self.chances else 1.0

    def asked(self, tokens: int) -> list[int]:
        """The nodes of the choices that a pass over so many of the tokens says something of."""
        last = len(self.tokens)
        return [self.nodes[i] for i in range(tokens + 1) if i == last or i in self.choices]

    def add(self, token: int, chance: float, after: int, *, guessed: bool) -> None:
        """One token more."""
        if guessed:
            self.choices.add(len(self.tokens))
        self.tokens.append(token)
        self.chances.append(chance)
        self.nodes.append(after)


class Drafts:
    """What one row has seen: which token came after what, and how often such guesses were right.

    `seen` is the prompt, from which the first guesses come. A choice has a `mark`, the same where
    the same tokens may come next (None for free text), and a function that says what it `allows`.

    >>> drafts = Drafts([5, 6, 7, 8, 9, 5, 6, 7])
    >>> drafts.guess([5, 6, 7], None, lambda token: True)
    Guess(token=8, chance=0.3333333333333333)
    >>> drafts.guess([5, 6, 7], None, lambda token: token < 5) is None
    True
    """

    def __init__(self, seen: Sequence[int]) -> None:
        self._following: dict[Hashable, int] = {}
        self._right = {kind: [*counts] for kind, counts in _PRIORS.items()}
        for place in range(1, len(seen)):
            self._follow(seen[max(0, place - LOOK_BACK) : place], seen[place])

    def guess(
        self, before: Sequence[int], mark: Mark | None, allows: Callable[[int], bool]
    ) -> Guess | None:
        """What will probably be chosen after the tokens `before` (three are looked at)."""
        guesses = []
        for kind, key in _bases(before, mark):
            token = self._following.get(key)
            if token is not None:
                right, wrong = self._right[kind]
                guesses.append(Guess(token, right / (right + wrong)))
        guesses.sort(key=lambda guess: -guess.chance)
        return next((guess for guess in guesses if allows(guess.token)), None)

    def chosen(
        self, before: Sequence[int], mark: Mark | None, allows: Callable[[int], bool], token: int
    ) -> None:
        """Learn from a choice."""
        for kind, key in _bases(before, mark):
            guessed = self._following.get(key)
            if guessed == token:
                self._right[kind][0] += 1
            elif guessed is not None and allows(guessed):
                self._right[kind][1] += 1
            self._following[key] = token

    def certain(self, before: Sequence[int], token: int) -> None:
        """Learn from a token that was no choice."""
        self._follow(before, token)

    def _follow(self, before: Sequence[int], token: int) -> None:
        for key in _runs(before):
            self._following[key] = token


def _bases(before: Sequence[int], mark: Mark | None) -> Iterator[tuple[str, Hashable]]:
    """All that a guess can be based on: the kind, and what has to be the same."""
    narrow = mark is not None and mark.ids <= NARROW
    if narrow:
        yield "form, after the same token", (mark, *before[-1:])
        yield "form", mark
    for run in _runs(before):
        yield f"{'form' if narrow else 'text'}, after the same {len(run)}", run


def _runs(before: Sequence[int]) -> list[tuple[int, ...]]:
    """The last tokens."""
    return [tuple(before[-many:]) for many in (3, 2) if len(before) >= many]
