"""`training_check`: does generation write the answers as the training of a model spelled them.

A fine-tuned model knows its format as tokens, not as text. When the answers in its training set
were tokenised otherwise than the ones that are forced now (a space before the first word, a chat
template around a chat template), it is asked for something that it has never seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from constrained.arguments import whole_number
from constrained.chat import PromptIds, answer_turn, check_arguments
from constrained.errors import GenerationError, TextRejected
from constrained.generation.canonical import Speller
from constrained.generation.guide import Guide
from constrained.generation.inputs import Prompt, is_chat, prompt_ids
from constrained.generation.policy import Spellings, check_spellings, guide_of
from constrained.generation.prompt_findings import Finding, prompt_findings
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

__all__ = ["Difference", "Finding", "TrainingCheck", "generated_ids", "training_check"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the tokens of a target first differ: from `token` on, in target `place`."""

    place: int
    token: int
    training: tuple[str, ...]
    generation: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class TrainingCheck:
    """What `training_check` found. `bool(check)` is true when there is no finding.

    >>> from constrained.testing import ByteTokenizer
    >>> bool(training_check(range(10), ByteTokenizer(), ["7"]))
    True
    >>> training_check(range(10), ByteTokenizer(), [" 7"]).findings[0].kind
    'leading space'
    """

    targets: int
    """How many training targets were looked at."""
    matching: int
    """Targets that match the spec, without an end token and space around them."""
    same_tokens: int
    """Targets whose tokens in training are exactly those that generation would produce."""
    first_difference: Difference | None
    findings: tuple[Finding, ...]

    @property
    def match_share(self) -> float:
        """The share of targets that match the spec, in [0, 1]."""
        return self.matching / self.targets

    @property
    def token_share(self) -> float:
        """The share of targets that are tokenised as in generation, in [0, 1]."""
        return self.same_tokens / self.targets

    def __bool__(self) -> bool:
        return not self.findings

    def __repr__(self) -> str:
        lines = [
            f"TrainingCheck of {self.targets} targets: {self.match_share:.0%} match the spec, "
            f"{self.token_share:.0%} are tokenised as in generation"
        ]
        if self.first_difference is not None:
            d = self.first_difference
            lines.append(f"  first difference: target {d.place}, token {d.token}")
            lines.append(f"    training   {' '.join(map(repr, d.training)) or '(nothing)'}")
            lines.append(f"    generation {' '.join(map(repr, d.generation)) or '(nothing)'}")
        for finding in self.findings:
            seen = f"first in {finding.place}, {finding.count} in all"
            lines.append(f"  {finding.kind}: {finding.problem} ({seen}); {finding.remedy}")
        return "\n".join(lines)


