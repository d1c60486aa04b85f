"""Marks of a tokenizer: added tokens that say what kind of text begins or ends.

Tokenizers have tokens for roles, tools, thoughts and later use: DeepSeek's for a user's turn,
Qwen's ``<tool_call>``, Gemma's ``<unused0>``. Many are added without being called special, so that
decoding shows them. A model that writes one inside a string has opened a turn or a call, which
reads like the same characters. So free text never takes such a token (it may spell the characters
in ordinary ones), and a format that writes the text of one may use it there (`Vocabulary`).

An added token is a mark when brackets or doubled signs enclose a word, and it is no tag of HTML,
which people write in texts. Added words, spaces and signs are text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["added_tokens", "is_mark", "mark_ids"]

CLOSING = {
    "<": ">",
    "[": "]",
    "{": "}",
    "|": "|",
    ">": "<",
    "【": "】",
    "\uff1c": "\uff1e",
    "«": "»",
}
"""The signs that enclose a mark; Falcon has ``>>TITLE<<``."""

DOUBLED = re.compile(r"([^\w\s]|_)\1.*\1\1", re.DOTALL)

HTML_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|body|br|caption|center|code|col|colgroup|dd|del|div|dl|dt|em|"
    r"figcaption|figure|font|footer|h[1-6]|head|header|hr|html|i|iframe|img|ins|kbd|li|ol|p|pre|q|s|"
    r"samp|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var)\s*/?>",
    re.IGNORECASE,
)


def is_mark(text: str) -> bool:
    r"""Whether the text of an added token is that of a mark.

    >>> list(filter(is_mark, ["<tool_call>", "[INST]", "@@date@@", "</b>", "\n\n", "{", "word"]))
    ['<tool_call>', '[INST]', '@@date@@']
    """
    inner = text.strip()
    if not any(character.isalnum() for character in inner):
        return False
    if HTML_TAG.fullmatch(inner):
        return False
    return CLOSING.get(inner[0]) == inner[-1] or DOUBLED.fullmatch(inner) is not None


def added_tokens(tokenizer: Any) -> Mapping[int, Any]:
    """The tokens that were added to a Hugging Face tokenizer, by id; none for other kinds."""
    added = getattr(tokenizer, "added_tokens_decoder", None)
    return added if isinstance(added, Mapping) else {}


def mark_ids(tokenizer: Any) -> frozenset[int]:
    """The ids of the marks that a tokenizer calls text; special tokens are no text anyway."""
    return frozenset(
        index
        for index, token in added_tokens(tokenizer).items()
        if not token.special and is_mark(token.content)
    )
