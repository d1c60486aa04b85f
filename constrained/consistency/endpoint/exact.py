"""`ExactScores`: the exact distribution of a cell's score from a server's log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from constrained.consistency.endpoint.answer import answers_of
from constrained.consistency.endpoint.client import Client
from constrained.consistency.endpoint.constraint import sampling_of
from constrained.consistency.endpoint.logprobs import (
    Distributed,
    check_apart,
    first_tokens,
    likeliest_unlisted,
    one_token_distribution,
)
from constrained.consistency.endpoint.texts import ServerTexts
from constrained.consistency.plan import Cell, Plan
from constrained.consistency.records import Score
from constrained.errors import GenerationError, InvalidSpec

__all__ = ["ExactScores"]


class ExactScores:
    """Exact cells of a plan, asked of one server.

    The likeliest first tokens are enough where every output is a single token that is among them.
    Where they are not, and the server says how likely any text is (vLLM), it is asked for each of
    the outputs; from then on for all cells, since outputs are the same in each.

    Raises `InvalidSpec` for servers that give no log-probabilities.
    """

    def __init__(self, plan: Plan, client: Client, model: str) -> None:
        self._plan = plan
        self._client = client
        self._endpoint = client.endpoint
        self._dialect = client.endpoint.dialect
        if not self._dialect.listed:
            raise InvalidSpec(
                f"{self._dialect.name} gives no log-probabilities",
                where="scoring",
                hint="use kind: sampled",
            )
        if plan.scoring.top_k or plan.scoring.top_p:
            raise InvalidSpec(
                "log-probabilities are those of the model without top_k and top_p",
                where="scoring",
                hint="leave them out, or use kind: sampled",
            )
        spec = plan.spec_of()
        self._scores: dict[str, Score] = {
            text: plan.score_of(spec.parse(text)) for text in spec.enumerate()
        }
        self._sampling = sampling_of(plan, self._endpoint, 1.0)
        self._texts: ServerTexts | None = None
        if self._dialect.texts:
            settings = {"model": model, **self._sampling}
            self._texts = ServerTexts(client, settings, list(self._scores))
        self._only_texts = False
        self._warm = any(temperature != 1 for temperature in plan.temperatures)

    def parts(
        self, cell: Cell, prompt: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[Mapping[str, Any]], str]:
        """The fields of the cell's record, the responses, and a note ("": none).

        Raises `GenerationError` with the reason where the log-probabilities are not enough.
        """
        answers: list[Mapping[str, Any]] = []
        found: Distributed | None = None
        if not self._only_texts:
            try:
                answer = self._first(prompt)
                answers.append(answer)
                found = self._of_one_token(answer, cell.temperature)
            except GenerationError:
                if self._texts is None:
                    raise
            if self._texts is not None and (found is None or found.floor or found.note):
                self._only_texts, found = True, None
        if found is None:
            found, tokens = self._of_texts(prompt, cell.temperature)
            answers.append({"usage": {"prompt_tokens": tokens}})
        support = self._plan.support or tuple(sorted(set(self._scores.values())))
        free = found.free
        return (
            {
                "support": support,
                "local": self._by_score(found.local, support),
                "free": None if free is None else self._by_score(free, support),
                "removed_mass": found.removed_mass,
                "numerics_floor": found.floor,
            },
            answers,
            found.note,
        )

    def _first(self, prompt: Mapping[str, Any]) -> Mapping[str, Any]:
        listed = self._dialect.listed
        chat = self._endpoint.route == "chat"
        wanted = {"logprobs": True, "top_logprobs": listed} if chat else {"logprobs": listed}
        return self._client.ask({**prompt, **self._sampling, **wanted, "max_tokens": 1})

    def _of_one_token(self, answer: Mapping[str, Any], temperature: float) -> Distributed:
        choice = answers_of(answer, self._endpoint.route)[0].choice
        tokens = first_tokens(choice)
        if self._dialect.merges:
            check_apart(choice, tokens, self._dialect.listed)
        least = likeliest_unlisted(choice, tokens)
        return one_token_distribution(tokens, list(self._scores), temperature, least=least)

    def _of_texts(self, prompt: Mapping[str, Any], temperature: float) -> tuple[Distributed, int]:
        if self._texts is None:  # never: only asked where there are some
            raise GenerationError("the server does not say how likely a text is")
        free = self._plan.scoring.free
        asked = {name: prompt[name] for name in ("messages", "prompt") if name in prompt}
        listed = self._dialect.listed if free and self._warm else 0
        steps, tokens = self._texts.steps(asked, listed)
        return self._texts.paths.distribution(steps, temperature, free=free), tokens

    def _by_score(
        self, probabilities: Mapping[str, float], support: tuple[Score, ...]
    ) -> tuple[float, ...]:
        """The probability of every score: outputs of one score are added up."""
        sums = dict.fromkeys(support, 0.0)
        for text, p in probabilities.items():
            sums[self._scores[text]] += p
        return tuple(sums.values())
