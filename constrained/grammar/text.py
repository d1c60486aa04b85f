r"""The text form of a grammar: prints any grammar and reads it back as exactly the same value.

The first statement is the start, the others are rules; each ends with a semicolon::

    "[" (value ("," value)*)? "]" ;   # start
    value = @([1-9] [0-9]*) | {"no", "yes"} ;

From tightest to loosest:

====================  ==============================================================
``"text"``            `Literal`; ``\xNN`` is one byte; ``""`` is `Empty`
``{"no", "yes"}``     `Literals`
``%"text"``           `Substrings`: a piece of the text, cut between any two characters;
                      ``%{"one", " ", "two"}`` between these units only
``[a-z\u{e9}]``       `Chars`; ``.`` is any character, ``[]`` is `Nothing`
``<00-7f ff>``        `Bytes`, in hexadecimal
``name``              `Ref`; other names than identifiers stand in backquotes
``(x)``               a group
``x? x* x+``          `Repeat` 0 to 1, 0 or more, 1 or more
``x{3} x{3,} x{3,5}`` `Repeat` exactly 3, 3 or more, 3 to 5
``!x @x``             `Not`, `Lexeme` (``!x*`` is ``!(x*)``)
``x y``               `Cat`
``x & y``             `And`
``x | y``             `Alt`
====================  ==============================================================

Escapes: ``\n \r \t \\`` and the delimiter itself, ``\u{1f600}`` for a code point. ``#`` begins a
comment. Reading builds what is written, without normalising it.
"""

from __future__ import annotations

from constrained.grammar.printing import print_grammar, print_node
from constrained.grammar.reading import line_and_column, read_grammar

__all__ = ["line_and_column", "print_grammar", "print_node", "read_grammar"]
