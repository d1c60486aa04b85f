"""Every exception that this library raises on purpose; imports nothing.

::

    ConstrainedError
    ├─ SpecError (also ValueError)     where (JSON pointer, or line:column), hint
    │   ├─ InvalidSpec                 malformed
    │   ├─ UnsupportedSpec             well formed, but not enforceable exactly: names the feature
    │   └─ UnsatisfiableSpec           nothing can match, and why
    ├─ LimitExceeded                   a bound of `Limits` was reached: limit, value
    ├─ VocabularyError                 the tokenizer cannot spell the spec, or widths disagree
    ├─ TokenRejected                   a token outside the mask: state, token, expected
    ├─ TextRejected (also ValueError)  a text that does not match a spec: text, position, expected
    ├─ GenerationError                 partial text, finish reason
    │   └─ Truncated                   the token budget ended before the output was complete
    ├─ RecordError                     consistency data damaged or of another version
    ├─ ModelError                      a model or adapter cannot be got or loaded: name, hint
    └─ MissingPackage (also ImportError)   an optional package is not installed: package, install

and, of what is no error, the warnings `SpellingWarning`, `PatternWarning`, `SchemaWarning`,
`LeftOutWarning` and `ChatWarning`.

A message says what is wrong, where, and what to do about it. The parts are attributes too, so a
program never has to read the text.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ChatWarning",
    "ConstrainedError",
    "GenerationError",
    "InvalidSpec",
    "LeftOutWarning",
    "LimitExceeded",
    "MissingPackage",
    "ModelError",
    "PatternWarning",
    "RecordError",
    "SchemaWarning",
    "SpecError",
    "SpellingWarning",
    "TextRejected",
    "TokenRejected",
    "Truncated",
    "UnsatisfiableSpec",
    "UnsupportedSpec",
    "VocabularyError",
]


class ConstrainedError(Exception):
    """The root: catch it to catch everything this library raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross process borders whole: without their own arguments a pool would hang."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[ConstrainedError], args: tuple[Any, ...], parts: dict[str, Any]
) -> ConstrainedError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(parts)
    return error


class SpecError(ConstrainedError, ValueError):
    """A spec cannot be used.

    `where` is a JSON pointer (``#/properties/score``) for schemas and ``line:column`` or a
    position for texts; empty when the whole spec is meant. `hint` is one sentence on the remedy.
    """

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        self.problem = problem
        self.where = where
        self.hint = hint
        message = f"at {where}: {problem}" if where else problem
        super().__init__(f"{message} ({hint})" if hint else message)


class InvalidSpec(SpecError):
    """The spec is malformed: a regex that does not parse, a schema of the wrong shape."""


class UnsupportedSpec(SpecError):
    """The spec is well formed, but `feature` cannot be enforced exactly, so it is refused."""

    def __init__(self, feature: str, problem: str, *, where: str = "", hint: str = "") -> None:
        self.feature = feature
        super().__init__(problem, where=where, hint=hint)


class UnsatisfiableSpec(SpecError):
    """No output at all matches the spec; `where` points at the cause."""


class LimitExceeded(ConstrainedError):
    """A bound of `Limits` was reached. `limit` is its field name, `value` its setting.

    `remedy` is what helps apart from a higher bound, `where` the place in a schema (a JSON
    pointer; empty when the whole spec is meant).
    """

    def __init__(
        self,
        limit: str,
        value: int,
        doing: str = "",
        *,
        remedy: str = "simplify the spec",
        where: str = "",
    ) -> None:
        self.limit = limit
        self.value = value
        self.doing = doing
        self.remedy = remedy
        self.where = where
        place = f"at {where}: " if where else ""
        what = f" while {doing}" if doing else ""
        super().__init__(
            f"{place}limit {limit}={value:,} reached{what} ({remedy}, or pass Limits({limit}=...))"
        )

    def placed(self, where: str) -> LimitExceeded:
        """The same error with a place, unless it has one."""
        place = self.where or where
        return LimitExceeded(self.limit, self.value, self.doing, remedy=self.remedy, where=place)


class VocabularyError(ConstrainedError):
    """The tokenizer cannot spell what the spec wants, or widths and ids do not fit."""


class SpellingWarning(UserWarning):
    """No tokens can be joined to some texts of a spec, so a model cannot write them; names which.

    Only where the other outputs of the spec can still be written; else it is a `VocabularyError`.
    """


class PatternWarning(UserWarning):
    """A regular expression is well formed only by leniency, which may hide a typo."""


class SchemaWarning(UserWarning):
    """A key of a JSON Schema enforces nothing, but looks like a misspelt keyword."""


class ChatWarning(UserWarning):
    """A plain text was given to a model that has learnt to answer in its chat template only."""


class LeftOutWarning(UserWarning):
    """A part of a spec needs more than `Limits` allow, found after the first mask was given.

    Outputs with that part are left out, so that the answer can go on; the message has the place.
    """


class TokenRejected(ConstrainedError):
    """`token` is not allowed in `state`; `expected` describes what is."""

    def __init__(self, state: int, token: int, expected: str) -> None:
        self.state = state
        self.token = token
        self.expected = expected
        super().__init__(f"token {token} is not allowed in state {state}: expected {expected}")


class TextRejected(ConstrainedError, ValueError):
    """`text` does not match a spec from byte `position` on; `expected` describes what would."""

    def __init__(self, text: str, position: int, expected: str) -> None:
        self.text = text
        self.position = position
        self.expected = expected
        shown = text if len(text) <= 80 else text[:77] + "..."
        super().__init__(f"{shown!r} does not match at byte {position}: expected {expected}")


class GenerationError(ConstrainedError):
    """Generation failed; `text` is the partial output, `finish_reason` why it ended."""

    def __init__(self, problem: str, *, text: str = "", finish_reason: str = "error") -> None:
        self.text = text
        self.finish_reason = finish_reason
        super().__init__(problem)


class Truncated(GenerationError):
    """The token budget ended before the output was complete."""

    def __init__(self, problem: str, *, text: str = "") -> None:
        super().__init__(problem, text=text, finish_reason="length")


class RecordError(ConstrainedError):
    """Stored consistency data is damaged or of another version."""


class ModelError(ConstrainedError):
    """The model or adapter `name` cannot be got or loaded; `hint` is one sentence on the remedy."""

    def __init__(self, name: str, problem: str, *, hint: str = "") -> None:
        self.name = name
        self.problem = problem
        self.hint = hint
        message = f"model {name!r}: {problem}"
        super().__init__(f"{message} ({hint})" if hint else message)


class MissingPackage(ConstrainedError, ImportError):
    """The optional `package` is not installed; `install` is the command that adds it."""

    def __init__(self, package: str, doing: str, *, install: str) -> None:
        self.package = package
        self.install = install
        super().__init__(f"{doing} needs the package {package} (run: {install})")
