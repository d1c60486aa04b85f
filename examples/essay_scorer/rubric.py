"""Essays whose score is known because they were damaged by known amounts.

A whole essay has a position, two reasons, an example and a conclusion, and scores 10. Each kind of
damage costs points:

===================  =================================  ======================
damage               amount                             points lost
===================  =================================  ======================
missing argument     reasons left out (of two)          2 each
off topic            sentences about something else     2 each
repetition           sentences said a second time       1 each
spelling             misspelt words                     1 for every two
===================  =================================  ======================

A score cannot fall below 0. Everything is drawn from one seed, so the same seed gives the same
essays on every machine.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TOPICS: dict[str, Any] = json.loads((FOLDER / "topics.json").read_text("utf-8"))


@dataclass(frozen=True)
class Damage:
    """How much of each kind was done to an essay."""

    missing: int = 0
    off_topic: int = 0
    repeated: int = 0
    misspelt: int = 0

    @property
    def score(self) -> int:
        """Points out of 10 that are left.

        >>> Damage(missing=1, misspelt=4).score
        6
        """
        lost = 2 * self.missing + 2 * self.off_topic + self.repeated + self.misspelt // 2
        return max(0, 10 - lost)


@dataclass(frozen=True)
class Essay:
    """A question, a damaged answer, and what was done to it."""

    question: str
    body: str
    damage: Damage

    @property
    def text(self) -> str:
        """What is graded: the question and the answer."""
        return f"{self.question}\n{self.body}"


BY_SCORE: dict[int, list[Damage]] = defaultdict(list)
for _amounts in product(range(3), range(4), range(3), range(0, 7, 2)):
    BY_SCORE[Damage(*_amounts).score].append(Damage(*_amounts))


def essays(seed: int, number: int, part: str, scores: Sequence[int] = range(11)) -> Iterator[Essay]:
    """Essays of the part `training`, `validation` or `held_out`, with these scores in turn.

    No two parts share topics or off-topic sentences.
    """
    rng = random.Random(f"{part} {seed}")
    for place in range(number):
        damage = rng.choice(BY_SCORE[scores[place % len(scores)]])
        yield essay(rng, rng.choice(TOPICS[part]), TOPICS["off_topic"][part], damage)


def essay(rng: random.Random, topic: dict[str, Any], strangers: list[str], damage: Damage) -> Essay:
    """An essay on a topic with exactly this damage."""
    reasons = rng.sample(topic["reasons"], 2 - damage.missing)
    sentences = [
        rng.choice(topic["position"]),
        *reasons,
        rng.choice(topic["examples"]),
        rng.choice(topic["conclusions"]),
    ]
    added = rng.sample(strangers, damage.off_topic) + rng.sample(sentences, damage.repeated)
    for sentence in added:
        sentences.insert(rng.randint(1, len(sentences)), sentence)
    words = " ".join(sentences).split(" ")
    long = [i for i, word in enumerate(words) if len(word.strip(".,")) >= 5]
    for i in rng.sample(long, damage.misspelt):
        words[i] = misspelt(rng, words[i])
    return Essay(topic["question"], " ".join(words), damage)


def misspelt(rng: random.Random, word: str) -> str:
    """`word` with two letters exchanged, one left out or one doubled; its first letter stays."""
    kinds = ["drop", "double"]
    places = [i for i in range(1, len(word.strip(".,")) - 1) if word[i] != word[i + 1]]
    i = rng.choice(places)
    if word[i + 1].isalpha():
        kinds.append("swap")
    kind = rng.choice(kinds)
    if kind == "swap":
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    return word[:i] + word[i + 1 :] if kind == "drop" else word[: i + 1] + word[i:]
