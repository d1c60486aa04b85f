"""What a chat template writes between a prompt and an answer: a thought, a channel, other words.

A format is held from the first token after the prompt. Where the model has learnt to write
something else there, the format takes its place, and with it perhaps all of its probability.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from constrained.chat.answer_turn import AnswerTurn, answer_turn
from constrained.chat.template import template_text, template_variables
from constrained.errors import GenerationError

__all__ = ["opening", "opening_problems"]

OPENER = re.compile(r"<(?P<name>[A-Za-z_:|]*(?:think|reason)[A-Za-z_:|]*)>")
CLOSED = re.compile(
    r"\s*(<(?P<name>[\w:]+)>(?:(?!<(?P=name)>).)*</(?P=name)>"
    r"|<\|(?P<bar>[\w:]+)>(?:(?!<\|(?P=bar)>).)*<(?P=bar)\|>)\s*",
    re.DOTALL,
)
"""A block that a prompt opens and closes, so that the answer comes next. Conversations leave out
what was thought in earlier turns, often together with the block."""
SWITCHES = re.compile("think|reason")
"""Names of template arguments that may switch a reasoning block."""


def _opened(turn: AnswerTurn) -> str:
    """A block that the prompt opens and nothing closes before the answer; "" for none."""
    for found in reversed([*OPENER.finditer(turn.prompt)]):
        rest = turn.prompt[found.end() :] + (turn.lead or "")
        if f"/{found['name']}" not in rest:
            return found[0]
    return ""


def opening_problems(
    tokenizer: Any, turn: AnswerTurn, arguments: Mapping[str, Any]
) -> Iterator[str]:
    """What stands between a prompt and its answer, and which template arguments cure it.

    Nothing where an answer follows at once, or after white space.
    """
    problem = opening(turn)
    if not problem:
        return
    text = template_text(tokenizer, arguments) or ""
    read = template_variables(text) or frozenset()
    for name in sorted(name for name in read if SWITCHES.search(name)):
        compared = re.findall(rf"(?<![\w.]){name}\s*==\s*['\"]([^'\"]+)['\"]", text)
        for value in (False, True, *dict.fromkeys(compared)):
            try:
                other = answer_turn(tokenizer, {**arguments, name: value})
            except GenerationError:
                continue
            if not opening(other):
                switch = f"chat_template_kwargs={{{name!r}: {value!r}}}"
                yield f"{problem}; {switch} cures that"
                return
    yield f"{problem}; no argument of the template is known to cure that"


def opening(turn: AnswerTurn) -> str:
    """What stands between the prompt and an answer, which no format can know of; "" for nothing."""
    if turn.lead is None:
        start = next(
            (i for i, (a, b) in enumerate(zip(turn.prompt, turn.before, strict=False)) if a != b),
            min(len(turn.prompt), len(turn.before)),
        )
        marker = turn.prompt.rfind("<", 0, start)
        if marker >= 0 and ">" not in turn.prompt[marker:start]:
            start = marker  # shown whole
        asked, wrote = turn.prompt[start:], turn.before[start:]
        if CLOSED.fullmatch(asked) and (
            not wrote.strip() or asked.rstrip().endswith(wrote.strip())
        ):
            return ""
        asked, wrote = asked[:60], wrote[:60]
        return f"a prompt has {asked!r} where a conversation with an answer has {wrote!r}"
    if turn.lead.strip():
        return f"before an answer it writes {turn.lead[:80]!r}, which a prompt leaves to the model"
    opened = _opened(turn)
    return f"a prompt opens {opened!r}, and nothing closes it before the answer" if opened else ""
