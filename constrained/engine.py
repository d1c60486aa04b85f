"""`Engine`: pure functions over integer states, for one grammar and one vocabulary."""

from __future__ import annotations
