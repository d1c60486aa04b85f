"""Arguments of a chat template on the command line: ``name=value``, or a JSON object of several."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from constrained.errors import InvalidSpec

__all__ = ["chat_arguments"]

OTHER_SPELLINGS = {"True": "true", "False": "false", "None": "null"}
"""Python's words, which a template would take for texts, and every text for true."""


def chat_arguments(written: Iterable[str]) -> dict[str, Any]:
    """The arguments that options name, the last one of a name.

    A value is JSON where it can be read as JSON, else a text. Raises `InvalidSpec` for what has no
    name, for JSON that is broken, and for Python's spelling of ``true``, ``false`` and ``null``.

    >>> chat_arguments(["enable_thinking=false", "date_string=26 Jul 2024", '{"level": 2}'])
    {'enable_thinking': False, 'date_string': '26 Jul 2024', 'level': 2}
    """
    found: dict[str, Any] = {}
    for one in written:
        if one.lstrip().startswith("{"):
            found.update(_json(one, one))
            continue
        name, equals, value = one.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InvalidSpec(
                f"{one!r:.80} is no argument of a chat template",
                where="--chat-template-arg",
                hint="write name=value, for example enable_thinking=false",
            )
        found[name.strip()] = _value(one, value)
    return found


def _value(one: str, value: str) -> Any:
    if value in OTHER_SPELLINGS:
        raise InvalidSpec(
            f"{one!r} could be a text or {OTHER_SPELLINGS[value]}",
            where="--chat-template-arg",
            hint=f'write {OTHER_SPELLINGS[value]}, or "{value}" in quotes for the text',
        )
    if value.lstrip()[:1] in ("{", "[", '"'):
        return _json(one, value)
    try:
        return json.loads(value, parse_constant=str)
    except ValueError:
        return value


def _json(one: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSpec(
            f"{one!r:.80} is no JSON: {error!s:.120}",
            where="--chat-template-arg",
            hint="quote it for the shell, for example '{\"enable_thinking\": false}'",
        ) from error