def training_check(
    spec: Any,
    tokenizer: Any,
    targets: Sequence[str | Sequence[int]],
    prompts: Sequence[Prompt] | None = None,
    *,
    encoder_decoder: bool = False,
    spellings: Spellings = "auto",
    chat_template_kwargs: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> TrainingCheck:
    """Compare a sample of training targets with what generation under `spec` writes.

    `targets` are answers as the training set holds them: texts, or the token ids that the trainer
    made of them. `prompts` are the texts or chats before them, one each: with them a text target
    is tokenised together with its prompt, as most trainers do, and the prompts are searched for
    chat templates and BOS tokens that are there twice. A chat goes through the tokenizer's
    template with `chat_template_kwargs`: white space that it writes before an answer is taken to
    be in the training too, other words there are a finding.

    Generation is followed token by token: what is certain is forced, and what is chosen is chosen
    as in the target. An end token at the end of
    a target is not counted as a difference. `encoder_decoder`: the prompt goes to an encoder, so
    the target is a text of its own.

    Raises `GenerationError` when there are no targets or not as many prompts, and what `Generator`
    raises for the spec and the tokenizer.

    >>> from constrained.spec import integer
    >>> from constrained.testing import ByteTokenizer
    >>> training_check("Score: " + integer(0, 9), ByteTokenizer(), ["Score: 7", " Score: 8"])
    TrainingCheck of 2 targets: 50% match the spec, 50% are tokenised as in generation
      leading space: ' Score: 8' has space around it that the spec does not write (first in 1, \
1 in all); put that space into the spec or the prompt, or take it out of the targets
    """
    if not isinstance(targets, Sequence) or isinstance(targets, (str, bytes)) or not targets:
        raise GenerationError("there is nothing to check: pass a list of training targets")
    if prompts is not None and (not isinstance(prompts, Sequence) or isinstance(prompts, str)):
        raise GenerationError(
            f"prompts must be a list with one for each target, got {prompts!r:.60}"
        )
    check_spellings(spellings)
    if prompts is not None and len(prompts) != len(targets):
        raise GenerationError(
            f"there are {len(prompts)} prompts for {len(targets)} targets; pass one prompt each"
        )
    format_ = as_spec(spec)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    speller = Speller(tokenizer, vocabulary)
    arguments = check_arguments(tokenizer, chat_template_kwargs)
    asked = [
        PromptIds(())
        if isinstance(prompt, str)
        else prompt_ids(tokenizer, prompt, place=place, arguments=arguments)
        for place, prompt in enumerate(prompts or ())
    ]
    guides: dict[str, Guide] = {}
    found: list[Finding] = []
    matching = same = 0
    first: Difference | None = None
    for place, target in enumerate(targets):
        before = None if prompts is None or encoder_decoder else prompts[place]
        lead = asked[place].lead if is_chat(before) and isinstance(target, str) else ""
        if lead not in guides:
            guides[lead] = guide_of(
                format_,
                vocabulary,
                speller,
                spellings=spellings,
                fresh=encoder_decoder,
                lead=lead,
                limits=limits,
            )
        guide = guides[lead]
        if lead and isinstance(target, str):
            ids, border = _behind_lead(tokenizer, target, before, asked[place], arguments)
        else:
            ids, border = _training_ids(tokenizer, target, before, place)
        ids = _without_end(ids, vocabulary)
        if border is not None:
            found.append(Finding("border", border, BORDER_REMEDY, place))
        problem = _mismatch(format_, guide, tokenizer, ids, place)
        if problem is not None:
            found.append(problem)
            continue
        matching += 1
        ours = generated_ids(guide, vocabulary, ids)
        if ours == ids:
            same += border is None
            continue
        found.append(Finding("tokens", TOKENS_PROBLEM, TOKENS_REMEDY, place))
        if first is None:
            first = _difference(vocabulary, place, ids, ours)
    for place, prompt in enumerate(prompts or ()):
        found += prompt_findings(tokenizer, prompt, asked[place], place)
    return TrainingCheck(len(targets), matching, same, first, _counted(found))


BORDER_REMEDY = "tokenise prompt and target apart in training, or end the prompt where a token ends"
TOKENS_PROBLEM = "the training tokens are not the ones that generation would write"
TOKENS_REMEDY = "tokenise the targets as the first difference shows, or train again"


def _training_ids(
    tokenizer: Any, target: str | Sequence[int], prompt: Prompt | None, place: int
) -> tuple[list[int], str | None]:
    """The target's ids in training, and what is wrong where the prompt ends."""
    if not isinstance(target, str):
        if not isinstance(target, Iterable) or isinstance(target, bytes):
            raise GenerationError(f"target {place} must be a text or token ids, got {target!r:.60}")
        return [whole_number(i, f"an id of target {place}", GenerationError) for i in target], None
    alone = list(tokenizer(target, add_special_tokens=False)["input_ids"])
    if not isinstance(prompt, str):
        return alone, None
    before = list(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    joint = list(tokenizer(prompt + target, add_special_tokens=False)["input_ids"])
    if joint[: len(before)] == before:
        return joint[len(before) :], None
    return alone, _one_token(target)


def _behind_lead(
    tokenizer: Any, target: str, prompt: Any, asked: PromptIds, arguments: Mapping[str, Any]
) -> tuple[list[int], str | None]:
    """The ids of the white space before an answer and of a target, as parts of a whole chat."""
    turn = answer_turn(tokenizer, arguments, prompt)
    whole = turn.prompt + (turn.lead or "") + target
    ids = list(tokenizer(whole, add_special_tokens=False)["input_ids"])
    size = len(asked.ids)
    if tuple(ids[:size]) == asked.ids:
        return ids[size:], None
    alone = list(tokenizer(asked.lead + target, add_special_tokens=False)["input_ids"])
    return alone, _one_token(target)


def _one_token(target: str) -> str:
    return (
        f"the last token of the prompt and the first of the target {target[:20]!r} are one token "
        "when both are tokenised together"
    )


def _without_end(ids: list[int], vocabulary: Vocabulary) -> list[int]:
    """The ids up to the end tokens after them."""
    end = len(ids)
    while end and ids[end - 1] in vocabulary.end_ids:
        end -= 1
    return ids[:end]


def _mismatch(
    spec: Spec[Any], guide: Guide, tokenizer: Any, ids: list[int], place: int
) -> Finding | None:
    """Why a target does not match; None when it does."""
    special = [i for i in ids if guide.vocabulary.tokens[i] is None]
    if special:
        return Finding(
            "template in target",
            f"the target holds the special token {tokenizer.decode(special[:1])!r}",
            "take the prompt format out of the targets",
            place,
        )
    text = guide.text(ids)
    if spec.matches(text):
        return None
    shown = text if len(text) <= 40 else text[:37] + "..."
    if spec.matches(text.strip()):
        return Finding(
            "leading space" if text[:1].isspace() else "trailing space",
            f"{shown!r} has space around it that the spec does not write",
            "put that space into the spec or the prompt, or take it out of the targets",
            place,
        )
    if any(spec.matches(space + text) for space in (" ", "\n")):
        return Finding(
            "leading space",
            f"{shown!r} lacks the space that the spec begins with",
            "take that space out of the spec",
            place,
        )
    try:
        spec.parse(text)
    except TextRejected as error:
        reason = f"{shown!r} differs at byte {error.position}: expected {error.expected}"
    else:
        reason = f"{shown!r} does not match"
    return Finding("no match", reason, "change the spec to what the model has learnt", place)


def generated_ids(guide: Guide, vocabulary: Vocabulary, training: list[int]) -> list[int]:
    """The ids that generation writes when its choices are the target's."""
    data = vocabulary.spell(training)
    starts, at = {}, 0
    for token in training:
        starts[at] = token
        at += len(vocabulary.tokens[token] or b"")
    node, at = guide.start, 0
    ids: list[int] = []
    while at < len(data):
        run = guide.forced(node)
        if not run:
            chosen = _chosen(guide, vocabulary, node, data[at:], starts.get(at))
            if chosen is None:
                return ids
            run = (chosen,)
        for token in run:
            node = guide.advance(node, token)
            ids.append(token)
            at += len(vocabulary.tokens[token] or b"")
    return ids


def _chosen(
    guide: Guide, vocabulary: Vocabulary, node: int, data: bytes, wanted: int | None
) -> int | None:
    """The token that continues with `data`: the one of the target, else the longest allowed."""
    allowed = [int(i) for i in guide.allowed(node) if int(i) not in vocabulary.end_ids]
    if wanted in allowed:
        return wanted
    fits = [i for i in allowed if data.startswith(vocabulary.tokens[i] or b"\xff")]
    return max(fits, key=lambda i: len(vocabulary.tokens[i] or b""), default=None)


def _difference(
    vocabulary: Vocabulary, place: int, training: list[int], generation: list[int]
) -> Difference:
    """The tokens from the first that differs to where both are at the same byte again."""
    pairs = enumerate(zip_longest(training, generation))
    first = next(i for i, (ours, theirs) in pairs if ours != theirs)
    left, right = training[first:], generation[first:]
    for i in range(1, len(left) + 1):
        done = vocabulary.spell(left[:i])
        for j in range(1, len(right) + 1):
            if vocabulary.spell(right[:j]) == done:
                left, right = left[:i], right[:j]
                return Difference(place, first, _shown(vocabulary, left), _shown(vocabulary, right))
    return Difference(place, first, _shown(vocabulary, left), _shown(vocabulary, right))


def _shown(vocabulary: Vocabulary, ids: Sequence[int]) -> tuple[str, ...]:
    return tuple(vocabulary.spell([i]).decode("utf-8", errors="replace") for i in ids)


def _counted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """One finding of each kind, the first, with the number of places it was seen in."""
    kinds: dict[str, Finding] = {}
    for finding in findings:
        seen = kinds.get(finding.kind)
        kinds[finding.kind] = replace(seen, count=seen.count + 1) if seen else finding
    return tuple(kinds.values())
