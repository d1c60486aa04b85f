"""The fewest bytes that a node's texts have, as far as that is plain from the node."""

from __future__ import annotations

from constrained.grammar import (
    Alt,
    Bytes,
    Cat,
    Chars,
    Empty,
    Lexeme,
    Literal,
    Literals,
    Node,
    Ref,
    Repeat,
)

__all__ = ["least_bytes"]


def least_bytes(node: Node) -> int:
    """A number that no text of the node has fewer bytes than; exact without rules and `And`.

    The node must be a small one: what several nodes share is measured for each of them.

    >>> from constrained.grammar import alt, cat, literal
    >>> least_bytes(cat(literal("ab"), alt(literal("x"), literal("yz"))))
    3
    """
    if isinstance(node, Literal):
        return len(node.data)
    if isinstance(node, Literals):
        return min(len(option) for option in node.options)
    if isinstance(node, Cat):
        return sum(least_bytes(part) for part in node.parts)
    if isinstance(node, Alt):
        return min(least_bytes(part) for part in node.parts)
    if isinstance(node, Repeat):
        return node.least and node.least * least_bytes(node.body)
    if isinstance(node, Lexeme):
        return least_bytes(node.body)
    if isinstance(node, Chars):
        return len(chr(node.ranges[0][0]).encode("utf-8", "surrogatepass"))
    return int(isinstance(node, (Bytes, Ref)) and not isinstance(node, Empty))
