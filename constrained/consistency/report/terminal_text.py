"""Pieces of text for a terminal: cleaned names, cut names, bars and lines of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

__all__ = ["BLOCKS", "bar", "clean", "short", "spark"]

BLOCKS = "▁▂▃▄▅▆▇█"


def clean(text: object) -> str:
    r"""`text` on one line, with everything that is not printable replaced.

    >>> clean("a" + chr(27) + "[31m").encode()
    b'a\xef\xbf\xbd[31m'
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def short(text: object, width: int) -> str:
    """`text` cut to `width` columns (wide characters count two).

    >>> short("a long name", 6)
    'a lon…'
    """
    whole = clean(text)
    return whole if cell_len(whole) <= width else set_cell_size(whole, width - 1) + "…"


def bar(share: float, width: int) -> str:
    """A horizontal bar in eighths of a column; a share of 1 fills `width` columns.

    >>> bar(0.5, 4)
    '██  '
    """
    if math.isnan(share):
        return "·" * width
    eighths = round(8 * width * min(max(share, 0.0), 1.0))
    whole, rest = divmod(eighths, 8)
    part = " ▏▎▍▌▋▊▉"[rest] if rest else ""
    return ("█" * whole + part).ljust(width)


def spark(values: Sequence[float]) -> str:
    """A line of blocks, the highest value a full one; a dot where there is none.

    >>> spark([0.0, 0.5, 1.0])
    '▁▅█'
    """
    known = [v for v in values if not math.isnan(v)]
    top = max(known, default=0.0) or 1.0
    return "".join("·" if math.isnan(v) else BLOCKS[round(7 * max(v, 0.0) / top)] for v in values)
