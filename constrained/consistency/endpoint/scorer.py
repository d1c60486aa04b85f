"""`EndpointScorer`: cells scored by asking a server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from constrained.consistency.endpoint.address import Endpoint, read_endpoint
from constrained.consistency.endpoint.client import Client
from constrained.consistency.endpoint.constraint import (
    constraint_of,
    sampling_of,
    without_whitespace,
)
from constrained.consistency.endpoint.logprobs import first_tokens, one_token_distribution
from constrained.consistency.plan import Cell, Plan, Variant, cell_seed
from constrained.consistency.records import CellRecord, Draw, Score
from constrained.consistency.scores import read_score, whole_text
from constrained.consistency.scoring import LoadedModels, Scorer, Scorers, Task
from constrained.errors import GenerationError, InvalidSpec, ModelError

__all__ = ["EndpointScorer", "EndpointScorers"]

TOP_LOGPROBS = 20
"""The most that the OpenAI API lists."""

SEEDS = 2**31
"""Seeds that every server takes are below this."""

CHAT_FORMATS = ("plain", "template")
"""Prompt formats of the chat route: the server puts the text into its model's own."""


class EndpointScorer:
    """Scores cells of one variant of a plan by asking the server at the variant's address.

    * ``sampled``: one request per draw, each with a seed of its own; with ``#together=yes`` in the
      address one request for all draws of a cell, which costs the prompt once and has no seeds.
    * ``mode``: one request at temperature 0.
    * ``exact``: one request for the log-probabilities of the first token; see `logprobs` for where
      they are enough. A cell for which they are not is recorded as failed, with the reason.

    Every answer is read by the plan's format, whatever the server promised; one outside of it is a
    failure with its text kept. JSON counts whatever whitespace stands between its parts, which
    servers put there at will. `concurrency` requests are under way at a time, records come in the
    order of the tasks.

    Raises `InvalidSpec` for what such a server cannot do: reasoned scoring, prompt formats that are
    strings on the chat route, formats that it cannot be told.

    >>> EndpointScorer(plan, plan.variants[0])  # doctest: +SKIP
    """

    def __init__(
        self,
        plan: Plan,
        variant: Variant,
        *,
        client: Client | None = None,
        concurrency: int = 4,
    ) -> None:
        if variant.endpoint is None:
            raise InvalidSpec(f"variant {variant.name!r} has no endpoint")
        self.plan = plan
        self.endpoint: Endpoint = read_endpoint(variant.endpoint)
        self._variant = variant
        self._client = client if client is not None else Client(self.endpoint)
        self._concurrency = max(1, concurrency)
        self._check()
        exact = plan.scoring.kind == "exact"
        self._constraint = {} if exact else constraint_of(plan, self.endpoint)
        sampling_of(plan, self.endpoint, 1.0)
        self._outputs: dict[str, Score] = {}
        if exact:
            spec = plan.spec_of()
            self._outputs = {t: plan.score_of(spec.parse(t)) for t in spec.enumerate()}

    def score(self, tasks: Iterable[Task]) -> Iterator[CellRecord]:
        """One record per task, in order; see `Scorer`."""
        waiting: deque[Future[CellRecord]] = deque()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="endpoint")
        try:
            for task in tasks:
                waiting.append(pool.submit(self._record, task))
                if len(waiting) > self._concurrency:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if waiting:
                self._client.close()
            pool.shutdown(wait=False, cancel_futures=True)

    def environment(self) -> dict[str, Any]:
        """The server, its route, and whether it is to enforce the format."""
        return {
            "endpoint": self.endpoint.base,
            "server": self.endpoint.server,
            "route": self.endpoint.route,
            "constrained": bool(self._constraint),
        }

    def _check(self) -> None:
        kind = self.plan.scoring.kind
        if kind == "reasoned":
            raise InvalidSpec(
                "a server does not give the distribution of a score within a text",
                where="scoring",
                hint="use kind: sampled",
            )
        if kind == "exact" and (self.plan.scoring.top_k or self.plan.scoring.top_p):
            raise InvalidSpec(
                "log-probabilities are those of the model without top_k and top_p",
                where="scoring",
                hint="leave them out, or use kind: sampled",
            )
        strings = [name for name in self.plan.formats if name not in CHAT_FORMATS]
        if strings and self.endpoint.route == "chat":
            raise InvalidSpec(
                f"the prompt format {strings[0]!r} makes a string, and the chat route takes "
                "messages, which the server puts into its model's own format",
                where="formats",
                hint="use plain, or an address that ends in /completions",
            )
        if self._variant.chat_template_kwargs and self.endpoint.route == "completions":
            raise InvalidSpec(
                "the completions route puts nothing into a chat template",
                where="chat_template_kwargs",
                hint="use the chat route (an address that ends in /v1), or leave them out",
            )
        if "template" in self.plan.formats and self.endpoint.route == "completions":
            raise InvalidSpec(
                "the tokenizer with its template is at the server",
                where="formats",
                hint="use the chat route (an address that ends in /v1), or another format",
            )

    def _record(self, task: Task) -> CellRecord:
        begin = time.perf_counter()
        cell = task.cell
        notes: list[str] = []
        usage, text = 0, ""
        parts: dict[str, Any]
        try:
            text = cell.text if self.endpoint.route == "chat" else cell.render()
            prompt = self._prompt(cell, text)
            if self.plan.scoring.kind == "exact":
                parts, answers = self._exact(cell, prompt)
            else:
                parts, answers = self._drawn(cell, prompt)
            usage = sum(_tokens(answer) for answer in answers)
            notes = sorted({note for answer in answers for note in _served(answer)})
        except GenerationError as error:
            parts = {"draws": self._failed(cell, str(error))}
            notes = [str(error)]
        return CellRecord(
            key=task.key,
            address=cell.address,
            kind=self.plan.scoring.kind,
            **{"support": self.plan.support or (), **parts},
            prompt_text=text,
            prompt_tokens=usage,
            seconds=time.perf_counter() - begin,
            notes=tuple(notes),
        )

    def _prompt(self, cell: Cell, text: str) -> dict[str, Any]:
        """The model and the prompt of a request."""
        if self.endpoint.route == "completions":
            return {"model": self._variant.model, "prompt": text}
        system = cell.system
        messages = [] if not system else [{"role": "system", "content": system}]
        messages.append({"role": "user", "content": text})
        arguments = self._variant.chat_template_kwargs
        return {
            "model": self._variant.model,
            "messages": messages,
            **({"chat_template_kwargs": arguments} if arguments else {}),
        }

    def _exact(
        self, cell: Cell, prompt: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        chat = self.endpoint.route == "chat"
        wanted = {"logprobs": True, "top_logprobs": TOP_LOGPROBS} if chat else {"logprobs": 20}
        body = {
            **prompt,
            **sampling_of(self.plan, self.endpoint, 1.0),
            **wanted,
            "max_tokens": 1,
        }
        answer = self._client.ask(body)
        tokens = first_tokens(_choices(answer)[0])
        found = one_token_distribution(tokens, list(self._outputs), cell.temperature)
        support = self.plan.support or tuple(sorted(set(self._outputs.values())))
        return {
            "support": support,
            "local": self._by_score(found.local, support),
            "free": self._by_score(found.free, support),
            "removed_mass": found.removed_mass,
            "numerics_floor": found.floor,
        }, [answer]

    def _by_score(
        self, probabilities: Mapping[str, float], support: tuple[Score, ...]
    ) -> tuple[float, ...]:
        """The probability of every score: outputs of one score are added up."""
        sums = dict.fromkeys(support, 0.0)
        for text, p in probabilities.items():
            sums[self._outputs[text]] += p
        return tuple(sums.values())

    def _drawn(
        self, cell: Cell, prompt: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        scoring = self.plan.scoring
        mode = scoring.kind == "mode"
        wanted = 1 if mode else scoring.draws
        body = {
            **prompt,
            **sampling_of(self.plan, self.endpoint, 0.0 if mode else cell.temperature),
            **self._constraint,
            "max_tokens": scoring.max_new_tokens,
        }
        draws: list[Draw] = []
        answers = []
        while len(draws) < wanted:
            index = len(draws)
            seed = None if mode else cell_seed(self.plan.seed, cell.address, index) % SEEDS
            many = wanted - index if self.endpoint.together else 1
            more = {} if seed is None else {"seed": seed}
            answer = self._client.ask({**body, **more, **({"n": many} if many > 1 else {})})
            answers.append(answer)
            choices = _choices(answer)[:many]
            alone = seed if many == 1 else None
            draws += [self._draw(index + i, choice, alone) for i, choice in enumerate(choices)]
        return {"draws": tuple(draws)}, answers

    def _draw(self, index: int, choice: Mapping[str, Any], seed: int | None) -> Draw:
        """What a server's answer says; a reason instead of a score where it says none."""
        message = choice.get("message") or {}
        said = message.get("content") if self.endpoint.route == "chat" else choice.get("text")
        text = whole_text(said) if isinstance(said, str) else ""
        reason = choice.get("finish_reason")
        if message.get("refusal"):
            text = whole_text(str(message["refusal"]))
            return Draw(index, None, text, seed, failure="the model refused to answer")
        score, failure = read_score(self.plan.spec_of(), text, field=self.plan.score)
        if failure and self.plan.spec.kind in ("schema", "pydantic"):
            compact = without_whitespace(text)
            if compact is not None and compact != text:
                score, failure = read_score(self.plan.spec_of(), compact, field=self.plan.score)
        if failure and reason == "length":
            limit = self.plan.scoring.max_new_tokens
            failure = f"cut off after {limit} tokens; {failure}"
        elif failure and reason == "content_filter":
            failure = f"cut off by the server's content filter; {failure}"
        return Draw(index, score, text, seed, failure=failure)

    def _failed(self, cell: Cell, problem: str) -> tuple[Draw, ...]:
        """Draws without a score, so that a cell that failed is not taken for one without draws."""
        scoring = self.plan.scoring
        count = {"exact": 0, "mode": 1}.get(scoring.kind, scoring.draws)
        seeds = (cell_seed(self.plan.seed, cell.address, i) % SEEDS for i in range(count))
        if scoring.kind == "mode":
            return (Draw(0, None, failure=problem),)
        return tuple(Draw(i, None, "", seed, failure=problem) for i, seed in enumerate(seeds))


class EndpointScorers:
    """The scorers of a plan's variants (`Scorers`): servers for those with an endpoint.

    Other variants go to `others`, by default models loaded here. Options are those of
    `EndpointScorer`.

    >>> run(plan, "run.db", scorers=EndpointScorers(plan))  # doctest: +SKIP
    """

    def __init__(
        self,
        plan: Plan,
        *,
        others: Scorers | None = None,
        concurrency: int = 4,
    ) -> None:
        self.plan = plan
        self._others = others if others is not None else LoadedModels(plan)
        self._options: dict[str, Any] = {"concurrency": concurrency}

    def __call__(self, variant: Variant) -> AbstractContextManager[Scorer]:
        """The scorer of a variant, for a ``with`` block."""
        return self._server(variant) if variant.endpoint is not None else self._others(variant)

    @contextmanager
    def _server(self, variant: Variant) -> Iterator[Scorer]:
        yield EndpointScorer(self.plan, variant, **self._options)


def _choices(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The answers in a response; `ModelError` when there are none, for then the API is another."""
    listed = answer.get("choices")
    found: list[Mapping[str, Any]] = []
    if isinstance(listed, list):
        found = [choice for choice in listed if isinstance(choice, dict)]
    if not found:
        said = answer.get("error") or sorted(answer)
        raise ModelError(
            str(answer.get("model") or "endpoint"),
            f"the response holds no choices but {said!r:.200}",
            hint="is the address that of an OpenAI-compatible API?",
        )
    return found


def _tokens(answer: Mapping[str, Any]) -> int:
    """Prompt tokens that the server counted."""
    usage = answer.get("usage")
    counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return counted if isinstance(counted, int) else 0


def _served(answer: Mapping[str, Any]) -> Iterator[str]:
    """What the server says of itself: a model that changes under one name shows here."""
    for name in ("model", "system_fingerprint"):
        if isinstance(answer.get(name), str):
            yield whole_text(f"{name} {answer[name]}")
