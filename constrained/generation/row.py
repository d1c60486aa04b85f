"""`Row`: one output in the making, its tokens and what the model said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from operator import eq

import numpy as np

from constrained.errors import ConstrainedError
from constrained.generation.device_scores import DeviceDraws
from constrained.generation.drafts import LOOK_BACK, MOST_DRAFTED, Draft, Drafts
from constrained.generation.guide import ENDED, Guide, Mark
from constrained.generation.result import FinishReason
from constrained.generation.sampling import Sampling
from constrained.generation.scores import Choice, Scores
from constrained.generation.tree import Tree
from constrained.vocabulary import Vocabulary

__all__ = ["Row", "Scored"]

Scored = Sequence[Scores]
"""What a pass says after each of some tokens of a row."""


@dataclass(eq=False)
class Row:
    """One output in the making. `guide` None is a free row; `strict` keeps it inside its budget."""

    prompt: Sequence[int]
    guide: Guide | None
    vocabulary: Vocabulary
    sampling: Sampling
    generator: np.random.Generator
    budget: int
    strict: bool = True
    ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    token_logprobs: list[float | None] = field(default_factory=list)
    removed_mass: list[float | None] = field(default_factory=list)
    passes: int = 0
    finish_reason: FinishReason | None = None
    node: int = ENDED
    fed: int = 0
    trail: list[int] = field(default_factory=list)
    """The node after each id."""
    ahead: dict[int, Scores] = field(default_factory=dict)
    """What the first pass said at nodes below its head."""
    until: Callable[[Row], bool] | None = None
    """Ends the row early, asked whenever its tokens have grown."""
    draws: DeviceDraws | None = None
    """Draws the tokens where the logits are, if that is a device it serves."""
    drafts: Drafts | None = None
    """What the row has shown so far; from its first draft on."""

    def begin(self) -> None:
        """Enter the guide and append what is certain from the start."""
        if self.guide is not None:
            self.node = self.guide.start
        self._jump()

    @property
    def complete(self) -> bool:
        """The output may end where it stands."""
        return self.guide is None or self.guide.accepting(self.node)

    @property
    def waiting(self) -> list[int]:
        """Tokens appended but not yet given to the model."""
        return self.ids[self.fed :]

    def look_ahead(self, most: int) -> tuple[Tree, list[int]]:
        """Where the output may choose later, as a tree below what is certain; and its nodes."""
        if self.guide is None:
            return Tree(), []
        return self.guide.ahead(self.node, most)

    def draft(self, least: float) -> Draft:
        """Tokens that may follow the known ones: likely choices, and what is certain after them.

        They end where the chance that all of them are right is below `least`, or where the guide
        refuses to go on: an error of what may never come is not the row's.
        """
        if self.drafts is None:
            self.drafts = Drafts([*self.prompt, *self.ids])
        draft = Draft([self.node])
        with suppress(ConstrainedError):
            self._try_on(draft, self.drafts, least)
        return draft

    def _try_on(self, draft: Draft, drafts: Drafts, least: float) -> None:
        """Make a draft longer."""
        before = self._last
        most = min(MOST_DRAFTED, self.budget - len(self.ids) - 1)
        while len(draft.tokens) < most:
            node, chance = draft.nodes[-1], draft.chance
            run = self._forced(node, self.budget - len(self.ids) - len(draft.tokens))
            guessed = not run
            if guessed:
                if self.guide is not None and self.guide.final(node):
                    return
                guess = drafts.guess(before, *self._at(node))
                if guess is None or guess.token in self.vocabulary.end_ids:
                    return
                run, chance = (guess.token,), chance * guess.chance
                if chance < least:
                    return
            for token in run[: most - len(draft.tokens)]:
                after = self._after(token, draft.nodes[-1])
                self._at(after)  # if its mask takes too much, that shows here and not in the pass
                draft.add(token, chance, after, guessed=guessed)
                before = [*before, token][-LOOK_BACK:]

    def read(self, scored: Scored, fed: Sequence[int]) -> int:
        """Take what a pass says that was fed some tokens, and choose where none is certain.

        It scores the place after each of them, in the first pass also the one before. Gives how
        many of the tokens, the last ones, are not what the row came to choose.
        """
        self.passes += 1
        begin = self.fed
        for place, scores in enumerate(scored, start=begin + len(fed) + 1 - len(scored)):
            if self.finish_reason is not None:
                break
            if place > begin and self.ids[place - 1] != fed[place - 1 - begin]:
                break
            if place == len(self.token_logprobs):
                self._take(scores)
        while self.finish_reason is None and self.trail:
            known = self.ahead.get(self.trail[len(self.token_logprobs) - 1])
            if known is None:
                break
            self._take(known)
        right = sum(1 for _ in takewhile(bool, map(eq, fed, self.ids[begin:])))
        self.fed += right
        return len(fed) - right

    def asks(
        self, scored: Scored, fed: Sequence[int], draft: Draft
    ) -> list[tuple[Scores, int | Choice]]:
        """What `read` will ask, as far as it is known before, or likely."""
        known, written = len(self.token_logprobs), len(self.ids)
        found: list[tuple[Scores, int | Choice]] = []
        for place, scores in enumerate(scored, start=self.fed + len(fed) + 1 - len(scored)):
            beyond = place - written
            if known <= place < written:
                found.append((scores, self.ids[place]))
            elif 0 <= beyond < len(draft.tokens) and beyond not in draft.choices:
                found.append((scores, draft.tokens[beyond]))
            elif beyond >= 0:
                found.append((scores, self.choice(None, draft.nodes[beyond])))
        return found

    def choice(self, budget: int | None, node: int | None = None) -> Choice:
        """The choice where the output stands, or at another node."""
        at = self.node if node is None else node
        return Choice(self.guide, at, budget, self.sampling, self.generator)

    def _take(self, scores: Scores) -> None:
        """Score the next id that has no score, or choose it."""
        place = len(self.token_logprobs)
        if place == len(self.ids):
            self._choose(scores)
            return
        logprob = scores.logprob(self.ids[place])
        self.token_logprobs.append(logprob)
        self.removed_mass.append(-float(np.expm1(logprob)))

    def close(self) -> None:
        """Mark the certain tokens at the end, which needed no pass, as not scored."""
        missing = len(self.ids) - len(self.token_logprobs)
        self.token_logprobs += [None] * missing
        self.removed_mass += [None] * missing

    def cancel(self) -> None:
        """End here, wherever that is."""
        self.finish_reason = "cancelled"
        self.close()

    def _choose(self, scores: Scores) -> None:
        """Draw the next token, or the end, from what the mask allows; then jump."""
        drawn = scores.draw(self.choice(None))
        following = self._after(drawn.token)
        left = self.budget - len(self.ids) - 1
        if self.strict and self.guide is not None and self.guide.cost(following) > left:
            # Drawing again inside the budget's own mask gives exactly its distribution.
            drawn = scores.draw(self.choice(left + 1))
            following = self._after(drawn.token)
        self.logprob += drawn.local
        if drawn.token in self.vocabulary.end_ids:
            self.finish_reason = "stop"
        else:
            self._append(drawn.token, drawn.logprob, drawn.removed)

    def _append(self, token: int, logprob: float, removed: float) -> None:
        """Go on with a token that was chosen."""
        if self.drafts is not None:
            self.drafts.chosen(self._last, *self._at(self.node), token)
        self.node = self._after(token)
        self.ids.append(token)
        self.trail.append(self.node)
        self.token_logprobs.append(logprob)
        self.removed_mass.append(removed)
        self._jump()

    @property
    def _last(self) -> Sequence[int]:
        """The last tokens, of the prompt if need be."""
        known = self.ids[-LOOK_BACK:]
        return (
            known if len(known) == LOOK_BACK else [*self.prompt[-LOOK_BACK:], *known][-LOOK_BACK:]
        )

    def _at(self, node: int) -> tuple[Mark | None, Callable[[int], bool]]:
        """The mark of a choice, and what it allows."""
        if self.guide is None:
            return None, lambda _: True
        return self.guide.mark(node), partial(self._may_come, self.guide, node)

    @staticmethod
    def _may_come(guide: Guide, node: int, token: int) -> bool:
        """Whether a guess is allowed; not where that takes too much to find out."""
        with suppress(ConstrainedError):
            return guide.allows(node, token)
        return False

    def _forced(self, node: int, left: int) -> tuple[int, ...]:
        """What is certain at a node with some tokens left."""
        return () if self.guide is None else self.guide.forced(node, left if self.strict else None)

    def _after(self, token: int, node: int | None = None) -> int:
        if self.guide is None:
            return ENDED
        return self.guide.advance(self.node if node is None else node, token)

    def _jump(self) -> None:
        """Append the tokens that are certain; notice when nothing can follow or fit."""
        guide = self.guide
        if self._over():
            return
        if guide is not None:
            while True:
                left = self.budget - len(self.ids)
                run = self._forced(self.node, left)[:left]
                if not run:
                    break
                for token in run:
                    if self.drafts is not None:
                        self.drafts.certain(self._last, token)
                    self.node = guide.advance(self.node, token)
                    self.trail.append(self.node)
                    self.ids.append(token)
                if self._over():
                    return
            if guide.final(self.node):
                self.finish_reason = "stop"
                return
        if len(self.ids) >= self.budget:
            self.finish_reason = "length"

    def _over(self) -> bool:
        """Whether `until` ends the row here."""
        if self.until is not None and self.until(self):
            self.finish_reason = "stop"
        return self.finish_reason is not None
