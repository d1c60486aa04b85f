"""`ServerTexts`: how likely given texts are after a prompt, asked of a server that can say it.

vLLM reads a prompt with an output after it as one prompt (``echo`` with ``max_tokens: 0``) and
gives the log-probability of every token in it. Its own tokenizer (``/tokenize``) says which tokens
these are, with its own chat template around a chat: nothing of the model has to be known here.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any

from constrained.consistency.endpoint.client import Client
from constrained.consistency.endpoint.logprobs import LEAST, MOST_TOKENS, log_probability
from constrained.consistency.endpoint.paths import Path, Step, TokenPaths
from constrained.errors import GenerationError

__all__ = ["ServerTexts"]

Steps = tuple[dict[Path, Step], int]

MOST_OUTPUTS = 4_096
AT_ONCE = 32
"""Outputs that are asked for in all, and in one request."""

REPLY = 8 * 2**20
PER_TOKEN = 400
"""Bytes of a reply that are aimed at, and those that it has for one token of a prompt."""

REMEMBERED = 16
"""Prompts whose answers are kept."""

ANCHOR = "\n"
"""What is put in front of an output where a tokenizer puts a space in front of every text."""

FORBIDDEN = -9_000.0
"""Log-probabilities below this are those of tokens that a mask forbids."""

PROBE = "a"
SAMPLED = "score with kind: sampled"


class ServerTexts:
    """Asks a server how likely the `outputs` of a format are.

    `settings` (model and sampling) go into every request. May be used by several threads.

    >>> ServerTexts(client, {"model": "m"}, ["7", "10"]).steps(prompt, 20)  # doctest: +SKIP
    """

    def __init__(self, client: Client, settings: Mapping[str, Any], outputs: Sequence[str]) -> None:
        self._client = client
        self._settings = settings
        self._outputs = outputs
        self._base = client.endpoint.base
        self._root = self._base.removesuffix("/v1")
        self._lock = Lock()
        self._paths: TokenPaths | None = None
        self._ends: tuple[int, ...] = ()
        self._known: OrderedDict[str, Future[Steps]] = OrderedDict()

    @property
    def paths(self) -> TokenPaths:
        """The outputs in the tokens of the server; asked for once."""
        with self._lock:
            if self._paths is None:
                if len(self._outputs) > MOST_OUTPUTS:
                    raise GenerationError(
                        f"the format has {len(self._outputs):,} outputs, and a server is asked for "
                        f"at most {MOST_OUTPUTS:,}; {SAMPLED}"
                    )
                paths = TokenPaths(self._spelled())
                if paths.inner_ends:
                    self._ends = self._end_ids()
                self._paths = paths
            return self._paths

    def steps(self, prompt: Mapping[str, Any], listed: int) -> Steps:
        """What is known at every step of every output, and the number of tokens of the prompt.

        `prompt` is what is asked for (``messages`` or ``prompt``); `listed` is how many of the
        likeliest tokens are told at every step (0: none). Cells that differ by their temperature
        alone share the answer. Raises `GenerationError` when the server does not give the
        log-probabilities of exactly these tokens.
        """
        key = json.dumps([prompt, listed])
        with self._lock:
            known = self._known.get(key)
            if known is None:
                asked = self._known[key] = Future()
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        if known is not None:
            return known.result()
        try:
            asked.set_result(self._steps(prompt, listed))
        except BaseException as error:
            asked.set_exception(error)
            raise
        return asked.result()

    def _steps(self, prompt: Mapping[str, Any], listed: int) -> Steps:
        paths = self.paths
        chat = {"add_generation_prompt": True} if "messages" in prompt else {}
        before = self._ids({**prompt, **chat})
        names = {path: text for text, path in paths.outputs.items()}
        ended = [(*path, end) for path in paths.inner_ends for end in self._ends]
        steps: dict[Path, Step] = {}
        for path, logs, text in self._scored(before, [*paths.leaves, *ended]):
            last = len(path) - 1
            if path in names and not text.endswith(names[path]):
                raise GenerationError(
                    f"the server's tokens of {names[path]!r:.80} read {text[-80:]!r}; {SAMPLED}"
                )
            for place, log in enumerate(logs):
                step = steps.setdefault(path[:place], Step())
                if place == last and path not in names:
                    step.ends[path[last]] = log
                else:
                    step.logs[path[place]] = log
        for path, top in self._likeliest(before, list(steps), listed) if listed else ():
            steps[path].listed = top
        return steps, len(before)

    def _scored(
        self, before: list[int], paths: Sequence[Path]
    ) -> Iterator[tuple[Path, list[float], str]]:
        """Every path with the log-probabilities of its tokens, and its text after the prompt's."""
        longest = len(before) + max(map(len, paths))
        at_once = max(1, min(AT_ONCE, REPLY // (longest * PER_TOKEN)))
        for first in range(0, len(paths), at_once):
            asked = paths[first : first + at_once]
            choices = self._completed(
                [[*before, *path] for path in asked], echo=True, logprobs=1, max_tokens=0
            )
            for path, choice in zip(asked, choices, strict=True):
                yield path, _of_tokens(choice, path), str(choice.get("text"))

    def _likeliest(
        self, before: list[int], paths: Sequence[Path], listed: int
    ) -> Iterator[tuple[Path, list[float]]]:
        """Every path with the log-probabilities of the likeliest tokens after it."""
        for first in range(0, len(paths), AT_ONCE):
            asked = paths[first : first + AT_ONCE]
            choices = self._completed(
                [[*before, *path] for path in asked], logprobs=listed, max_tokens=1
            )
            for path, choice in zip(asked, choices, strict=True):
                yield path, _of_next(choice, listed)

    def _completed(self, prompts: list[list[int]], **how: Any) -> list[Mapping[str, Any]]:
        answer = self._client.ask(
            {
                **self._settings,
                "prompt": prompts,
                "add_special_tokens": False,
                "return_tokens_as_token_ids": True,
                **how,
            },
            f"{self._base}/completions",
        )
        return _by_index(answer, len(prompts))

    def _spelled(self) -> dict[str, Path]:
        """Every output in the tokens in which the server's tokenizer spells it inside a text."""
        anchor = self._ids({"prompt": ANCHOR, "add_special_tokens": False})
        alone = self._ids({"prompt": PROBE, "add_special_tokens": False})
        anchored = self._ids({"prompt": ANCHOR + PROBE, "add_special_tokens": False})
        # Tokenizers like Llama 2's put a space in front of a text, and none inside of it.
        plain = anchored == [*anchor, *alone]
        found: dict[str, Path] = {}
        for output in self._outputs:
            text = output if plain else ANCHOR + output
            ids = self._ids({"prompt": text, "add_special_tokens": False})
            if not plain:
                if ids[: len(anchor)] != anchor:
                    raise GenerationError(
                        f"the tokens of {output!r:.80} cannot be told from those before it; "
                        f"{SAMPLED}"
                    )
                ids = ids[len(anchor) :]
            if not ids:
                raise GenerationError(f"the output {output!r:.80} has no tokens; {SAMPLED}")
            found[output] = tuple(ids)
        return found

    def _end_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer: what a mask leaves that allows one letter, or to end."""
        answer = self._client.ask(
            {
                **self._settings,
                "prompt": PROBE,
                "structured_outputs": {"regex": f"{PROBE}?"},
                "logprobs": 20,
                "return_tokens_as_token_ids": True,
                "max_tokens": 1,
            },
            f"{self._base}/completions",
        )
        logprobs = _by_index(answer, 1)[0].get("logprobs")
        listed = logprobs.get("top_logprobs") if isinstance(logprobs, dict) else None
        first = listed[0] if isinstance(listed, list) and listed else None
        ends = []
        for name, log in first.items() if isinstance(first, dict) else ():
            known = log_probability(log)
            if known is None or known < FORBIDDEN:
                continue
            token = _token_id(name)
            read = self._client.ask(
                {"model": self._settings.get("model"), "tokens": [token]},
                f"{self._root}/detokenize",
            )
            if read.get("prompt") != PROBE:
                ends.append(token)
        if not ends:
            raise GenerationError(
                f"the server does not say which tokens end an answer, and an output of this format "
                f"begins another one; {SAMPLED}"
            )
        return tuple(ends)

    def _ids(self, what: Mapping[str, Any]) -> list[int]:
        """The tokens of a text or a chat, as the server reads it."""
        body = {"model": self._settings.get("model"), **what}
        tokens = self._client.ask(body, f"{self._root}/tokenize").get("tokens")
        if not isinstance(tokens, list) or not all(
            type(one) is int and 0 <= one < MOST_TOKENS for one in tokens
        ):
            raise GenerationError(f"the server's /tokenize gave no tokens; {SAMPLED}")
        return tokens


def _by_index(answer: Mapping[str, Any], wanted: int) -> list[Mapping[str, Any]]:
    """The choices of a response in the order of the prompts."""
    listed = answer.get("choices")
    found = {
        choice["index"]: choice
        for choice in (listed if isinstance(listed, list) else ())
        if isinstance(choice, dict) and type(choice.get("index")) is int
    }
    if sorted(found) != list(range(wanted)):
        raise GenerationError(
            f"the server answered {len(found)} of {wanted} prompts of a request; {SAMPLED}"
        )
    return [found[place] for place in range(wanted)]


def _of_tokens(choice: Mapping[str, Any], path: Path) -> list[float]:
    """The log-probabilities of the last tokens of a prompt."""
    logs: list[float | None] = []
    try:
        given = choice["logprobs"]
        ids = [_token_id(name) for name in given["tokens"][-len(path) :]]
        logs = [log_probability(value) for value in given["token_logprobs"][-len(path) :]]
    except (TypeError, KeyError):
        ids = []
    whole = [log for log in logs if log is not None]
    if tuple(ids) != path or len(whole) != len(path):
        raise GenerationError(
            f"the server did not give the log-probabilities of the tokens it was sent; {SAMPLED}"
        )
    return whole


def _of_next(choice: Mapping[str, Any], listed: int) -> list[float]:
    """The log-probabilities of the likeliest first tokens of an answer."""
    try:
        top = choice["logprobs"]["top_logprobs"][0]
        logs = [log_probability(value) for value in top.values()]
    except (TypeError, KeyError, IndexError, AttributeError):
        logs = []
    # The token that was drawn is among them, likely or not; the bounds are for the others.
    known = sorted((log for log in logs if log is not None), reverse=True)[:listed]
    if not known or known[0] < LEAST:
        raise GenerationError(f"the server did not list the likeliest tokens; {SAMPLED}")
    return known


def _token_id(name: Any) -> int:
    """The id in ``token_id:49``; -1 for anything else."""
    digits = str(name).removeprefix("token_id:")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else -1
