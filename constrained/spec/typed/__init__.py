"""The JSON Schema that means exactly what a Python type reads.

pydantic's own says less than its types: bounds of dates, kinds of keys, where a tag must stand,
what a URL is. Here the *core schema* is read, which is what validation runs::

    walk          pydantic's walk over a core schema: kinds, declarations, code, where a field is
    kinds         the table of kinds: scalars, containers, classes, and those that lead to others
    code          functions in core schemas that are known; declared: two schemas put together
    objects       fields, their aliases and paths, as members of an object
    strings       lengths, transformations and patterns, as the regex engine of pydantic reads them
    numbers       int, float, Decimal, Fraction and complex, as numbers and as texts
    temporal      dates, times and durations within bounds
    formats       the texts of types that pydantic names by a `format`
    ranges        regular expressions of numerals within bounds
    msgspec_types Structs and what msgspec reads; attrs_types: attrs classes, for pydantic

A kind is said exactly, narrowed (all that may be written is read, but not all that is read may be
written), or refused with `UnsupportedSpec`. What a validator's own code does stays outside.
"""
