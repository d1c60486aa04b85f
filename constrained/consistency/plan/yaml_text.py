"""YAML as plans use it: values and, for every one of them, the line that it stands in.

The types are those of YAML 1.2's core schema, not PyYAML's older ones: ``no`` and ``on`` are texts,
``1:30`` is not 90, dates stay texts. Keys are texts; a key that appears twice is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from constrained.errors import InvalidSpec, MissingPackage
from constrained.packages import remedy

__all__ = ["MOST_IN_A_PLAN", "YamlText"]

MOST_IN_A_PLAN = 16 << 20
"""The most bytes that are read of a plan; more items than that belong in a file of their own."""

TYPES = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.nan",
        list("-+.0123456789"),
    ),
}
"""Tag: what its scalars look like, and their first characters. First match wins."""

DEEPEST = 200
"""Brackets that may be open at a time."""

TOO_DEEP = "values are nested too deeply"

MOST_REPEATED = 100_000
"""Values that aliases may add to those that are written."""

LONGEST_NUMBER = 400
"""Digits of a whole number: more than any double has."""

INSTALL = remedy("consistency")


@dataclass(frozen=True, repr=False)
class YamlText:
    r"""A YAML document that was read: its `value`, and where things stand in the file `name`.

    >>> document = YamlText.read("formats: [plain, no]\nseed: 7\n", "plan.yaml")
    >>> document.value, document.where(("formats", 1))
    ({'formats': ['plain', 'no'], 'seed': 7}, 'plan.yaml:1:18 (formats[1])')
    """

    name: str
    value: Any
    root: Any
    written: int = 0
    """Values that are written."""
    values: int = 0
    """Values there are with all aliases written out, and the characters of their texts."""
    characters: int = 0

    @classmethod
    def read(cls, text: str, name: str) -> YamlText:
        """Read a document; `InvalidSpec` with line and column when it is not well formed."""
        loader, errors = _loader()
        try:
            root = loader(text).get_single_node()
        except RecursionError as error:
            raise InvalidSpec(TOO_DEEP, where=name) from error
        except errors as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            said = problem if problem == TOO_DEEP else f"this is not YAML: {problem}"
            raise InvalidSpec(said, where=where) from error
        if root is None:
            raise InvalidSpec("the file is empty", where=name)
        reader = _Reader(name)
        try:
            value = reader.value(root)
        except RecursionError as error:
            raise InvalidSpec(TOO_DEEP, where=name) from error
        return cls(name, value, root, len(reader.done), *reader.sizes[id(root)])

    def check_size(self) -> None:
        """Refuse what aliases repeat beyond all use: whoever looks at it walks through all of it.

        Reading is cheap, as what aliases share is one value.
        """
        if self.values > self.written + MOST_REPEATED or self.characters > MOST_IN_A_PLAN:
            problem = "written out, its aliases would be too much to read"
            raise InvalidSpec(problem, where=self.where(()))

    def where(self, place: Sequence[str | int]) -> str:
        """File, line, column and keys of a place, or of what is nearest above it."""
        node, mark, walked = self.root, self.root.start_mark, ""
        for part in place:
            found = _child(node, part)
            if found is None:
                break
            key, node = found
            mark = (key or node).start_mark
            walked += f".{key.value}" if key is not None else f"[{part}]"
        keys = f" ({walked.removeprefix('.')})" if walked else ""
        return f"{self.name}:{mark.line + 1}:{mark.column + 1}{keys}"


class _Reader:
    """Turns nodes into values; one for a document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: set[int] = set()
        self.done: dict[int, Any] = {}
        self.sizes: dict[int, tuple[int, int]] = {}

    def value(self, node: Any) -> Any:
        """The value of a node; nodes that aliases share are read once."""
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.open:
            self.refuse(node, "an alias leads back to what it is a part of")
        self.open.add(id(node))
        kind = node.id
        if kind == "mapping":
            made: Any = self.mapping(node)
        elif kind == "sequence":
            made = [self.value(one) for one in node.value]
        else:
            made = self.scalar(node)
        self.open.discard(id(node))
        self.done[id(node)] = made
        self.sizes[id(node)] = self.size(node)
        return made

    def size(self, node: Any) -> tuple[int, int]:
        """(values, characters) in a node whose parts were read, aliases written out."""
        if node.id == "scalar":
            return 1, len(node.value)
        pairs = node.value if node.id == "mapping" else [(None, part) for part in node.value]
        values, characters = 1, 0
        for key, part in pairs:
            inner = self.sizes[id(part)]
            values += inner[0]
            characters += inner[1] + (len(key.value) if key is not None else 0)
        return values, characters

    def mapping(self, node: Any) -> dict[str, Any]:
        """A mapping with texts as keys."""
        made: dict[str, Any] = {}
        for key, value in node.value:
            if key.id != "scalar":
                self.refuse(key, "a key has to be a text")
            name = _whole(key.value)
            if name in made:
                self.refuse(key, f"the key {name!r} appears twice")
            made[name] = self.value(value)
        return made

    def scalar(self, node: Any) -> Any:
        """A scalar by its tag."""
        text, tag = node.value, node.tag.removeprefix("tag:yaml.org,2002:")
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag == "int":
            if len(text) > LONGEST_NUMBER:
                self.refuse(node, f"a number of {len(text):,} digits is too long")
            return int(text)
        if tag == "float":
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        if tag != "str":
            self.refuse(node, f"the tag {node.tag!r} is not read in a plan")
        return _whole(text)

    def refuse(self, node: Any, problem: str) -> None:
        """Raise `InvalidSpec` at a node."""
        mark = node.start_mark
        raise InvalidSpec(problem, where=f"{self.name}:{mark.line + 1}:{mark.column + 1}")


def _whole(text: str) -> str:
    """Joins the halves of characters that JSON escapes one by one; PyYAML leaves them apart."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _child(node: Any, part: str | int) -> tuple[Any, Any] | None:
    """(key or None, value) of a part of a node; an int also counts the values of a mapping."""
    if node.id == "sequence" and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    if node.id == "mapping" and isinstance(part, int) and part < len(node.value):
        key, value = node.value[part]
        return key, value
    if node.id == "mapping":
        return next(((key, value) for key, value in node.value if key.value == part), None)
    return None


@cache
def _loader() -> tuple[Any, Any]:
    """PyYAML's loader with the types of YAML 1.2, and its class of errors."""
    try:
        import yaml
    except ImportError:
        raise MissingPackage("pyyaml", "reading a plan from YAML", install=INSTALL) from None
    import re

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own attribute

        def fetch_flow_collection_start(self, kind: Any) -> None:
            """Refuses brackets in brackets early: the time grows with the square of their depth."""
            if self.flow_level >= DEEPEST:
                raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=self.get_mark())
            super().fetch_flow_collection_start(kind)

    for tag, (pattern, first) in TYPES.items():
        Loader.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), first
        )
    return Loader, yaml.YAMLError
