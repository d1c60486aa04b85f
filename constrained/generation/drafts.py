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

__all__ = ["LOOK_BACK", "MOST_DRAFTED", "Draft", "Drafts", "Guess"]

MOST_DRAFTED = 24
"""Tokens of one row that one pass may try."""

_PRIORS = {"choice after token": (4, 1), "choice": (2, 1), "after 3": (1, 1), "after 2": (1, 2)}
"""What a guess is based on: the same choice (the same tokens allowed) after the same token, the
same choice, the same three tokens before, the same two. With pseudo-counts of right and wrong."""

LOOK_BACK = 3
"""Tokens that a guess looks back."""

Basis = tuple[str, Hashable]


class Guess(NamedTuple):
    """The token that will probably be chosen, and the chance that it is."""

    token: int
    chance: float


@dataclass(eq=False)
class Draft:
    """Tokens to try after a node of a guide."""

    start: int
    tokens: list[int] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    """The chance of each token that the row comes to it."""
    nodes: list[int] = field(default_factory=list)
    """The node before each token, and the one after the last."""
    choices: set[int] = field(default_factory=set)
    """The places of tokens that were guessed; the others are certain after them."""

    def __post_init__(self) -> None:
        self.nodes.append(self.start)

    @property
    def chance(self) -> float:
        """The chance that the row comes to the end of the draft."""
        return self.chances[-1] if self.chances else 1.0

    def asked(self, tokens: int) -> list[int]:
        """The nodes of the choices that a pass over so many of the tokens says something of."""
        last = len(self.tokens)
        return [self.nodes[i] for i in range(tokens + 1) if i == last or i in self.choices]

    def add(self, token: int, chance: float, after: int) -> None:
        """One token more."""
        self.tokens.append(token)
        self.chances.append(chance)
        self.nodes.append(after)


class Drafts:
    """What one row has seen: which token came after what, and how often such guesses were right.

    `seen` is the prompt, from which the first guesses come. A choice has a `mark`, the same where
    the same tokens may come next (None for free text), and a function that says what it `allows`.

    >>> drafts = Drafts([5, 6, 7, 8, 9, 5, 6, 7])
    >>> drafts.guess([5, 6, 7], None, lambda token: True)
    Guess(token=8, chance=0.5)
    >>> drafts.guess([5, 6, 7], None, lambda token: token < 5) is None
    True
    """

    def __init__(self, seen: Sequence[int]) -> None:
        self._following: dict[Basis, int] = {}
        self._right = {kind: [*counts] for kind, counts in _PRIORS.items()}
        for place in range(1, len(seen)):
            self._follow(seen[max(0, place - LOOK_BACK) : place], seen[place])

    def guess(
        self, before: Sequence[int], mark: int | None, allows: Callable[[int], bool]
    ) -> Guess | None:
        """What will probably be chosen after the tokens `before` (three are looked at)."""
        guesses = []
        for basis in _bases(before, mark):
            token = self._following.get(basis)
            if token is not None:
                right, wrong = self._right[basis[0]]
                guesses.append(Guess(token, right / (right + wrong)))
        guesses.sort(key=lambda guess: -guess.chance)
        return next((guess for guess in guesses if allows(guess.token)), None)

    def chosen(
        self, before: Sequence[int], mark: int | None, allows: Callable[[int], bool], token: int
    ) -> None:
        """Learn from a choice."""
        for basis in _bases(before, mark):
            guessed = self._following.get(basis)
            if guessed == token:
                self._right[basis[0]][0] += 1
            elif guessed is not None and allows(guessed):
                self._right[basis[0]][1] += 1
            self._following[basis] = token

    def certain(self, before: Sequence[int], token: int) -> None:
        """Learn from a token that was no choice."""
        self._follow(before, token)

    def _follow(self, before: Sequence[int], token: int) -> None:
        for basis in _runs(before):
            self._following[basis] = token


def _bases(before: Sequence[int], mark: int | None) -> Iterator[Basis]:
    """All that a guess can be based on."""
    if mark is not None:
        yield "choice after token", (mark, *before[-1:])
        yield "choice", mark
    yield from _runs(before)


def _runs(before: Sequence[int]) -> Iterator[Basis]:
    """The last tokens."""
    if len(before) >= 3:
        yield "after 3", tuple(before[-3:])
    if len(before) >= 2:
        yield "after 2", tuple(before[-2:])
