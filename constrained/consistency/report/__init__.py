"""An analysis as people see it: HTML in one file, the terminal, Markdown; and JSON for programs."""

from constrained.consistency.report.html import to_html, write_html
from constrained.consistency.report.json import from_json, to_json
from constrained.consistency.report.markdown import comparison_to_markdown, to_markdown
from constrained.consistency.report.terminal import to_terminal

__all__ = [
    "comparison_to_markdown",
    "from_json",
    "to_html",
    "to_json",
    "to_markdown",
    "to_terminal",
    "write_html",
]
