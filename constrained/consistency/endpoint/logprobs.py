"""An exact distribution from the log-probabilities of one token, where they give it.

A server lists the likeliest first tokens of the free model with their log-probabilities. That is
the exact distribution of a format whose outputs are single tokens, and of no other. So:

* an output that is in the list counts as that token (its canonical spelling);
* an output that is not is either less likely than everything listed, which bounds it, or longer
  than a token, which shows in the list: then one of its beginnings is there, and nothing can be
  said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constrained.errors import GenerationError

__all__ = ["FirstToken", "first_tokens", "one_token_distribution"]

TOLERANCE = 1e-3
"""The most probability that outputs outside the list may have under the mask."""


@dataclass(frozen=True, slots=True)
class FirstToken:
    """Probabilities of the outputs, by text.

    `local` under the mask at the temperature asked for (sums to 1), `free` of the free model given
    that it answers in the format; `removed_mass` what the mask takes away. `floor` is how far each
    may be off, because some outputs were not in the server's list.
    """

    local: Mapping[str, float]
    free: Mapping[str, float]
    removed_mass: float
    floor: float


def first_tokens(choice: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(token, log-probability in nats) of the first token's alternatives, of either route.

    Raises `GenerationError` when the server gave none.
    """
    given = choice.get("logprobs")
    try:
        if isinstance(given, dict) and given.get("content"):
            listed = given["content"][0]["top_logprobs"]
            found = [(str(one["token"]), float(one["logprob"])) for one in listed]
        elif isinstance(given, dict) and given.get("top_logprobs"):
            found = [(str(k), float(v)) for k, v in given["top_logprobs"][0].items()]
        else:
            found = []
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        found = []
    if not found or any(math.isnan(log) or log > 1e-3 for _, log in found):
        raise GenerationError(
            "the server gave no log-probabilities of the first token; score with kind: sampled"
        )
    return found


def one_token_distribution(
    tokens: Sequence[tuple[str, float]],
    outputs: Sequence[str],
    temperature: float,
    *,
    tolerance: float = TOLERANCE,
) -> FirstToken:
    """The distribution over `outputs`, from the free model's likeliest first tokens.

    Log-probabilities are the model's own, at temperature 1 and before any mask. Raises
    `GenerationError` with the reason where they do not say how likely an output is.

    >>> found = one_token_distribution([("7", -1.0), ("8", -1.0), ("The", -2.0)], ["7", "8"], 1.0)
    >>> found.local, round(found.removed_mass, 3)
    ({'7': 0.5, '8': 0.5}, 0.264)
    """
    listed: dict[str, float] = {}
    for token, log in tokens:
        if token in listed and token in outputs:
            raise GenerationError(f"two tokens read {token!r}; score with kind: sampled")
        listed[token] = log
    missing = [text for text in outputs if text not in listed]
    for text in missing:
        begun = [token for token in listed if token and text.startswith(token)]
        if begun:
            raise GenerationError(
                f"the output {text!r} is longer than one token ({begun[0]!r} begins it), so the "
                "log-probability of the first does not say how likely it is; score with kind: "
                "sampled"
            )
    known = {text: listed[text] for text in outputs if text in listed}
    if not known:
        raise GenerationError(
            f"none of the outputs is among the {len(listed)} likeliest first tokens; the likeliest "
            f"is {max(listed, key=listed.__getitem__)!r}"
        )
    top, least = max(known.values()), min(listed.values())
    weights = {text: math.exp((log - top) / temperature) for text, log in known.items()}
    unseen = len(missing) * math.exp((least - top) / temperature)
    total = math.fsum(weights.values())
    floor = unseen / (total + unseen)
    if floor > tolerance:
        raise GenerationError(
            f"{len(missing)} outputs are not among the {len(listed)} likeliest first tokens and "
            f"may have {floor:.2g} of the probability (at most {tolerance:g} is allowed); score "
            "with kind: sampled"
        )
    said = {text: math.exp(log) for text, log in known.items()}
    inside = math.fsum(said.values())
    return FirstToken(
        {text: weights.get(text, 0.0) / total for text in outputs},
        {text: said.get(text, 0.0) / inside for text in outputs},
        max(0.0, 1.0 - inside),
        floor,
    )
