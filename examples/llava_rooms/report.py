"""Import LLaVA's published judgements and report how far the rooms agree.

python examples/llava_rooms/report.py [folder for the store and the HTML report]
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from constrained.consistency.analysis import Analysis, analyse
from constrained.consistency.importing import import_scores, read_csv
from constrained.consistency.report import to_terminal, write_html

ROOMS = ("bard", "gpt35", "alpaca", "llama")
SCALE = [points / 2 for points in range(2, 21)]
TABLE = Path(__file__).with_name("rooms.csv")


def report(folder: Path) -> Analysis:
    """Import the table into a store in `folder` and write the HTML report beside it."""
    imported = read_csv(TABLE, columns={"item": "question"}, rooms=ROOMS, scale=SCALE)
    import_scores(folder / "llava_rooms.db", imported, name="LLaVA: four rooms", pass_mark=8)
    analysis = analyse(folder / "llava_rooms.db", noun="answer")
    write_html(folder / "llava_rooms.html", analysis)
    return analysis


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    console = Console()
    console.print(to_terminal(report(target)))
    console.print(f"The whole report: {target / 'llava_rooms.html'}", style="dim")
