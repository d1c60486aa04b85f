"""What a report and a gate will need, asked for before anything is scored."""

from __future__ import annotations

from importlib.util import find_spec

from constrained.errors import MissingPackage
from constrained.packages import remedy

__all__ = ["check_needs"]

NEEDS = {"scipy": "the report of a run", "jinja2": "the HTML report of a run"}


def check_needs() -> None:
    """Raise `MissingPackage` when a report of what is scored now could not be made here.

    >>> check_needs()
    """
    for package, doing in NEEDS.items():
        if find_spec(package) is None:
            raise MissingPackage(package, doing, install=remedy("consistency"))
