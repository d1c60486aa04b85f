"""What a server's log-probabilities say, and the exact distribution of one token from them.

A server lists the likeliest first tokens of the free model with their log-probabilities. That is
the exact distribution of a format whose outputs are single tokens, and of no other. So:

* an output that is in the list counts as that token (its canonical spelling);
* an output that is not is either less likely than everything listed, which bounds it, or longer
  than a token, which shows in the list: then one of its beginnings is there, and nothing can be
  said.

At a temperature other than 1 the probability of a token depends on all others, and the list does
not have them all. What they add lies between two bounds (`Rest`), and so does what is made of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constrained.errors import GenerationError

__all__ = [
    "KNOWN",
    "LEAST",
    "MOST_TOKENS",
    "Distributed",
    "Rest",
    "check_apart",
    "first_tokens",
    "likeliest_unlisted",
    "log_probability",
    "one_token_distribution",
    "settled",
]

TOLERANCE = 1e-3
"""The most probability that outputs outside the list may have under the mask."""

KNOWN = 5e-3
"""How far the free model's probabilities may be off for them to be told."""

ROUNDING = 1e-3
"""How far a logarithm may be above 0, and how far listed probabilities above 1."""

MOST_TOKENS = 2**20
"""More tokens than any vocabulary has."""

LEAST = -math.log(MOST_TOKENS)
"""The likeliest of so many tokens is likelier than this."""

SAMPLED = "score with kind: sampled"


@dataclass(frozen=True, slots=True)
class Distributed:
    """Probabilities of the outputs, by text, at the temperature asked for.

    `local` under the mask (sums to 1), `free` of the free model given that it answers in the
    format, `removed_mass` what the mask takes away; both None where the server's list does not
    say. `floor` is how far each of `local` may be off, because some outputs were not in the list.
    """

    local: Mapping[str, float]
    free: Mapping[str, float] | None
    removed_mass: float | None
    floor: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rest:
    """The sum of ``p ** (1 / temperature)`` over all tokens, of which only some `logs` are listed.

    It lies between `low` and `high`, which are in units of the likeliest token's part: tokens that
    are not listed share what the listed ones leave, and none is likelier than `least` (None: than
    the last of the list).

    >>> round(Rest([math.log(0.5), math.log(0.25)], 1.0).low, 6)
    2.0
    """

    logs: Sequence[float]
    temperature: float
    least: float | None = None

    @property
    def top(self) -> float:
        """The likeliest token's logarithm, the unit of the bounds."""
        return max(self.logs)

    @property
    def low(self) -> float:
        """The least it can be."""
        return self._listed + self.unlisted[0]

    @property
    def high(self) -> float:
        """The most it can be."""
        return self._listed + self.unlisted[1]

    @property
    def _listed(self) -> float:
        return math.fsum(math.exp((log - self.top) / self.temperature) for log in self.logs)

    @property
    def unlisted(self) -> tuple[float, float]:
        """The part of the tokens that are not listed: the least and the most it can be."""
        left = 1.0 - math.fsum(map(math.exp, self.logs))
        least = min(self.logs) if self.least is None else self.least
        power = 1.0 / self.temperature
        if left <= 0 or least == -math.inf:
            return 0.0, 0.0
        many = math.log(MOST_TOKENS)
        # What is left may be the rounding of what is listed, and more than is possible.
        left = min(math.log(left), many + least)
        as_likely = math.exp(left + least * (power - 1) - self.top * power)
        if power == 1:
            return as_likely, as_likely
        if power > 1:
            return 0.0, as_likely
        most = math.exp(many * (1 - power) + (left - self.top) * power)
        return min(as_likely, most), max(as_likely, most)


def log_probability(value: Any) -> float | None:
    """A log-probability that a server gave; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        log = float(value)
    except OverflowError:
        return None
    return min(log, 0.0) if log <= ROUNDING else None  # NaN is no log-probability either


def first_tokens(choice: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(token, log-probability in nats) of the first token's alternatives, of either route.

    Raises `GenerationError` when the server gave none.
    """
    pairs: list[tuple[Any, Any]] = []
    logprobs = choice.get("logprobs")
    try:
        if isinstance(logprobs, dict) and logprobs.get("content"):
            listed = logprobs["content"][0]["top_logprobs"]
            pairs = [(one["token"], one["logprob"]) for one in listed]
        elif isinstance(logprobs, dict) and logprobs.get("top_logprobs"):
            pairs = list(logprobs["top_logprobs"][0].items())
    except (TypeError, KeyError, IndexError, AttributeError):
        pairs = []
    found = [(token, log_probability(value)) for token, value in pairs]
    logs = [log for _, log in found if log is not None]
    if (
        not found
        or len(logs) < len(found)
        or not all(isinstance(token, str) for token, _ in found)
        or max(logs) < LEAST
        or math.fsum(map(math.exp, logs)) > 1 + ROUNDING
    ):
        raise GenerationError(f"the server gave no log-probabilities of the first token; {SAMPLED}")
    return [(token, log) for (token, _), log in zip(found, logs, strict=True)]


