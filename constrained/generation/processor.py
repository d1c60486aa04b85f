"""`LogitsMask`: masks inside ``model.generate``, right in every mode of decoding.

A logits processor sees token rows and nothing else: no row identity, no word on where a call of
``generate`` begins. So nothing is assumed about the call before: the state of a row is found from
the row's own tokens (`constrained.generation.sessions`).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor

from constrained.arguments import check_switch, whole_number
from constrained.errors import GenerationError, Truncated, VocabularyError
from constrained.generation.canonical import Speller
from constrained.generation.guide import ENDED, Guide
from constrained.generation.mask_table import MaskTable
from constrained.generation.masking import (
    MaskKey,
    check_width,
    fill_masks,
    mask_key,
    mask_rows,
    mask_words,
)
from constrained.generation.policy import Spellings, check_spellings, guide_of
from constrained.generation.sessions import DEAD, FREE, Calls, Session, Tokens
from constrained.generation.transfer import host_rows, upload
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

__all__ = ["LogitsMask"]

SESSIONS_KEPT = 128


def _forbidden() -> GenerationError:
    """What to say of a row in which other processors left nothing that its spec allows."""
    return GenerationError(
        "every token that the spec allows is forbidden by another setting of generate, such as "
        "no_repeat_ngram_size, min_new_tokens, bad_words_ids, suppress_tokens or "
        "return_timestamps; leave it out"
    )


def _restored(
    specs: list[bytes | None], vocabulary: Vocabulary, packed: bytes, settings: dict[str, Any]
) -> LogitsMask:
    # A mask reads no values, so any reader will do.
    compiled = [None if spec is None else Spec.from_bytes(spec, read=str) for spec in specs]
    tokenizer = pickle.loads(packed)
    source = vocabulary if tokenizer is None else tokenizer
    return LogitsMask(compiled, source, vocabulary=vocabulary, **settings)


class LogitsMask(LogitsProcessor):
    """Lets ``model.generate`` write nothing but what a spec allows.

    `specs` is anything that `as_spec` takes, for all rows, or a list with one per prompt, None for
    a row that is free. Rows that ``generate`` makes of one prompt (beams, returned sequences)
    share its spec. `tokenizer` may be a `Vocabulary` as well; certain text is then not held to the
    tokenizer's own spelling. `width` is the width of the model's logits where it differs from the
    tokenizer's size. `end_ids`, `spellings` and `marks_in_text` are as for `Generator`. A
    `vocabulary` that is made already takes the place of `width`, `end_ids` and `marks_in_text`.
    With `max_new_tokens` (the same number as given to ``generate``) every output is complete when
    the tokens run out.

    With `foreign_assistant`, logits of another width than the model's pass unmasked: those of an
    assistant with a vocabulary of its own, whose drafts the model's masks judge anyway.

    On a CUDA device the masks stay there in a table, and a step uploads one number per row;
    `device_masks` says so, or not, for any device.

    One object serves any number of calls, also in several threads at the same time. Where a call
    begins is settled from the rows: one that continues the tokens of an earlier call of the same
    thread by exactly one allowed token is taken for that call; `restart` says that it is a new one.

    Raises `VocabularyError` when the logits are narrower than the vocabulary or a prompt holds ids
    that it does not have, `Truncated` when no
    output fits into `max_new_tokens`, `GenerationError` when other settings of ``generate`` forbid
    everything that the spec allows.

    >>> mask = LogitsMask("Score: " + integer(0, 10), tokenizer)  # doctest: +SKIP
    >>> model.generate(**inputs, logits_processor=[mask])  # doctest: +SKIP
    """

    supports_continuous_batching = False

    def __init__(
        self,
        specs: Any,
        tokenizer: Any,
        *,
        width: int | None = None,
        end_ids: Iterable[int] = (),
        max_new_tokens: int | None = None,
        spellings: Spellings = "auto",
        marks_in_text: bool = False,
        foreign_assistant: bool = False,
        device_masks: bool | None = None,
        limits: Limits = DEFAULT_LIMITS,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        if max_new_tokens is not None:
            whole_number(max_new_tokens, "max_new_tokens", GenerationError, least=1)
        check_switch(device_masks, "device_masks", GenerationError, known=(None, True, False))
        check_switch(foreign_assistant, "foreign_assistant", GenerationError, known=(True, False))
        check_spellings(spellings)
        several = isinstance(specs, list)
        self.specs = [None if s is None else as_spec(s) for s in (specs if several else [specs])]
        if not self.specs:
            raise GenerationError("the list of specs is empty; pass one spec, or one per prompt")
        if isinstance(tokenizer, Vocabulary):
            self.vocabulary, self._speller = tokenizer, None
        else:
            self.vocabulary = vocabulary or Vocabulary.from_tokenizer(
                tokenizer, width=width, end_ids=end_ids, marks_in_text=marks_in_text
            )
            self._speller = Speller(tokenizer, self.vocabulary)
        self.max_new_tokens = max_new_tokens
        self._foreign_assistant = foreign_assistant
        self._device_masks = device_masks
        self._tables: dict[torch.device, MaskTable[MaskKey]] = {}
        self._no_end = min(set(range(len(self.vocabulary.end_ids) + 1)) - self.vocabulary.end_ids)
        self._spellings: Spellings = spellings
        self._limits = limits
        self._guides: dict[tuple[int, bool], Guide | None] = {}
        self._calls = Calls()
        self._lock = Lock()
        for place in range(len(self.specs)):
            self._guide(place, fresh=False)

    def __repr__(self) -> str:
        shown = repr(self.specs[0]) if len(self.specs) == 1 else repr(self.specs)
        return f"LogitsMask({shown}, {self.vocabulary!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """A mask crosses process borders as its specs, compiled, and its vocabulary.

        Calls that it knows stay behind. Raises `GenerationError` when the tokenizer cannot be
        pickled.
        """
        specs = [None if spec is None else spec.to_bytes() for spec in self.specs]
        tokenizer = None if self._speller is None else self._speller.tokenizer
        try:
            packed = pickle.dumps(tokenizer)
        except Exception as error:  # each tokenizer refuses in its own way
            raise GenerationError(
                f"the tokenizer of this mask cannot be pickled ({error}); make the mask in the "
                "other process, or make it with a Vocabulary"
            ) from error
        settings = {
            "max_new_tokens": self.max_new_tokens,
            "spellings": self._spellings,
            "foreign_assistant": self._foreign_assistant,
            "device_masks": self._device_masks,
            "limits": self._limits,
        }
        return _restored, (specs, self.vocabulary, packed, settings)

    def restart(self) -> None:
        """Forget this thread's calls, so that the next rows it brings are prompts."""
        self._calls.sessions.clear()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:
        """Mask the next token of every row.

        `input_ids`: integers, shape (rows, length). `scores`: floating, shape (rows, logits), on
        any device; comes back as a new tensor of the same dtype with ``-inf`` outside the masks.
        """
        if not (isinstance(input_ids, torch.Tensor) and isinstance(scores, torch.Tensor)):
            raise GenerationError(
                f"a mask takes tensors of ids and scores, got {type(input_ids).__name__} and "
                f"{type(scores).__name__}"
            )
        if not scores.is_floating_point():
            raise GenerationError(f"a mask takes scores of a floating type, got {scores.dtype}")
        if self._foreign_assistant and scores.shape[-1] != self.vocabulary.width:
            return scores
        check_width(scores.shape[-1], self.vocabulary.width)
        if input_ids.dim() != 2:
            raise GenerationError(
                "the masks need the tokens of every row, shape (rows, length), and got shape "
                f"{tuple(input_ids.shape)}; continuous batching shows no more than the last token "
                "of each request: use constrained.generation.continuous.generate_batch"
            )
        if scores.dim() != 2 or len(scores) != len(input_ids):
            raise GenerationError(
                f"the scores have shape {tuple(scores.shape)} for {len(input_ids)} rows; pass one "
                "row of logits for each row of tokens"
            )
        rows: Tokens = input_ids.detach().cpu().numpy().astype(np.int64, copy=False)
        self._check_alive(rows)
        with self._lock:
            session, nodes = self._locate(rows)
        left = self.max_new_tokens
        if left is not None:
            left -= rows.shape[1] - session.prompts.shape[1]
        keys = [
            self._mask_key(guide, node, left)
            for guide, node in zip(session.guides, nodes, strict=True)
        ]
        if not any(keys):
            return scores
        writing = [node not in (FREE, DEAD, ENDED) for node in nodes]
        if self._device_masks or (self._device_masks is None and scores.is_cuda):
            return self._mask_there(scores, keys, writing, session, last=left == 1)
        return self._mask_here(scores, keys, writing)

    def _mask_key(self, guide: Guide | None, node: int, left: int | None) -> MaskKey | None:
        """An ended or dead row may only end; None for a free row."""
        if node in (ENDED, DEAD):
            return MaskKey(None, ENDED)
        return None if guide is None else mask_key(guide, node, left)

    def _mask_here(
        self, scores: torch.Tensor, keys: Sequence[MaskKey | None], writing: Sequence[bool]
    ) -> torch.Tensor:
        """Masks made for this step alone."""
        places = {key: place for place, key in enumerate(dict.fromkeys(filter(None, keys)))}
        words = np.zeros((len(places), mask_words(self.vocabulary)), dtype=np.int32)
        fill_masks(self.vocabulary, list(places), words)
        masked = mask_rows(scores, words, [None if key is None else places[key] for key in keys])
        best = masked[torch.tensor(writing, device=masked.device)].amax(dim=-1)
        if bool(torch.isneginf(best).any()):
            raise _forbidden()
        return masked

    def _mask_there(
        self,
        scores: torch.Tensor,
        keys: Sequence[MaskKey | None],
        writing: Sequence[bool],
        session: Session,
        *,
        last: bool,
    ) -> torch.Tensor:
        """Masks from a table on the device of the logits, which nothing waits for.

        Whether a row has anything left to choose is therefore asked at the next step, when its
        tokens have been waited for anyway. Until then such a row goes on: it gets a token that
        ends nothing, so that there is a next step.
        """
        with self._lock:
            table = self._tables.get(scores.device)
            if table is None:
                fill = partial(fill_masks, self.vocabulary)
                words = mask_words(self.vocabulary)
                table = self._tables[scores.device] = MaskTable(words, scores.device, fill)
        with torch.inference_mode(scores.is_inference()):
            masked = table.block_(scores.clone(), keys)
            dead = torch.isneginf(masked.amax(dim=-1)) & upload(writing, torch.bool, scores.device)
            column = masked[:, self._no_end]
            column.copy_(torch.where(dead, 0.0, column))
        session.dead = host_rows(dead.shape, torch.bool, scores.device)
        session.dead.copy_(dead, non_blocking=True)
        if last and bool(dead.any()):
            raise _forbidden()
        return masked

    def _check_alive(self, rows: Tokens) -> None:
        """Refuse to go on with a row that had nothing to choose at the step before."""
        for session in self._calls.sessions[:1]:
            goes_on = session.begins(rows) and rows.shape[1] > session.prompts.shape[1]
            if session.dead is not None and goes_on and bool(session.dead.any()):
                self.restart()
                raise _forbidden()

    def _locate(self, rows: Tokens) -> tuple[Session, list[int]]:
        """The call that these rows belong to, and their nodes; a new call when there is none.

        Rows that no known call explains may be prompts, or a draft that is about to be rejected
        (assisted decoding asks for masks after every drafted token). Taking them for prompts is
        right for the first and harmless for the second, as the call before stays known.
        """
        sessions = self._calls.sessions
        for place, session in enumerate(sessions):
            over = (
                self.max_new_tokens is not None
                and rows.shape[1] - session.prompts.shape[1] > self.max_new_tokens
            )
            nodes = None if over else session.nodes(rows)
            if nodes is not None:
                sessions.insert(0, sessions.pop(place))
                return session, nodes
        guides = self._row_guides(rows)
        session = Session(rows.copy(), guides, self.vocabulary)
        sessions.insert(0, session)
        del sessions[SESSIONS_KEPT:]
        return session, [FREE if guide is None else guide.start for guide in guides]

    def _row_guides(self, rows: Tokens) -> list[Guide | None]:
        copies, rest = divmod(len(rows), len(self.specs))
        if rest:
            raise GenerationError(
                f"{len(rows)} rows cannot be shared out to {len(self.specs)} specs; pass one spec "
                "for all rows, or one per prompt"
            )
        tokens = self.vocabulary.tokens
        beyond = max(len(tokens), self.vocabulary.width)
        if rows.size and int(rows.max()) >= beyond:
            raise VocabularyError(
                f"the rows hold the id {int(rows.max()):,} and the mask knows ids up to "
                f"{beyond - 1:,}: it was made for another tokenizer; pass the model's own"
            )
        fresh = [all(i >= len(tokens) or tokens[i] is None for i in row) for row in rows.tolist()]
        return [self._guide(i // copies, fresh=fresh[i]) for i in range(len(rows))]

    def _guide(self, place: int, *, fresh: bool) -> Guide | None:
        key = (place, fresh and self._speller is not None and bool(self._speller.prefix))
        if key not in self._guides:
            spec = self.specs[place]
            guide = None
            if spec is not None:
                guide = guide_of(
                    spec,
                    self.vocabulary,
                    self._speller,
                    spellings=self._spellings,
                    fresh=key[1],
                    limits=self._limits,
                )
                self._check_budget(guide)
            self._guides[key] = guide
        return self._guides[key]

    def _check_budget(self, guide: Guide) -> None:
        needed = guide.cost(guide.start)
        if self.max_new_tokens is not None and needed > self.max_new_tokens:
            raise Truncated(
                f"no output fits into max_new_tokens={self.max_new_tokens}: the shortest way to "
                f"complete one takes {needed} tokens; allow more"
            )
