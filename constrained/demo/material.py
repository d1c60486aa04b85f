"""What the demo grades: a question, some essays on it, and several wordings of the same request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from constrained.errors import InvalidSpec
from constrained.files import file_text

__all__ = ["Essay", "Material", "Wording", "bundled", "read_material"]

SHAPE = '{"question": "...", "essays": [{"id": "...", "text": "..."}, ...]}'


@dataclass(frozen=True, slots=True)
class Essay:
    """One text to grade; `about` says in a few words what is good or bad about it."""

    id: str
    text: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to ask for a score: a text with the places ``{question}`` and ``{essay}``."""

    id: str
    text: str

    def ask(self, question: str, essay: Essay) -> str:
        """The prompt for one essay. Braces inside the essay stay as they are.

        >>> Wording("w", "{question} -- {essay}").ask("Why?", Essay("e", "{question}"))
        'Why? -- {question}'
        """
        before, _, after = self.text.partition("{essay}")
        return essay.text.join(part.replace("{question}", question) for part in (before, after))


@dataclass(frozen=True, slots=True)
class Material:
    """A question, the essays that answer it and the wordings that ask for their scores."""

    question: str
    prompts: tuple[Wording, ...]
    essays: tuple[Essay, ...]

    @property
    def cells(self) -> int:
        """How many essays under a wording there are."""
        return len(self.essays) * len(self.prompts)

    def first(self, essays: int, prompts: int) -> Material:
        """The same with only so many essays and wordings."""
        return Material(self.question, self.prompts[:prompts], self.essays[:essays])


def bundled() -> Material:
    """Six essays of clearly different quality and four wordings, shipped with the package.

    >>> [essay.id for essay in bundled().essays]
    ['excellent', 'good', 'average', 'weak', 'off-topic', 'garbled']
    """
    text = resources.files("constrained.demo").joinpath("essays.json").read_text("utf-8")
    return material(json.loads(text), "the bundled essays")


def read_material(path: Path) -> Material:
    """Essays from a JSON file of the bundled file's shape; wordings left out are the bundled ones.

    Raises `InvalidSpec` with the JSON pointer when the file cannot be read that way.
    """
    try:
        data = json.loads(file_text(path))
    except OSError as error:
        raise InvalidSpec(f"cannot read it: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidSpec("it is not UTF-8 text", where=str(path)) from error
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise InvalidSpec(f"not JSON: {error.msg}", where=where, hint=f"write {SHAPE}") from error
    return material(data, str(path))


def material(data: Any, origin: str) -> Material:
    """Check a parsed file and give it its types."""
    if not isinstance(data, dict):
        raise InvalidSpec("not a JSON object", where=f"{origin}#", hint=f"write {SHAPE}")
    question = string(data, "question", f"{origin}#")
    essays = tuple(
        Essay(string(e, "id", at), string(e, "text", at), string(e, "about", at, default=""))
        for e, at in items(data, "essays", origin)
    )
    prompts = tuple(
        Wording(string(p, "id", at), string(p, "text", at, holding="{essay}"))
        for p, at in items(data, "prompts", origin)
    )
    for name, things in (("essays", essays), ("prompts", prompts)):
        ids = [thing.id for thing in things]
        if len(set(ids)) < len(ids):
            raise InvalidSpec("two of them have the same id", where=f"{origin}#/{name}")
    return Material(question, prompts or bundled().prompts, essays)


def items(data: dict[str, Any], key: str, origin: str) -> list[tuple[Any, str]]:
    """The entries of a list with the pointer of each; the wordings may be left out."""
    entries = data.get(key, [])
    if not isinstance(entries, list) or not (entries or key == "prompts"):
        problem = "a list with at least one entry is wanted here"
        raise InvalidSpec(problem, where=f"{origin}#/{key}", hint=f"write {SHAPE}")
    return [(entry, f"{origin}#/{key}/{index}") for index, entry in enumerate(entries)]


def string(data: Any, key: str, at: str, *, default: str | None = None, holding: str = "") -> str:
    """The text under `key`, which must not be empty and must hold `holding`."""
    value = data.get(key, default) if isinstance(data, dict) else None
    if not isinstance(value, str) or (not value.strip() and default is None):
        raise InvalidSpec("a text is wanted here", where=f"{at}/{key}", hint=f"write {SHAPE}")
    if holding not in value:
        raise InvalidSpec(f"the place {holding} is missing", where=f"{at}/{key}")
    return value
