"""Reads Lark's EBNF: rules and terminals, directives, templates."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from constrained.errors import InvalidSpec, SpecError, UnsupportedSpec
from constrained.grammar import (
    ANY_CHAR,
    Grammar,
    Lexeme,
    Node,
    Ref,
    Repeat,
    alt,
    cat,
    lexeme,
    literal,
    minus,
    repeat,
)
from constrained.grammar.passes import reachable_rules
from constrained.grammar.passes.walk import Memo, fold, rebuilt, walk
from constrained.grammar.text import line_and_column, print_node
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.cfg.expression import Token, fail, known_names
from constrained.spec.cfg.lark_body import IGNORE, Body
from constrained.spec.cfg.lark_tokens import Definition, is_terminal, scan, shown
from constrained.spec.cfg.terminals import COMMON, pattern_terminal

__all__ = ["Lark", "read_lark"]

MAX_INSTANCES = 1000
ATTRIBUTE_KINDS = ("name", "number", "string", "regexp", "json")


def read_lark(text: str, start: str, limits: Limits = DEFAULT_LIMITS) -> Grammar:
    """The grammar that `text` writes down; `start` is the rule to begin with.

    `limits` hold for each regular expression and embedded schema. Raises `InvalidSpec` and
    `UnsupportedSpec`, with line:column.

    >>> read_lark('start: "a"+', "start").rules["start"]
    Repeat(body=Literal(data=b'a'), least=1, most=None)
    """
    return Lark(text, limits).grammar(start)


class Lark:
    """One grammar's text while it is read."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.text = text
        self.limits = limits
        self.tokens = scan(text)
        self.definitions: dict[str, Definition] = {}
        self.rules: dict[str, Node] = {}
        self.ignored: list[tuple[Token, ...]] = []
        self.instances: dict[str, tuple[Definition, dict[str, Node]]] = {}
        self.pending: list[str] = []
        self.index = 0

    def grammar(self, start: str) -> Grammar:
        """The whole grammar, from its first statement on."""
        while self.token.kind != "end":
            self.statement()
        if start not in self.definitions and start not in self.rules:
            raise InvalidSpec(
                f"there is no rule {start!r} to start with",
                hint=f"known rules: {known_names(self.known())}; or pass start=...",
            )
        if start in self.definitions and self.definitions[start].parameters:
            raise InvalidSpec(f"the template {start!r} cannot be the start")
        for name, definition in self.definitions.items():
            if not definition.parameters:
                node = self.expression(definition, MappingProxyType({}))
                self.rules[name] = lexeme(node) if is_terminal(name) else node
        while self.pending:
            name = self.pending.pop()
            self.rules[name] = self.expression(*self.instances[name])
        self.check_terminals()
        if not self.ignored:
            return Grammar(Ref(start), self.rules)
        self.rules[IGNORE] = self.ignore()
        return Grammar(cat(Ref(IGNORE), Ref(start)), self.rules)

    # --- statements -------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.index]

    def take(self, *expected: str) -> Token:
        """The next token, which must be of one of these kinds or texts if any are given."""
        token = self.token
        if expected and token.kind not in expected and token.text not in expected:
            raise self.fail(token, f"expected {' or '.join(expected)}, not {shown(token)}")
        self.index += token.kind != "end"
        return token

    def fail(self, token: Token, problem: str, hint: str = "") -> InvalidSpec:
        """The error for a mistake at a token."""
        return fail(self.text, token.offset, problem, hint)

    def refuse(self, token: Token, problem: str, hint: str, feature: str = "") -> UnsupportedSpec:
        """The error for what cannot be enforced."""
        where = line_and_column(self.text, token.offset)
        return UnsupportedSpec(feature or token.text, problem, where=where, hint=hint)

    def statement(self) -> None:
        """One definition or directive."""
        if self.token.kind == "directive" and self.token.first:
            self.directive(self.take())
            return
        if self.header(self.index) is None:
            raise self.fail(
                self.token,
                f"expected a definition, not {shown(self.token)}",
                "rules are `name: ...`, terminals `NAME: ...`, each on a line of its own",
            )
        while self.token.text in ("?", "!"):
            self.take()
        name = self.take("name")
        self.check_name(name)
        parameters = self.parameters() if self.token.text == "{" else ()
        if parameters and is_terminal(name.text):
            raise self.fail(name, "a template is a rule: its name is lower case")
        if self.token.text == ".":  # a priority chooses between parses of the same text
            self.take()
            self.take("number")
        lazy, suffix = self.attributes() if self.token.text == "[" else (False, None)
        self.take(":")
        self.definitions[name.text] = Definition(name, parameters, self.body(), lazy, suffix)

    def header(self, index: int) -> int | None:
        """The index after the colon of the definition that begins at `index`; None if none does."""
        if not self.tokens[index].first:
            return None
        while self.tokens[index].text in ("?", "!"):
            index += 1
        if self.tokens[index].kind != "name":
            return None
        index += 1
        if self.tokens[index].text == "{":
            while self.tokens[index].text == "," or self.tokens[index].kind in ("name", "mark"):
                index += 1
                if self.tokens[index - 1].text == "}":
                    break
        if self.tokens[index].text == "." and self.tokens[index + 1].kind == "number":
            index += 2
        if self.tokens[index].text == "[":
            index += 1
            while self.tokens[index].kind in ATTRIBUTE_KINDS or self.tokens[index].text in "=,.":
                if self.tokens[index].kind == "end":
                    return None
                index += 1
            index += self.tokens[index].text == "]"
        return index + 1 if self.tokens[index].text == ":" else None

    def attributes(self) -> tuple[bool, Token | None]:
        """What stands in brackets after a name: whether it is lazy, and its suffix.

        A capture names a part of the text and changes no language.
        """
        lazy, suffix = False, None
        self.take("[")
        while True:
            name = self.take("name")
            value = None
            if self.token.text == "=":
                self.take()
                value = self.take(*ATTRIBUTE_KINDS)
            if name.text == "lazy" and value is None:
                lazy = True
            elif name.text == "suffix" and value is not None and value.kind == "string":
                suffix = value
            elif name.text != "capture":
                raise self.refuse(
                    name,
                    f"the attribute {name.text} cannot be enforced so",
                    'use lazy, suffix="text" or capture, or leave it out',
                    f"attribute {name.text}",
                )
            if self.take(",", "]").text == "]":
                return lazy, suffix

    def body(self) -> tuple[Token, ...]:
        """The tokens up to the next statement."""
        begin = self.index
        while self.token.kind != "end":
            directive = self.token.kind == "directive" and self.token.first
            if directive or self.header(self.index) is not None:
                break
            self.index += 1
        return tuple(self.tokens[begin : self.index])

    def parameters(self) -> tuple[str, ...]:
        """The parameters of a template."""
        names = []
        self.take("{")
        while True:
            names.append(self.take("name").text)
            if self.take(",", "}").text == "}":
                return tuple(names)

    def check_name(self, name: Token) -> None:
        """Raise unless a new definition can have this name."""
        upper = is_terminal(name.text)
        if name.text != (name.text.upper() if upper else name.text.lower()):
            raise self.fail(name, f"{name.text} is neither upper case (terminal) nor lower (rule)")
        if name.text in self.definitions or name.text in self.rules:
            raise self.fail(name, f"{name.text} is defined twice")

    def directive(self, token: Token) -> None:
        """What a directive says."""
        match token.text:
            case "%ignore":
                body = self.body()
                if not body:
                    raise self.fail(token, "%ignore needs a terminal")
                self.ignored.append(body)
            case "%import":
                self.imports()
            case "%llguidance" if token.value == {}:
                pass
            case "%llguidance":
                raise self.refuse(
                    token, "its options are not enforced here", "write %llguidance {}"
                )
            case "%declare" | "%override" | "%extend":
                raise self.refuse(
                    token,
                    f"{token.text} changes a grammar from outside of it",
                    "define the terminal or rule here",
                )
            case _:
                raise self.refuse(
                    token,
                    f"{token.text} is not a directive that can be enforced",
                    "use %ignore, %import common.NAME or %json {...}",
                )

    def imports(self) -> None:
        """Terminals of the library `common`."""
        path = [self.take()]
        while self.token.text in (".", "..") or path[-1].text == "." != self.token.text != "(":
            path.append(self.take())
        names = [path[-1]]
        library = path[0].text
        if self.token.text == "(":
            names = []
            while self.take("(", ",", ")").text != ")":
                names.append(self.take("name"))
        elif len(path) != 3:
            library = "".join(token.text for token in path)
        if library != "common":
            where = line_and_column(self.text, path[0].offset)
            raise UnsupportedSpec(
                "%import",
                f"only the library `common` can be imported from, not {library}",
                where=where,
                hint="define the terminal here",
            )
        for name in names:
            if name.text not in COMMON:
                raise self.fail(
                    name, f"`common` has no {name.text}", f"it has {known_names(COMMON, 40)}"
                )
            alias = name
            if self.token.text == "->":
                self.take()
                alias = self.take("name")
            self.check_name(alias)
            self.rules[alias.text] = pattern_terminal(COMMON[name.text], "", "common")

    # --- meaning ----------------------------------------------------------------------------------

    def known(self) -> list[str]:
        """All names that a definition can use."""
        return [*self.definitions, *(name for name in self.rules if name != IGNORE)]

    def ignore(self) -> Node:
        """Any number of ignored terminals; ``(x+)*`` is written ``x*``."""
        options = []
        for body in self.ignored:
            terminal = Token("name", "IGNORED", body[0].offset)
            node = self.expression(Definition(terminal, (), body), MappingProxyType({}))
            inner: Node = node
            while isinstance(inner, (Lexeme, Ref)):
                inner = inner.body if isinstance(inner, Lexeme) else self.rules[inner.name]
            plus = isinstance(inner, Repeat) and inner.least <= 1 and inner.most is None
            options.append(inner.body if plus and isinstance(inner, Repeat) else node)
        return lexeme(repeat(alt(*options)))

    def check_terminals(self) -> None:
        """Terminals are made of terminals, and of themselves never."""
        for name, definition in self.definitions.items():
            if is_terminal(name) and any(
                isinstance(node, Ref) and node.name == name
                for node in walk([self.rules[name]], self.rules)
            ):
                raise self.fail(
                    definition.name, f"the terminal {name} contains itself", "write it as a rule"
                )

    def expression(self, definition: Definition, scope: Mapping[str, Node]) -> Node:
        """The node of a definition; `scope` has the arguments of a template."""
        body = Body(self, definition, scope)
        node = body.node()
        if definition.suffix is not None:
            node = cat(node, literal(body.text_of(definition.suffix)))
        if definition.lazy or definition.suffix is not None:
            node = lexeme(minus(node, cat(node, repeat(ANY_CHAR, 1))))
            if self.ignored and not is_terminal(definition.name.text):
                node = cat(node, Ref(IGNORE))
        return node

    def instance(self, name: Token, arguments: list[Node]) -> Node:
        """The rule that a template becomes with these arguments."""
        definition = self.definitions.get(name.text)
        if definition is None or not definition.parameters:
            raise self.fail(name, f"there is no template {name.text}")
        if len(arguments) != len(definition.parameters):
            raise self.fail(
                name,
                f"the template {name.text} takes {len(definition.parameters)} arguments,"
                f" not {len(arguments)}",
            )
        key = f"{name.text}{{{', '.join(map(print_node, arguments))}}}"
        if key not in self.instances:
            if len(self.instances) >= MAX_INSTANCES:
                problem = f"the template {name.text} takes over {MAX_INSTANCES} different arguments"
                raise self.fail(name, problem, "a template must not need itself with larger ones")
            scope = dict(zip(definition.parameters, arguments, strict=True))
            self.instances[key] = definition, scope
            self.pending.append(key)
        return Ref(key)

    def schema(self, token: Token) -> Node:
        """JSON that satisfies an embedded schema."""
        from constrained.spec.json_schema import schema_grammar

        if isinstance(token.value, dict) and token.value.get("x-guidance"):
            raise self.refuse(
                token,
                "options of how JSON is written are not enforced here",
                "leave x-guidance out",
                "x-guidance",
            )
        where = line_and_column(self.text, token.offset)
        try:
            grammar = schema_grammar(token.value, limits=self.limits)  # type: ignore[arg-type]
        except SpecError as error:
            raise _placed(error, where) from None
        memo: Memo[Node] = {}

        def rename(node: Node, below: list[Node]) -> Node:
            return Ref(f"{where} {node.name}") if isinstance(node, Ref) else rebuilt(node, below)

        for name in reachable_rules(grammar):
            self.rules[f"{where} {name}"] = fold(grammar.rules[name], rename, memo)
        return fold(grammar.start, rename, memo)


def _placed(error: SpecError, where: str) -> SpecError:
    """The same error, with the place of the schema before the place inside of it."""
    place = f"{where} {error.where}".rstrip()
    if isinstance(error, UnsupportedSpec):
        return UnsupportedSpec(error.feature, error.problem, where=place, hint=error.hint)
    return type(error)(error.problem, where=place, hint=error.hint)
