"""Write the 60 held-out essays: `essays.jsonl`, one JSON object per line.

    python examples/essay_scorer/make_essays.py

`id`, `text` (what is graded) and `gold` (the score that is known) are what a consistency plan
needs; `damage` says what was done to the essay. Topics and off-topic sentences are not those of
the training essays. The same seed writes the same file.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from rubric import FOLDER, essays

SEED = 2024
NUMBER = 60


def lines() -> list[str]:
    """The file's lines."""
    return [
        json.dumps(
            {
                "id": f"essay-{place:02}",
                "text": essay.text,
                "gold": essay.damage.score,
                "damage": asdict(essay.damage),
            }
        )
        for place, essay in enumerate(essays(SEED, NUMBER, "held_out"))
    ]


if __name__ == "__main__":
    (FOLDER / "essays.jsonl").write_text("".join(f"{line}\n" for line in lines()), encoding="utf-8")
