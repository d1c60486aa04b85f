"""An analysis as people see it: one HTML file, and a page for the terminal."""

from constrained.consistency.report.html import to_html, write_html

__all__ = ["to_html", "write_html"]
