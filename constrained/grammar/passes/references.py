"""Which rules a grammar names, has and needs."""

from __future__ import annotations

from constrained.errors import InvalidSpec
from constrained.grammar.nodes import Node, Ref
from constrained.grammar.passes.walk import children
from constrained.grammar.rules import Grammar

__all__ = ["check_references", "reachable_rules", "unused_rules"]

SHOWN = 12


def reachable_rules(grammar: Grammar) -> tuple[str, ...]:
    """Names of the rules that the start needs, in the order of their first use.

    Names without a rule are among them; rules that are not needed are never looked at.
    """
    return tuple(_first_uses(grammar))


def unused_rules(grammar: Grammar) -> tuple[str, ...]:
    """Names of the rules that the start does not need."""
    used = _first_uses(grammar)
    return tuple(name for name in grammar.rules if name not in used)


def check_references(grammar: Grammar) -> None:
    """Raise `InvalidSpec` when the start needs a rule that the grammar does not have.

    >>> from constrained.grammar import Grammar, Ref
    >>> check_references(Grammar(Ref("x"), {"y": Ref("y")}))
    Traceback (most recent call last):
    constrained.errors.InvalidSpec: there is no rule 'x', which the start needs (known rules: y)
    """
    for name, user in _first_uses(grammar).items():
        if name not in grammar.rules:
            needed_by = f"rule {user!r}" if user is not None else "the start"
            known = sorted(grammar.rules)
            more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
            raise InvalidSpec(
                f"there is no rule {name!r}, which {needed_by} needs",
                hint=f"known rules: {', '.join(known[:SHOWN]) or 'none'}{more}",
            )


def _first_uses(grammar: Grammar) -> dict[str, str | None]:
    """Each name that is needed, and the rule that first names it (None: the start)."""
    uses: dict[str, str | None] = {}
    seen: set[int] = set()
    stack: list[tuple[Node, str | None]] = [(grammar.start, None)]
    while stack:
        node, user = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        stack.extend((child, user) for child in reversed(children(node)))
        if isinstance(node, Ref) and node.name not in uses:
            uses[node.name] = user
            if node.name in grammar.rules:
                stack.append((grammar.rules[node.name], node.name))
    return uses
