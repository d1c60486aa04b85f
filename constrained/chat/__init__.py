"""Chat templates of tokenizers: what they write, where an answer stands in it, what ends it.

A template is a program that comes with a tokenizer. Nothing of it is known by the model's name:
everything here is read off what the template writes for conversations of known texts.
"""

from constrained.chat.answer_turn import PROBE, AnswerTurn, answer_turn
from constrained.chat.before_answer import PromptIds, before_answer
from constrained.chat.ends import End, ends_of, template_end
from constrained.chat.openings import opening, opening_problems
from constrained.chat.template import (
    check_arguments,
    has_template,
    render_chat,
    takes_chats,
    template_arguments,
    template_text,
    template_variables,
)

__all__ = [
    "PROBE",
    "AnswerTurn",
    "End",
    "PromptIds",
    "answer_turn",
    "before_answer",
    "check_arguments",
    "ends_of",
    "has_template",
    "opening",
    "opening_problems",
    "render_chat",
    "takes_chats",
    "template_arguments",
    "template_end",
    "template_text",
    "template_variables",
]
