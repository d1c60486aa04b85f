"""The names that a Jinja template reads from outside: its arguments, told from names of its own.

Jinja counts a name as read from outside where some path leads to it that does not set it. Templates
of chats set most of their names in branches (``{% if %}{% set content = ... %}{% endif %}``), and
nobody means such a one as an argument. Here a name is the template's own where some path sets it
before it is read, except for `PARAMETERS`, which are always arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["free_variables"]

OWN = frozenset({"caller", "kwargs", "loop", "self", "super", "varargs"})
"""Names that Jinja itself sets inside macros, loops and blocks."""

PARAMETERS = frozenset({"documents", "tools"})
"""Parameters of ``apply_chat_template``: arguments though a branch puts something else there
(``{% if custom_tools %}{% set tools = custom_tools %}{% endif %}``)."""


def free_variables(tree: Any, given: Iterable[str] = ()) -> frozenset[str]:
    """The names that a parsed template reads and that no path to there has set.

    `given` are set from the beginning, such as the globals of the environment. The body of a
    macro is looked at last: it runs when it is called, and then sees what was set before that.

    >>> from jinja2 import Environment
    >>> text = "{% if a %}{% set b = 1 %}{% endif %}{{ b }}{% set c = c or 2 %}{{ c }}"
    >>> sorted(free_variables(Environment().parse(text)))
    ['a', 'c']
    """
    scope = _Scope()
    known = {*OWN, *given}
    scope.read(tree.body, known)
    while scope.macros:
        macro = scope.macros.pop()
        scope.read(macro.defaults, known)
        scope.read(macro.body, known | {argument.name for argument in macro.args})
    return frozenset(scope.free)


class _Scope:
    """A walk in the order in which a template runs."""

    def __init__(self) -> None:
        self.free: set[str] = set()
        self.macros: list[Any] = []

    def read(self, nodes: Iterable[Any], known: set[str]) -> None:
        """Look at nodes one after the other; `known` gains what they set for those behind them."""
        for node in nodes:
            visit = getattr(self, f"_{type(node).__name__.lower()}", self._other)
            visit(node, known)

    def _other(self, node: Any, known: set[str]) -> None:
        self.read(node.iter_child_nodes(), known)

    def _name(self, node: Any, known: set[str]) -> None:
        if node.ctx == "load":
            if node.name not in known:
                self.free.add(node.name)
        else:
            known.add(node.name)

    def _assign(self, node: Any, known: set[str]) -> None:
        self.read([node.node, node.target], known)

    def _assignblock(self, node: Any, known: set[str]) -> None:
        self.read([node.filter] if node.filter is not None else [], known)
        self.read(node.body, {*known})
        self.read([node.target], known)

    def _if(self, node: Any, known: set[str]) -> None:
        branches = []
        for part in (node, *node.elif_):
            self.read([part.test], known)
            branches.append({*known})
            self.read(part.body, branches[-1])
        branches.append({*known})
        self.read(node.else_, branches[-1])
        sometimes, always = set.union(*branches), set.intersection(*branches)
        known |= sometimes - PARAMETERS | always

    def _for(self, node: Any, known: set[str]) -> None:
        self.read([node.iter], known)
        inside = {*known}
        self.read([node.target], inside)
        self.read([node.test] if node.test is not None else [], inside)
        self.read(node.body, inside)
        self.read(node.else_, {*known})

    def _with(self, node: Any, known: set[str]) -> None:
        self.read(node.values, known)
        inside = {*known}
        self.read([*node.targets, *node.body], inside)

    def _macro(self, node: Any, known: set[str]) -> None:
        known.add(node.name)
        self.macros.append(node)

    def _callblock(self, node: Any, known: set[str]) -> None:
        self.read([node.call, *node.defaults], known)
        self.read(node.body, known | {argument.name for argument in node.args})

    def _filterblock(self, node: Any, known: set[str]) -> None:
        self.read([node.filter], known)
        self.read(node.body, {*known})

    def _block(self, node: Any, known: set[str]) -> None:
        self.read(node.body, {*known})

    _scope = _scopedevalcontextmodifier = _overlayscope = _block
