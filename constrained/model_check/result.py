"""`ModelCheck`: what was found out about a model, as a value that prints on one screen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from constrained.chat import End
from constrained.model_check.spelled import SpelledText
from constrained.model_check.template import TemplateCheck
from constrained.model_check.tokens import TokenCheck

__all__ = ["ModelCheck"]

SHOWN = 8
"""Lines of texts and of ids that are shown; the value has all of them."""


@dataclass(frozen=True, slots=True, repr=False)
class ModelCheck:
    """What to know of a model before its answers are trusted. `bool(check)`: nothing is wrong.

    `tokens` is None where the vocabulary was refused (`problems` say why). `problems` are what
    would be wrong without a word, each with what to do; `notes` are worth knowing. `seconds` are
    those of the vocabulary (read and made ready for masks) and of the first mask.

    >>> from constrained.testing import ByteTokenizer
    >>> from constrained.model_check import check_model
    >>> check = check_model(ByteTokenizer())
    >>> bool(check), check.tokens.agreeing, check.ends[0].sources
    (True, 256, ('eos_token',))
    """

    name: str
    tokens: TokenCheck | None
    ends: tuple[End, ...]
    template: TemplateCheck | None
    spelled: tuple[SpelledText, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def __bool__(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The same as values that JSON can hold; the keys are part of the interface."""
        found = asdict(self)
        for place, text in enumerate(self.spelled):
            found["spelled"][place]["same"] = text.same
        return {"ok": bool(self), **found}

    def __repr__(self) -> str:
        return "\n".join(
            [
                f"{self.name}: {'nothing is wrong' if self else 'not to be trusted as it is'}",
                *self._tokens(),
                *_rows(
                    "ends",
                    [f"{end.token!r} ({end.id}): {', '.join(end.sources)}" for end in self.ends]
                    or ["none known"],
                ),
                *self._template(),
                *_rows("spelled", [_spelled(text) for text in self._shown()]),
                *_rows("seconds", [", ".join(f"{k} {v:.4f}" for k, v in self.seconds.items())]),
                *_rows("wrong", self.problems),
                *_rows("note", self.notes),
            ]
        )

    def _tokens(self) -> list[str]:
        found = self.tokens
        if found is None:
            return _rows("ids", ["refused"])
        size = f"{found.ids:,} stand for text, {found.agreeing:,} of them decode to it exactly"
        lines = [f"{size}; {found.silent:,} stand for none"]
        if found.width is not None:
            lines.append(
                f"{found.width:,} logits: {found.padding:,} without an id, {found.beyond:,} ids "
                "without a logit"
            )
        missing = " ".join(f"{byte:02X}" for byte in found.missing_bytes[:16])
        more = " ..." if len(found.missing_bytes) > 16 else ""
        lines.append(
            f"cannot be written: what needs the bytes {missing}{more}"
            if missing
            else "every character can be written"
        )
        return _rows("ids", lines)

    def _template(self) -> list[str]:
        found = self.template
        if found is None:
            return _rows("template", ["none"])
        if not found.before:
            return _rows("template", ["cannot be read"])
        lead = "another text" if found.lead is None else repr(found.lead)
        return _rows(
            "template",
            [
                f"prompt ends {found.prompt[-50:]!r}, then {lead[:40]}, the answer, "
                f"{found.after[:24]!r}",
                f"begins with {found.begins} BOS; reads {', '.join(found.arguments) or 'nothing'}",
            ],
        )

    def _shown(self) -> list[SpelledText]:
        """The numbers, and of each format what differs, else its first example."""
        numbers = [text for text in self.spelled if not text.format]
        shown = []
        for name in dict.fromkeys(text.format for text in self.spelled if text.format):
            texts = [text for text in self.spelled if text.format == name]
            shown += [text for text in texts if text.same is False] or texts[:1]
        return [*numbers, *shown[:SHOWN]]


def _rows(name: str, lines: tuple[str, ...] | list[str]) -> list[str]:
    """Lines behind a name; none for no lines."""
    return [f"  {name if not i else '':<9} {line}" for i, line in enumerate(lines)]


def _spelled(text: SpelledText) -> str:
    ours = " ".join(map(repr, text.ours))
    if text.trimmed:
        return f"{text.text!r}: {ours} (the template changes white space around an answer)"
    if text.template is None:
        return f"{text.text!r}: {ours}"
    if text.same:
        return f"{text.text!r}: {ours}, as in the template"
    return f"{text.text!r}: {ours}, in the template {' '.join(map(repr, text.template))}"
