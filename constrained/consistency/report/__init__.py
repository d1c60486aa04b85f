"""An analysis as people see it: one HTML file, and a page for the terminal."""

from constrained.consistency.report.html import to_html, write_html
from constrained.consistency.report.terminal import to_terminal

__all__ = ["to_html", "to_terminal", "write_html"]
