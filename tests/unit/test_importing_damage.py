"""Files of other tools with something else in some place: read or refused, never a crash."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from constrained.consistency.importing import (
    Imported,
    read_deepeval,
    read_inspect,
    read_jsonl,
    read_lm_eval,
    read_promptfoo,
)
from constrained.consistency.store import Store
from constrained.errors import RecordError

LOGS = Path(__file__).parents[1] / "data" / "imports"
JUNK: list[Any] = [None, True, -1, 7.5, 10**400, "", "x", "é\ud800", [], [None], {}, {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a nested value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if path else []
    for key, part in inner:
        found += places(part, (*path, key)) if isinstance(part, (dict, list)) else [(*path, key)]
    return found


def damaged(value: Any, chance: random.Random) -> Any:
    """A copy with junk in one to three places, or something left out."""
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice(places(value))
        target = value
        for key in way:
            target = target[key]
        if isinstance(target, dict) and chance.random() < 0.3:
            del target[last]
        else:
            target[last] = copy.deepcopy(chance.choice(JUNK))
    return value


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


CASES: dict[str, tuple[Any, str, Callable[..., Imported]]] = {
    "inspect": (
        json.loads((LOGS / "inspect" / "short.json").read_text("utf-8")),
        "x.json",
        lambda path: read_inspect(path, gold="target"),
    ),
    "promptfoo": (
        json.loads((LOGS / "promptfoo" / "results.json").read_text("utf-8")),
        "x.json",
        lambda path: read_promptfoo(path, gold="vars.gold"),
    ),
    "lm_eval": (
        lines_of(next((LOGS / "lm_eval").glob("samples_essays_plain_*"))),
        "x.jsonl",
        lambda path: read_lm_eval(path, gold="doc.gold"),
    ),
    "lm_eval texts": (
        lines_of(next((LOGS / "lm_eval").glob("samples_essays_written_*"))),
        "x.jsonl",
        lambda path: read_lm_eval(path),
    ),
    "deepeval": (
        json.loads((LOGS / "deepeval" / "strict.json").read_text("utf-8")),
        "x.json",
        lambda path: read_deepeval(path, gold="expectedOutput"),
    ),
    "table": (
        [{"item": f"e{n}", "prompt": "p", "score": n, "draw": n, "gold": 1} for n in range(3)],
        "x.jsonl",
        read_jsonl,
    ),
}


def outcome_of(read: Callable[..., Imported], path: Path) -> str:
    """The word read, or what was said against the file."""
    try:
        return "read" if read(path).records else "nothing"
    except RecordError as error:
        return str(error)


@pytest.mark.parametrize("name", CASES)
def test_damaged_files_are_read_or_refused(tmp_path, name):
    value, file, read = CASES[name]
    path = tmp_path / file
    outcomes = set()
    for seed in range(150):
        found = damaged(value, random.Random(seed))
        if isinstance(found, list):
            path.write_text("\n".join(map(json.dumps, found)), "utf-8")
        else:
            path.write_text(json.dumps(found), "utf-8")
        outcome = outcome_of(read, path)
        if outcome == "read" and seed % 10 == 0:
            records = read(path).records
            with Store(tmp_path / f"{seed}.db") as store:
                store.put(records)
                assert list(store.records()) == list(records)
        assert outcome == "read" or str(path) in outcome, seed
        outcomes.add(outcome)
    assert "read" in outcomes
