"""Does a report of a million cells take under 60 seconds and 2 GiB?

    python benchmarks/report_scale.py --items 10000 --prompts 100
    python benchmarks/report_scale.py --items 10000 --prompts 100 --draws 3

Fills a store with synthetic cells on 11 scores (not timed as part of the report), then opens it in
a new process, analyses it with bootstrap intervals, gold scores and a pass mark, and writes the
report as Markdown, JSON without cells, and HTML. Prints that process's seconds and most memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from constrained.consistency.analysis import analyse
from constrained.consistency.records import Address, CellRecord, Draw
from constrained.consistency.report import to_html, to_json, to_markdown
from constrained.consistency.store import Store

SCALE = tuple(map(float, range(11)))
BATCH = 20_000
ITEM, PROMPT, BOTH = 2.0, 0.6, 0.6
"""Standard deviations of the planted effects, points."""


def cells(items: int, prompts: int, draws: int) -> Iterator[CellRecord]:
    rng = np.random.default_rng(0)
    severity = rng.normal(0, PROMPT, prompts)
    scores = np.arange(11)
    for i in range(items):
        centre = rng.normal(5, ITEM) + severity + rng.normal(0, BOTH, prompts)
        p = np.exp(-((scores - centre[:, None]) ** 2) / 1.5)
        p /= p.sum(axis=-1, keepdims=True)
        drawn = (rng.random((prompts, draws, 1)) > p.cumsum(axis=-1)[:, None]).sum(axis=-1)
        for j in range(prompts):
            address, key = Address(f"essay {i:06}", f"prompt {j:04}"), f"{i}-{j}"
            if draws:
                given = tuple(Draw(s, float(v)) for s, v in enumerate(drawn[j].tolist()))
                yield CellRecord(key, address, "sampled", SCALE, draws=given)
            else:
                yield CellRecord(key, address, "exact", SCALE, tuple(p[j].tolist()))


def fill(path: Path, items: int, prompts: int, draws: int) -> None:
    with Store(path) as store:
        batch = []
        for record in cells(items, prompts, draws):
            batch.append(record)
            if len(batch) == BATCH:
                store.put(batch)
                batch = []
        store.put(batch)


def report(path: Path) -> None:
    start, busy = time.perf_counter(), time.process_time()
    gold = {f"essay {i:06}": float(i % 11) for i in range(1_000_000)}
    found = analyse(path, pass_mark=6, gold=gold, gates={"max_sem": 1.5, "max_flip_rate": 0.2})
    analysed = time.perf_counter()
    sizes = {
        "Markdown": len(to_markdown(found)),
        "JSON": len(to_json(found, cells=False)),
        "HTML": len(to_html(found)),
    }
    written = time.perf_counter()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(found.judges[0].summary.sentence)
    print(
        f"{found.judges[0].quality.present:,} cells: read and analysed in "
        f"{analysed - start:.1f} s, written in {written - analysed:.1f} s "
        f"({time.process_time() - busy:.1f} s of processor), {most:.2f} GiB at most"
    )
    print(", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--draws", type=int, default=0, help="0: exact cells")
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.report:
        report(given.report)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.db"
        start = time.perf_counter()
        fill(path, given.items, given.prompts, given.draws)
        size = path.stat().st_size / 1e6
        print(f"stored in {time.perf_counter() - start:.1f} s, {size:.0f} MB", flush=True)
        subprocess.run([sys.executable, __file__, "--report", str(path)], check=True)


if __name__ == "__main__":
    main()
