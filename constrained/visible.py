"""Characters that change how a page reads without being seen, as marks that are seen."""

from __future__ import annotations

__all__ = ["visible"]

BIDIRECTIONAL = {
    0x061C: "ALM",
    0x200E: "LRM",
    0x200F: "RLM",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
}
"""What turns the direction of a line, also of what follows a name; by its abbreviation."""

MARKS: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}"),
    **{code: f"[{name}]" for code, name in BIDIRECTIONAL.items()},
}
"""Control characters as their pictures, half a character as what replaces it."""


def visible(text: str) -> str:
    r"""`text` with marks for control characters and for those that turn its direction.

    >>> visible("essay\x00 \x1b[31m 7\u202e01")
    'essay\u2400 \u241b[31m 7[RLO]01'
    """
    return text if text.isascii() and text.isprintable() else text.translate(MARKS)
