"""Small tokenizers with chat templates that do what real ones do, traps included."""

from __future__ import annotations

import copy
import functools
from typing import Any

from tests import tiny

MARKERS = ["<|user|>", "<|assistant|>", "<|eot|>", "<|sys|>"]

TURN = "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{{ m['content'] }}"
ASK = "{% if add_generation_prompt %}<|assistant|>{% endif %}"

ENDING = {
    "a token of its own": (TURN + "<|eot|>{% endfor %}" + ASK, "<|eot|>"),
    "a line feed, then the token": (TURN + "\n<|eot|>\n{% endfor %}" + ASK, "<|eot|>"),
    "trimmed contents": (
        TURN.replace("m['content']", "m['content'] | trim") + "<|eot|>{% endfor %}" + ASK,
        "<|eot|>",
    ),
    "the end of sequence": (TURN + "{{ eos_token }}{% endfor %}" + ASK, "<|end|>"),
    "roles that must alternate": (
        "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}"
        "{{ '<|' + m['role'] + '|>' + m['content'] + '<|eot|>' }}{% endfor %}" + ASK,
        "<|eot|>",
    ),
    "nothing after the last answer": (
        TURN + "{% if not loop.last %}<|eot|>{% endif %}{% endfor %}" + ASK,
        "<|eot|>",
    ),
    "the next role only": (TURN + "{% endfor %}" + ASK, "<|user|>"),
    "a message's text in parts": (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}"
        "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}<|eot|>{% endfor %}" + ASK,
        "<|eot|>",
    ),
    "a system message that must be there": (
        "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + TURN.replace("'<|' + m['role'] + '|>'", "'<|assistant|>'")
        + "<|eot|>{% endfor %}"
        + ASK,
        "<|eot|>",
    ),
    "tools that must be a list": (
        "{% for tool in tools %}{{ tool }}{% endfor %}" + TURN + "<|eot|>{% endfor %}" + ASK,
        "<|eot|>",
    ),
    "a line feed alone": (TURN.replace("'<|' + m['role'] + '|>'", "''") + "\n{% endfor %}", None),
    "words": ("{% for m in messages %}Q: {{ m['content'] }} Stop. {% endfor %}", None),
    "no conversation at all": ("{{ raise_exception('never') }}", None),
    "no answers": ("{{ messages[0]['content'] }}<|assistant|>", None),
    "no Jinja": ("{% for m in %}", None),
}
"""What ends an answer: the template, and the token that is to be found (None: none)."""

LLAMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}"
    "{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
"""A space before the answer, which the prompt does not have: Llama 2's."""

THINKS = (
    TURN.replace(
        "{{ m['content'] }}",
        "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m['content'] }}",
    )
    + "<|eot|>{% endfor %}{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
"""A reasoning block that the prompt has only when thinking is off: Qwen 3's."""


def with_template(template: Any, *, bos: bool = False) -> Any:
    """A byte-level tokenizer with turn markers and this template; its own copy."""
    tokenizer = copy.deepcopy(_marked(bos))
    tokenizer.chat_template = template
    return tokenizer


@functools.cache
def _marked(bos: bool) -> Any:
    tokenizer = copy.deepcopy(tiny.byte_level(bos=bos))
    tokenizer.add_special_tokens({"additional_special_tokens": MARKERS})
    return tokenizer


def llama() -> Any:
    """A SentencePiece tokenizer with Llama 2's template."""
    tokenizer = copy.deepcopy(tiny.sentencepiece())
    tokenizer.chat_template = LLAMA
    return tokenizer