def likeliest_unlisted(choice: Mapping[str, Any], tokens: Sequence[tuple[str, float]]) -> float:
    """The most that the log-probability of a token can be that is not listed.

    Servers add the token that was drawn to the likeliest ones, however unlikely it is, so it says
    nothing of the others.
    """
    drawn = _drawn(choice)
    logs = sorted(log for token, log in tokens if token != drawn)
    if len(logs) == len(tokens) and len(logs) > 1:
        logs = logs[1:]  # the one that was drawn cannot be told, and may be the last
    return logs[0] if logs else tokens[0][1]


def check_apart(
    choice: Mapping[str, Any], tokens: Sequence[tuple[str, float]], wanted: int
) -> None:
    """Refuse a list of `wanted` tokens in which some that read alike were made one.

    Which they are cannot be seen, nor how likely they are together: there are fewer than there
    should be. The token that was drawn comes on top when it is not among the likeliest.
    """
    drawn = _drawn(choice)
    others = tokens[:-1] if drawn is None or tokens[-1][0] == drawn else tokens
    if len(others) < wanted:
        raise GenerationError(
            f"the server lists tokens that read alike as one: {len(tokens)} of the {wanted} "
            f"likeliest are told apart; {SAMPLED}"
        )


def _drawn(choice: Mapping[str, Any]) -> Any:
    """The text of the first token of the answer; None where it is not told."""
    try:
        logprobs = choice["logprobs"]
        return logprobs["content"][0]["token"] if "content" in logprobs else logprobs["tokens"][0]
    except (TypeError, KeyError, IndexError):
        return None


def one_token_distribution(
    tokens: Sequence[tuple[str, float]],
    outputs: Sequence[str],
    temperature: float,
    *,
    tolerance: float = TOLERANCE,
    least: float | None = None,
) -> Distributed:
    """The distribution over `outputs`, from the free model's likeliest first tokens.

    Log-probabilities are the model's own, at temperature 1 and before any mask. No other token is
    likelier than `least` (None: than the last of `tokens`). Raises `GenerationError` with the
    reason where they do not say how likely an output is.

    >>> found = one_token_distribution([("7", -1.0), ("8", -1.0), ("The", -2.0)], ["7", "8"], 1.0)
    >>> found.local, round(found.removed_mass, 3)
    ({'7': 0.5, '8': 0.5}, 0.264)
    """
    wanted = set(outputs)
    listed: dict[str, float] = {}
    for token, log in tokens:
        if token in listed and token in wanted:
            raise GenerationError(f"two tokens read {token!r}; {SAMPLED}")
        listed[token] = log
    missing = [text for text in outputs if text not in listed]
    _check_longer(missing, listed)
    known = {text: listed[text] for text in outputs if text in listed}
    if not known or max(known.values()) == -math.inf:
        raise GenerationError(
            f"none of the outputs is among the {len(listed)} likeliest first tokens; the likeliest "
            f"is {max(listed, key=listed.__getitem__)!r:.80}"
        )
    top = max(known.values())
    least = min(listed.values()) if least is None else least
    weights = {text: math.exp((log - top) / temperature) for text, log in known.items()}
    unseen = len(missing) * math.exp((least - top) / temperature)
    total = math.fsum(weights.values())
    floor = unseen / (total + unseen)
    if floor > tolerance:
        raise GenerationError(
            f"{len(missing)} outputs are not among the {len(listed)} likeliest first tokens and "
            f"may have {floor:.2g} of the probability (at most {tolerance:g} is allowed); {SAMPLED}"
        )
    # Of single tokens the mask leaves the proportions as they are.
    local = {text: weights.get(text, 0.0) / total for text in outputs}
    rest = Rest([log for _, log in tokens], temperature, least)
    # What is outside is added up, as 1 minus what is inside would be the rounding of 1.
    outside = math.fsum(
        math.exp((log - rest.top) / temperature) for token, log in tokens if token not in known
    )
    low, high = rest.unlisted
    removed, note = settled((outside + low) / rest.low, (outside + high) / rest.high)
    return Distributed(local, local, removed, floor, note)


def settled(low: float, high: float) -> tuple[float | None, str]:
    """A probability that lies between two bounds, where they are near enough, and what to say."""
    if high - low <= 2 * KNOWN:
        return (low + high) / 2, ""
    return None, (
        f"the removed mass lies between {low:.2g} and {high:.2g}: at this temperature the listed "
        "log-probabilities do not say more"
    )


def _check_longer(missing: Iterable[str], listed: Mapping[str, float]) -> None:
    """Refuse an output of which only the beginning is listed."""
    for text in missing:
        begun = [token for token in listed if token and text.startswith(token)]
        if begun:
            raise GenerationError(
                f"the output {text!r:.80} is longer than one token ({begun[0]!r} begins it), so "
                f"the log-probability of the first does not say how likely it is; {SAMPLED}"
            )
