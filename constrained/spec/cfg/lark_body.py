"""Reads the body of one definition in Lark's notation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from constrained.errors import InvalidSpec
from constrained.grammar import Node, Ref, cat, char_class, literal, optional
from constrained.grammar.text import line_and_column
from constrained.spec.cfg.expression import Builder, Token, characters, known_names
from constrained.spec.cfg.lark_tokens import Definition, is_terminal, shown
from constrained.spec.cfg.terminals import pattern_terminal, text_ignoring_case
from constrained.spec.substring import Unit, pieces

if TYPE_CHECKING:
    from constrained.spec.cfg.lark import Lark

__all__ = ["IGNORE", "Body"]

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "\\": "\\", '"': '"', "'": "'", "/": "/"}
SUBSTRINGS: dict[object, Unit] = {
    "substring_words": "words",
    "substring_chars": "characters",
    "substring_chunks": "characters",
}
"""What ``%regex`` may ask for: pieces of a text; the chunks are a list of its units."""

IGNORE = "%ignore"
"""The rule of what may stand after every terminal; no name of Lark's begins with %."""


class Body:
    """Reads one body. In a rule, what is ignored may follow every terminal; in a terminal, not."""

    def __init__(self, lark: Lark, definition: Definition, scope: Mapping[str, Node]) -> None:
        self.lark = lark
        self.scope = scope
        ends_itself = definition.lazy or definition.suffix is not None
        self.in_terminal = ends_itself or is_terminal(definition.name.text)
        end = definition.body[-1].offset if definition.body else definition.name.offset
        self.tokens = [*definition.body, Token("end", "", end)]
        self.index = 0
        self.builder = Builder(lark.text, definition.name)

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.index]

    def take(self) -> Token:
        """The next token, and on to the one after it."""
        token = self.token
        self.index += token.kind != "end"
        return token

    def node(self) -> Node:
        """The node that the body denotes."""
        while self.token.kind != "end":
            self.read(self.take())
        return self.builder.finish()

    def read(self, token: Token) -> None:
        """Add what `token` begins to the expression."""
        builder = self.builder
        match token.text if token.kind == "mark" else "":
            case "(" | "[":
                builder.open(token)
            case ")":
                builder.part(builder.close(token, "(").node())
            case "]":
                builder.part(optional(builder.close(token, "[").node()))
            case "|":
                builder.check_complement()
                builder.group.end_alternative()
            case "?":
                builder.repeat(token, 0, 1)
            case "*":
                builder.repeat(token, 0, None)
            case "+":
                builder.repeat(token, 1, None)
            case "&" if self.in_terminal:
                builder.check_complement()
                builder.group.end_conjunct()
            case "&":
                raise self.lark.fail(
                    token, "& stands between parts of a terminal", "write NAME: ... & ..."
                )
            case "~" if self.in_terminal and self.token.kind != "number":
                builder.complement(token)
            case "~":
                self.counted(token)
            case "->":
                self.alias(token)
            case "," if builder.nested and builder.group.opened.text == "{":
                builder.group.arguments.append(builder.group.node())
            case "{":
                self.braces(token)
            case "}":
                group = builder.close(token, "{")
                arguments = [*group.arguments, group.node()]
                name: Token = group.opened.value  # type: ignore[assignment]
                builder.part(self.lark.instance(name, arguments))
            case _ if token.kind == "name" and self.token.text == "{" and not self.counts():
                builder.open(replace(self.take(), value=token))
            case _:
                builder.part(self.atom(token))

    def counted(self, token: Token) -> None:
        """The count after a ``~``."""
        least = self.number()
        if self.token.text != "..":
            self.builder.repeat(token, least, least)
            return
        self.take()
        self.builder.repeat(token, least, self.number())

    def counts(self) -> bool:
        """Whether the next brace holds a count and no arguments."""
        inside = self.tokens[self.index + 1]
        return inside.kind == "number" or inside.text == ","

    def braces(self, token: Token) -> None:
        """``{n}``, ``{n,}``, ``{,m}`` or ``{n,m}``, of which the brace is taken."""
        least = 0 if self.token.text == "," else self.number()
        most: int | None = least
        if self.token.text == ",":
            self.take()
            most = None if self.token.text == "}" else self.number()
        end = self.take()
        if end.text != "}":
            raise self.lark.fail(end, f"expected }}, not {shown(end)}", "write x{2} or x{1,3}")
        self.builder.repeat(token, least, most)

    def number(self) -> int:
        """The number that must come next."""
        token = self.take()
        if token.kind != "number" or token.text.startswith("-"):
            raise self.lark.fail(
                token,
                f"expected a number, not {shown(token)}",
                "write x~2 or x~1..3; a complement (~x) stands in a terminal",
            )
        return int(token.text)

    def alias(self, token: Token) -> None:
        """``-> name`` names a node of a parse tree, which is not what a spec gives."""
        name = self.take()
        ends = self.token.kind == "end" or self.token.text == "|"
        if self.in_terminal or self.builder.nested or name.kind != "name" or not ends:
            raise self.lark.fail(token, "an alias (-> name) ends an alternative of a rule")

    def atom(self, token: Token) -> Node:
        """A part that is no operator."""
        match token.kind:
            case "string":
                return self.terminal(self.string(token))
            case "regexp":
                return self.terminal(self.regexp(token))
            case "name":
                return self.reference(token)
            case "json" if not self.in_terminal:
                return self.terminal(self.lark.schema(token))
            case "substrings":
                return self.terminal(self.substrings(token))
            case "token":
                raise self.lark.refuse(
                    token,
                    f"{token.text} stands for a token, not for text",
                    "write the text of the token",
                    "token literals",
                )
            case "grammar":
                raise self.lark.refuse(
                    token,
                    f"{token.text} is a grammar from outside of this one",
                    "write its rules in this grammar",
                    "sub-grammars",
                )
            case "directive":
                self.lark.directive(token)
        raise self.lark.fail(token, f"unexpected {shown(token)}")

    def terminal(self, node: Node) -> Node:
        """In a rule, a terminal and what is ignored after it."""
        return cat(node, Ref(IGNORE)) if self.lark.ignored and not self.in_terminal else node

    def reference(self, token: Token) -> Node:
        """A name: an argument of a template, a terminal or a rule."""
        name = token.text
        if name in self.scope:
            return self.scope[name]
        definition = self.lark.definitions.get(name)
        if definition is None and name not in self.lark.rules:
            known = known_names(self.lark.known())
            raise self.lark.fail(token, f"{name} is not defined", f"known names: {known}")
        if definition is not None and definition.parameters:
            count = len(definition.parameters)
            raise self.lark.fail(token, f"the template {name} needs its {count} arguments")
        if is_terminal(name):
            return self.terminal(Ref(name))
        if self.in_terminal:
            raise self.lark.fail(token, f"a terminal cannot be made of the rule {name}")
        return Ref(name)

    def string(self, token: Token) -> Node:
        """A text, or a range of characters."""
        text = self.text_of(token)
        if self.token.text != "..":
            if not token.text.endswith("i"):
                return literal(text)
            return text_ignoring_case(text, line_and_column(self.lark.text, token.offset))
        self.take()
        last = self.take()
        high = self.text_of(last) if last.kind == "string" else ""
        single = len(text) == len(high) == 1 and token.text[-1] == last.text[-1] == '"'
        if not single or high < text:
            raise self.lark.fail(token, "a range is one character, .. and a later one")
        return char_class((ord(text), ord(high)))

    def substrings(self, token: Token) -> Node:
        """A piece of a text, or none of it."""
        asked = token.value if isinstance(token.value, dict) else {}
        name, text = next(iter(asked.items()), ("", ""))
        if len(asked) != 1 or name not in SUBSTRINGS:
            known = ", ".join(map(repr, SUBSTRINGS))
            problem = "only the pieces of a text can be written so"
            raise self.lark.refuse(token, problem, f"one of {known} with its text", "%regex")
        kind = list if name == "substring_chunks" else str
        if not isinstance(text, kind):
            wanted = "a text" if kind is str else "a list of texts"
            raise self.lark.fail(token, f"{name} takes {wanted}")
        try:
            return optional(pieces(text, SUBSTRINGS[name]))
        except InvalidSpec as error:
            raise self.lark.fail(token, f"{name}: {error.problem}") from None

    def text_of(self, token: Token) -> str:
        """What a string token writes."""
        body = token.text[1 : token.text.rindex('"')]
        return "".join(char for char, _ in characters(self.lark.text, token, body, ESCAPES))

    def regexp(self, token: Token) -> Node:
        """A regular expression."""
        pattern, _, flags = token.text[1:].rpartition("/")
        wrong = [flag for flag in flags if flag not in "imslux"]
        if wrong:
            raise self.lark.fail(token, f"unknown flag {wrong[0]} of a regular expression")
        where = line_and_column(self.lark.text, token.offset)
        return pattern_terminal(pattern.replace("\\/", "/"), flags, where, self.lark.limits)
