"""THE intermediate representation: what every spec compiles to and the engine runs.

A grammar is a start node and a table of named rules. Nodes are values that never change; each
denotes a set of byte strings:

==================  ===========================================================================
`Nothing()`         the empty set: no output at all
`Empty()`           the empty string
`Literal(data)`     one non-empty byte string
`Literals(options)` a finite set of byte strings (a choice of many texts, compiled to a trie)
`Substrings(d, c)`  a piece of one text that is not empty, between any two of its cuts
`Chars(ranges)`     one Unicode scalar value from the ranges, in UTF-8
`Bytes(ranges)`     one byte from the ranges
`Cat(parts)`        concatenation
`Alt(parts)`        union
`Repeat(b, n, m)`   n to m copies of b (m None: no upper bound)
`Ref(name)`         the rule of that name; rules may be recursive
`And(parts)`        intersection; parts must be regular (no recursive rule below them)
`Not(body)`         complement within all byte strings; body must be regular
`Lexeme(body)`      the same set as body; marks a piece (a string, a number) whose masks are worth
                    sharing between all the places and grammars it appears in
==================  ===========================================================================

Front ends build nodes with the functions of `constrained.grammar.build` (`literal`, `cat`, `alt`,
...), which normalise: nested `Cat` flatten, `Nothing` propagates, adjacent literals join.
`constrained.grammar.text` prints and reads the text form; `constrained.grammar.passes` holds the
named passes (left recursion, alphabets, analyses).
"""

from constrained.grammar.build import (
    ANY_BYTE,
    ANY_CHAR,
    EMPTY,
    NOTHING,
    alt,
    byte_class,
    cat,
    char_class,
    complement,
    followed,
    intersect,
    lexeme,
    literal,
    literals,
    minus,
    optional,
    repeat,
    substrings,
)
from constrained.grammar.nodes import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Ref,
    Repeat,
    Substrings,
)
from constrained.grammar.rules import Grammar, LaterRules

__all__ = [
    "ANY_BYTE",
    "ANY_CHAR",
    "EMPTY",
    "NOTHING",
    "Alt",
    "And",
    "Bytes",
    "Cat",
    "Chars",
    "Empty",
    "Grammar",
    "LaterRules",
    "Lexeme",
    "Literal",
    "Literals",
    "Node",
    "Not",
    "Nothing",
    "Ref",
    "Repeat",
    "Substrings",
    "alt",
    "byte_class",
    "cat",
    "char_class",
    "complement",
    "followed",
    "intersect",
    "lexeme",
    "literal",
    "literals",
    "minus",
    "optional",
    "repeat",
    "substrings",
]
