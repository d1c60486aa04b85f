"""A tokenizer's chat template, run with arguments of one's own.

Arguments are what ``apply_chat_template`` takes beside the messages: ``enable_thinking``,
``documents``, ``tools``, ``date_string``, whatever a template reads. A template passes over an
argument that it does not read without a word, so such a one is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from textwrap import shorten
from typing import Any

from constrained.chat.variables import free_variables
from constrained.errors import GenerationError, MissingPackage
from constrained.mistral import encodes_chats

__all__ = [
    "check_arguments",
    "has_template",
    "render_chat",
    "takes_chats",
    "template_arguments",
    "template_text",
    "template_variables",
]

OURS = {
    "add_generation_prompt",
    "continue_final_message",
    "conversation",
    "max_length",
    "messages",
    "padding",
    "return_assistant_tokens_mask",
    "return_dict",
    "return_tensors",
    "sanitize_control_tokens",
    "tokenize",
    "tokenizer_kwargs",
    "truncation",
}
"""What decides how the conversation is handed over, which is not for callers to change."""

GIVEN = frozenset({"raise_exception", "strftime_now"})
"""Functions that transformers gives every template; so it does the texts of special tokens."""

UNDEFINED = re.compile("'(?P<name>\\w+)' is undefined")
"""What Jinja says of a name that was not given."""

NOT_READ = {"chat_template"}
"""What is for transformers, not for the template."""

MARKS = re.compile(r"\{%[-+]?\s*(end)?generation\s*[-+]?%\}")
"""Tags of transformers that plain Jinja does not know; they bear on training masks only."""


def has_template(tokenizer: Any) -> bool:
    """Whether a tokenizer has a template that writes chats as text.

    >>> has_template(object())
    False
    """
    return bool(getattr(tokenizer, "chat_template", None))


def takes_chats(tokenizer: Any) -> bool:
    """Whether a tokenizer makes prompts of chats: by a template, or (mistral-common) by itself.

    >>> takes_chats(object())
    False
    """
    return has_template(tokenizer) or encodes_chats(tokenizer)


def template_text(tokenizer: Any, arguments: Mapping[str, Any]) -> str | None:
    """The Jinja text that these arguments choose; None where it is no text of Jinja."""
    template = getattr(tokenizer, "chat_template", None)
    chosen = arguments.get("chat_template")
    if isinstance(template, Mapping):
        name = chosen or ("tool_use" if arguments.get("tools") is not None else "default")
        found = template.get(name, template.get("default") if chosen is None else chosen)
    else:
        found = template if chosen is None else chosen
    return found if isinstance(found, str) else None


@lru_cache(maxsize=32)
def template_variables(text: str) -> frozenset[str] | None:
    """The names that a template reads from outside; None when Jinja cannot parse it.

    Names that the template sets itself are none of them, nor are those of Jinja (`range`).

    >>> sorted(template_variables("{% if enable_thinking %}{{ messages[0].content }}{% endif %}"))
    ['enable_thinking', 'messages']
    """
    jinja2 = _jinja2()
    environment = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"])
    try:
        return free_variables(environment.parse(MARKS.sub("", text)), environment.globals)
    except (jinja2.TemplateError, RecursionError):
        return None


def check_arguments(tokenizer: Any, arguments: Any) -> dict[str, Any]:
    """`arguments` as a dict, each of which the tokenizer's template reads.

    Raises `GenerationError` for what is no mapping of names, for names that this library sets
    itself, for a tokenizer without a template, and for an argument that the template never reads.

    >>> check_arguments(object(), None)
    {}
    """
    if arguments is None:
        return {}
    if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
        raise GenerationError(
            f"chat_template_kwargs must be a mapping from names to values, got {arguments!r:.60}"
        )
    found = dict(arguments)
    ours = sorted(OURS & found.keys())
    if ours:
        raise GenerationError(
            f"the argument {ours[0]!r} of a chat template is set by this library; leave it out of "
            "chat_template_kwargs"
        )
    given = sorted((GIVEN | _special_names(tokenizer)) & found.keys())
    if given:
        raise GenerationError(
            f"the argument {given[0]!r} of a chat template is given by the tokenizer; leave it out "
            "of chat_template_kwargs"
        )
    if not found:
        return found
    if not has_template(tokenizer):
        raise GenerationError(
            f"there is no chat template to take the argument {next(iter(found))!r}: this tokenizer "
            "has none; leave chat_template_kwargs out"
        )
    free = template_arguments(tokenizer, found)
    if free is None:
        return found
    for name in sorted(found.keys() - NOT_READ - free):
        near = get_close_matches(name, free, n=1)
        guess = f"did you mean {near[0]!r}?" if near else _listed(free)
        raise GenerationError(
            f"the chat template does not read the argument {name!r}, so it would change nothing; "
            f"{guess}"
        )
    return found


def template_arguments(tokenizer: Any, arguments: Mapping[str, Any]) -> frozenset[str] | None:
    """The arguments that a caller may give to the template; None where it is no text of Jinja.

    `arguments` choose the template. What this library and transformers set is none of them.

    >>> template_arguments(object(), {}) is None
    True
    """
    text = template_text(tokenizer, arguments)
    read = None if text is None else template_variables(text)
    return None if read is None else read - OURS - GIVEN - _special_names(tokenizer)


def _special_names(tokenizer: Any) -> frozenset[str]:
    """The names by which a template reads the texts of special tokens: ``bos_token``, ..."""
    return frozenset(getattr(tokenizer, "special_tokens_map", None) or {})


def render_chat(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    arguments: Mapping[str, Any] | None = None,
    *,
    prompt: bool = True,
    open_end: bool = False,
    what: str = "this conversation",
) -> str:
    r"""What the template writes for messages.

    `prompt` ends it where the model is to answer, `open_end` in the middle of the last message.
    `what` is what errors call the messages. Raises `GenerationError` when the template does not
    take them, `MissingPackage` without jinja2.

    >>> render_chat(tokenizer, [{"role": "user", "content": "Hello"}])  # doctest: +SKIP
    '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n'
    """
    _jinja2()
    try:
        text = tokenizer.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=prompt,
            continue_final_message=open_end,
            **(arguments or {}),
        )
    except Exception as error:  # templates are programs and raise what they like
        reason = shorten(str(error) or type(error).__name__, 300, placeholder="...")
        raise GenerationError(
            f"the tokenizer's chat template does not take {what}: {reason}"
            f"{_remedy(tokenizer, error, arguments or {})}"
        ) from error
    return str(text)


def _remedy(tokenizer: Any, error: Exception, arguments: Mapping[str, Any]) -> str:
    """What helps where a template wants an argument that it was not given."""
    found = UNDEFINED.match(str(error))
    if found is None or found["name"] not in (template_arguments(tokenizer, arguments) or ()):
        return ""
    return f"; pass it as chat_template_kwargs={{{found['name']!r}: ...}}"


def _jinja2() -> Any:
    try:
        import jinja2
    except ImportError:
        raise MissingPackage(
            "jinja2", "a tokenizer's chat template", install="pip install jinja2"
        ) from None
    return jinja2


def _listed(names: frozenset[str]) -> str:
    shown = sorted(names)
    return f"it reads {', '.join(shown[:12])}" if shown else "it reads none at all"
