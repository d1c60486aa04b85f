"""`EndpointScorer`: cells scored by asking a server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from constrained.consistency.endpoint.address import Endpoint, read_endpoint
from constrained.consistency.endpoint.answer import answers_of, draw_of, prompt_tokens, served_by
from constrained.consistency.endpoint.client import Client
from constrained.consistency.endpoint.constraint import Constraint, constrained_to, sampling_of
from constrained.consistency.endpoint.exact import ExactScores
from constrained.consistency.plan import Cell, Plan, Variant, cell_seed
from constrained.consistency.records import CellRecord, Draw
from constrained.consistency.scoring import LoadedModels, Scorer, Scorers, Task
from constrained.errors import GenerationError, InvalidSpec

__all__ = ["EndpointScorer", "EndpointScorers"]

SEEDS = 2**31
"""Seeds that every server takes are below this."""

CHAT_FORMATS = ("plain", "template")
"""Prompt formats of the chat route: the server puts the text into its model's own."""


class EndpointScorer:
    """Scores cells of one variant of a plan by asking the server at the variant's address.

    * ``sampled``: one request per draw, each with a seed of its own; with ``#together=yes`` in the
      address one request for all draws of a cell, which costs the prompt once and has no seeds.
    * ``mode``: one request at temperature 0.
    * ``exact``: the log-probabilities of the first token, or of every output; see `ExactScores` for
      where they are enough. A cell for which they are not is recorded as failed, with the reason.

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
        self._concurrency = 1 if self.endpoint.dialect.one_by_one else max(1, concurrency)
        self._check()
        self._exact: ExactScores | None = None
        self._constraint = Constraint()
        if plan.scoring.kind == "exact":
            self._exact = ExactScores(plan, self._client, variant.model)
        else:
            self._constraint = constrained_to(plan, self.endpoint)
            sampling_of(plan, self.endpoint, 1.0)

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
        """The server, its route, whether it is to enforce the format, and what it does not."""
        left_out = self._constraint.left_out
        return {
            "endpoint": self.endpoint.base,
            "server": self.endpoint.server,
            "route": self.endpoint.route,
            "constrained": bool(self._constraint.sent),
            **({"not_enforced": list(left_out)} if left_out else {}),
        }

    def _check(self) -> None:
        kind = self.plan.scoring.kind
        if kind == "reasoned":
            raise InvalidSpec(
                "a server does not give the distribution of a score within a text",
                where="scoring",
                hint="use kind: sampled",
            )
        if self.endpoint.together and not self.endpoint.dialect.several:
            raise InvalidSpec(
                f"{self.endpoint.server} gives one answer to a request",
                where="variants.endpoint",
                hint="leave together=yes out of the address",
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
            scored = self._drawn if self._exact is None else self._exact.parts
            parts, answers, note = scored(cell, prompt)
            usage = sum(map(prompt_tokens, answers))
            said = sorted({one for answer in answers for one in served_by(answer)})
            notes = [*said, note] if note else said
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

    def _drawn(
        self, cell: Cell, prompt: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[Mapping[str, Any]], str]:
        scoring = self.plan.scoring
        mode = scoring.kind == "mode"
        wanted = 1 if mode else scoring.draws
        body = {
            **prompt,
            **sampling_of(self.plan, self.endpoint, 0.0 if mode else cell.temperature),
            **self._constraint.sent,
            "max_tokens": scoring.max_new_tokens,
        }
        draws: list[Draw] = []
        responses: list[Mapping[str, Any]] = []
        while len(draws) < wanted:
            index = len(draws)
            seed = None if mode else cell_seed(self.plan.seed, cell.address, index) % SEEDS
            many = wanted - index if self.endpoint.together else 1
            more = {} if seed is None else {"seed": seed}
            response = self._client.ask({**body, **more, **({"n": many} if many > 1 else {})})
            responses.append(response)
            answers = [
                replace(one, text=self._client.cut(one.text))
                for one in answers_of(response, self.endpoint.route)[:many]
            ]
            alone = seed if many == 1 else None
            draws += [draw_of(self.plan, one, index + i, alone) for i, one in enumerate(answers)]
        return {"draws": tuple(draws)}, responses, _equal(draws, cell.temperature)

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


def _equal(draws: list[Draw], temperature: float) -> str:
    """What to say of draws that are all one text; "" for others."""
    if len(draws) < 2 or len({draw.text for draw in draws}) > 1:
        return ""
    return (
        f"all {len(draws)} draws are equal at temperature {temperature:g}: the model is sure, or "
        "the server always takes the likeliest token"
    )
