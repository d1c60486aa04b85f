"""`benchmarks/gpu.py` runs without a card, on a tiny shape, and says that there was none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_of_a_card_runs_on_a_tiny_shape():
    asked = "--shape tiny --layers 2 --device cpu --batches 1 3 --context 4 --tokens 4 --rounds 1"
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *asked.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("card: none (CPU); masks by torch; ")
    assert "model: tiny, random, 2 of 3 layers, bfloat16\n" in done.stdout
    assert (
        len(re.findall(r"^ +[13] .* \d+\.\d\d%  \(measured .*, scaled to 3\)$", done.stdout, re.M))
        == 2
    )
    for name in ("our loop, no constraint", "our loop ", "generate, LogitsMask"):
        assert len(re.findall(rf"^batch +[13]  {name} +\d+\.\d$", done.stdout, re.M)) == 2
