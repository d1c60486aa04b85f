"""Whatever stands in a file of scores, and whatever a file is: read, or refused within bounds."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from constrained.consistency.importing import imported_plan, read_inspect, read_lm_eval, read_scores
from constrained.consistency.importing.archives import read_members
from constrained.errors import ConstrainedError, MissingPackage, RecordError

LOGS = Path(__file__).parents[1] / "data" / "imports"
EVAL = LOGS / "inspect" / "plain.eval"
DEEP = "[" * 100_000 + "]" * 100_000
DIGITS = '{"version": 2, "item": "a", "score": ' + "9" * 5000 + "}"


@pytest.mark.parametrize("ending", ["json", "jsonl", "yaml"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DEEP, "nested too deeply"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        (DIGITS, "digits"),
    ],
    ids=["lists", "objects", "digits"],
)
def test_values_that_no_parser_takes_are_refused(tmp_path, ending, text, problem):
    path = tmp_path / f"x.{ending}"
    path.write_text(text)
    with pytest.raises(RecordError) as error:
        read_scores(path)
    assert str(error.value).startswith(str(path))
    assert problem in str(error.value)
    assert len(str(error.value)) < 400


def test_deep_and_long_values_in_logs_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.eval", "w") as archive:
        archive.writestr("header.json", json.dumps({"version": 2, "eval": {"task": "x"}}))
        archive.writestr("samples/1_epoch_1.json", DEEP)
    with pytest.raises(RecordError, match=r"samples/1_epoch_1.json: .*nested too deeply"):
        read_inspect(tmp_path / "x.eval")


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "inspect", "promptfoo", "deepeval"])
def test_pipes_devices_folders_and_impossible_names_are_refused(tmp_path, kind):
    waits = pipe(tmp_path)
    for path, problem in (
        (waits, "a pipe or device, not a file"),
        (Path("/dev/zero"), "a pipe or device, not a file"),
        (tmp_path, "a folder, not a file"),
        ("a\0b", "no file can have this name"),
        ("a\ud800b", "no file can have this name"),
        ("x" * 5000, "File name too long"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(RecordError, match=problem):
            read_scores(path, kind=kind)
    with pytest.raises(RecordError, match="no file can have this name"):
        read_lm_eval("results_\0.json")


def patched(change: bytes, local: int, central: int) -> bytes:
    """A log with some bytes of all its members' headers replaced."""
    data = bytearray(EVAL.read_bytes())
    for mark, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset : at + offset + len(change)] = change
            at = data.find(mark, at + 4)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (patched(b"\x01\x00", 6, 8), "_journal/start.json is encrypted"),
        (patched(b"\x41\x00", 6, 8), "_journal/start.json is encrypted"),
        (patched(b"\x0e\x00", 8, 10), "start.json is packed by method 14; stored, deflated and"),
        (patched(b"\x09\x00", 8, 10), "start.json is packed by method 9; stored, deflated and Zst"),
        (patched(b"\xff\x00", 4, 6), r"not a whole zip file \(zip file version 25.5\)"),
        (patched(b"\x20\x00", 6, 8), "start.json holds a patch"),
    ],
    ids=["encrypted", "strongly", "lzma", "deflate64", "version", "patch data"],
)
def test_unusual_zip_members_are_refused(tmp_path, data, problem):
    path = tmp_path / "x.eval"
    path.write_bytes(data)
    with pytest.raises(RecordError, match=problem):
        read_inspect(path)


def test_what_members_unpack_to_is_bounded_one_by_one_and_together(tmp_path):
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("header.json", json.dumps({"version": 2, "eval": {"task": "x"}}))
        for number in range(8):
            archive.writestr(f"samples/{number}_epoch_1.json", "{}")
    data = path.read_bytes()

    def declared(size: int) -> bytes:
        changed = bytearray(data)
        at = changed.find(b"PK\x01\x02")
        while at >= 0:
            if b"samples/" in changed[at : at + 60]:
                changed[at + 24 : at + 28] = size.to_bytes(4, "little")
            at = changed.find(b"PK\x01\x02", at + 4)
        return bytes(changed)

    path.write_bytes(declared(200 * 2**20))
    with pytest.raises(RecordError) as error:
        read_inspect(path)
    assert str(error.value) == (
        f"{path}: its samples unpack to 1,677,721,600 bytes; 1,073,741,824 are read at most (give "
        "the scores as a table instead)"
    )
    path.write_bytes(declared(2**30))
    with pytest.raises(RecordError, match="unpacks to 1,073,741,824 bytes; 268,435,456 are read"):
        read_inspect(path)


def test_values_that_would_not_fit_in_memory_are_refused_before_they_are_parsed(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"[" + b"[]," * 8_000_000 + b"1]")
    before = time.process_time()
    with pytest.raises(RecordError, match="holds about 16,000,001 values; they would not fit"):
        read_scores(path)
    assert time.process_time() - before < 1


def test_a_bomb_takes_neither_time_nor_memory(tmp_path):
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("header.json", json.dumps({"version": 2, "eval": {"task": "x"}}))
        with archive.open("samples/1_epoch_1.json", "w") as member:
            for _ in range(64):
                member.write(b"[]," * 2**20)
    code = (
        "import re, sys; from constrained.consistency.importing import read_inspect\n"
        "from constrained.errors import RecordError\n"
        "try: read_inspect(sys.argv[1])\n"
        "except RecordError as error: print(error)\n"
        # ru_maxrss would count what this process took before it started that one.
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    problem, peak = done.stdout.splitlines()
    assert "would not fit in memory" in problem
    assert int(peak) < 1024


def test_yaml_that_is_small_only_as_a_file_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    path.write_text("\n".join(rows))
    with pytest.raises(RecordError, match="alias") as error:
        read_scores(path)
    assert len(str(error.value)) < 300
    path.write_text("a: &a [*a]")
    with pytest.raises(RecordError, match="alias"):
        read_scores(path)


def test_a_pyarrow_for_another_numpy_is_a_missing_package(tmp_path, monkeypatch):
    def fails(_name: str) -> Any:
        raise ImportError("pyarrow requires NumPy 2.0 or newer, found 1.26.4")

    path = tmp_path / "t.parquet"
    pd.DataFrame({"item": ["a"], "score": [7]}).to_parquet(path)
    monkeypatch.setattr("constrained.consistency.importing.files.import_module", fails)
    for read in (lambda: read_scores(path), lambda: read_inspect(EVAL)):
        with pytest.raises(MissingPackage) as error:
            read()
        assert str(error.value).endswith(
            "(pyarrow requires NumPy 2.0 or newer, found 1.26.4) needs the package pyarrow (run: "
            "pip install --upgrade pyarrow numpy)"
        )


# Any bytes


TOKENS = [
    *(b"\x00", b"\xff", b"null", b"1e999", b"[", b"{", b'"', b"-1", b"1_0", b"\xef\xbb\xbf"),
    *(b"\\ud800", b"NaN", b"true", b"9" * 5000, b",", b"\n", b"*a", b"&a ", b": ", b"- ", b"[]"),
    *(b"{}", b'""', b"10000000000000000000000", "\uff11".encode()),
]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A copy with bits flipped, and parts put in, taken out or doubled."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at, end = sorted((chance.randrange(len(changed) + 1), chance.randrange(len(changed) + 1)))
        end = min(end, at + 60)
        what = chance.randrange(5)
        if what == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif what == 1:
            changed[at:at] = chance.choice(TOKENS)
        elif what == 2:
            changed[at:end] = chance.choice(TOKENS)
        elif what == 3:
            del changed[at:end]
        else:
            changed[at:at] = changed[at:end]
    return bytes(changed)


def table(folder: Path, ending: str) -> Path:
    rows = [
        {
            "item": f"e{n % 3}",
            "prompt": f"p,{n % 2}",
            "score": n % 7 + 0.5,
            "draw": n // 6,
            "gold": 1,
        }
        for n in range(18)
    ]
    frame, path = pd.DataFrame(rows), folder / f"base.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    return path


def unpacked(folder: Path) -> Path:
    """A log whose members are stored as they are: what is changed in them is seen."""
    path = folder / "stored.eval"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in read_members(EVAL, ("",)).items():
            archive.writestr(name, data)
    return path


SOURCES: dict[str, Any] = {
    "inspect json": lambda _: LOGS / "inspect" / "short.json",
    "inspect eval": lambda _: EVAL,
    "inspect stored": unpacked,
    "promptfoo json": lambda _: LOGS / "promptfoo" / "results.json",
    "promptfoo yaml": lambda _: LOGS / "promptfoo" / "providers.yaml",
    "promptfoo jsonl": lambda _: LOGS / "promptfoo" / "providers.jsonl",
    "promptfoo csv": lambda _: LOGS / "promptfoo" / "providers.csv",
    "lm-eval choices": lambda _: next((LOGS / "lm_eval").glob("samples_essays_plain_*")),
    "lm-eval texts": lambda _: next((LOGS / "lm_eval").glob("samples_essays_written_*")),
    "deepeval": lambda _: LOGS / "deepeval" / "plain.json",
    "csv": lambda folder: table(folder, "csv"),
    "jsonl": lambda folder: table(folder, "jsonl"),
    "parquet": lambda folder: table(folder, "parquet"),
}
MUTATIONS = 60


@pytest.mark.parametrize("name", SOURCES)
def test_mutated_files_are_read_or_refused(tmp_path, name):
    source = SOURCES[name](tmp_path)
    data = source.read_bytes()
    options = {"variants": ["cold", "warm"]} if "providers" in source.name else {}
    path = tmp_path / f"x{source.suffix}"
    refused = 0
    for seed in range(MUTATIONS if "yaml" not in name else 10):
        path.write_bytes(mutated(data, random.Random(seed)))
        try:
            imported = read_scores(path, **options)
            assert len(list(imported.records)) == len(imported.records) > 0
            imported_plan(imported)
        except ConstrainedError:
            refused += 1
    assert refused


def test_a_text_that_stands_in_many_rows_of_parquet_takes_the_memory_of_one(tmp_path):
    path = tmp_path / "x.parquet"
    rows = 20_000
    table = pyarrow.table(
        {
            "item": pyarrow.array(range(rows)),
            "score": pyarrow.array([7] * rows),
            "text": pyarrow.DictionaryArray.from_arrays(
                pyarrow.array([0] * rows, pyarrow.int32()), pyarrow.array(["x" * 200_000])
            ),
        }
    )
    pyarrow.parquet.write_table(table, path, store_schema=False)
    imported = read_scores(path)
    assert len(imported.records) == rows
    five, nine = (imported.records[n].draws[0].text for n in (5, 9))
    assert id(five) == id(nine)


def test_texts_are_bounded_by_what_their_characters_take(tmp_path):
    """One emoji makes every character of a text take four bytes, twice: as text and as value."""
    path = tmp_path / "x.json"
    path.write_bytes(b'{"a": "\xf0\x9f\x98\x80' + b"x" * 125_000_000 + b'"}')
    before = time.process_time()
    with pytest.raises(RecordError, match=r"its 125,000,0.. bytes hold .* not fit in memory"):
        read_scores(path)
    assert time.process_time() - before < 1


def test_a_long_list_of_members_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "x.eval"
    data = bytearray(EVAL.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    data[at + 12 : at + 16] = (2**24).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(RecordError, match="its list of members takes 16,777,216 bytes; 8,388,608"):
        read_inspect(path)


def test_prompts_and_answers_of_a_log_are_bounded_together(monkeypatch):
    monkeypatch.setattr("constrained.consistency.importing.inspect_files.MOST_KEPT", 1000)
    with pytest.raises(RecordError, match=r"plain.eval: samples/.*: the prompts and answers up to"):
        read_inspect(EVAL)


def test_yaml_that_takes_long_to_read_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    for text in ("a: [" + "1, " * 200_000 + "1]", "a: " + "x" * 2**22, "- a\n" * 200_000):
        path.write_text(text)
        with pytest.raises(RecordError, match="for YAML is read slowly; write JSON instead"):
            read_scores(path)


def test_parquet_that_is_small_only_as_a_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    rows = 6_000_000
    zeros = pyarrow.array(np.zeros(rows, dtype="i1"))
    pyarrow.parquet.write_table(pyarrow.table({"item": zeros, "score": zeros}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(RecordError, match="6,000,000 rows; 5,000,000 are read at most"):
        read_scores(path)
    monkeypatch.setattr("constrained.consistency.importing.rows.LARGEST", 80_000)
    inside = pyarrow.array(np.zeros(2_000, dtype="i1"))
    listed = pyarrow.ListArray.from_arrays([0, 2_000], inside)
    nested = pyarrow.StructArray.from_arrays([listed], ["deep"])
    columns = {"item": ["a"], "score": [1], "x": nested}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    with pytest.raises(RecordError, match="rows 0 to 0 hold 2,000 values in lists; they would no"):
        read_scores(path)


def test_a_table_of_more_rows_than_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("constrained.consistency.importing.tables.MOST_ROWS", 10)
    path = table(tmp_path, "csv")
    with pytest.raises(RecordError, match="more than 10 scores, which do not fit in memory"):
        read_scores(path)


def test_rows_with_much_text_are_held_some_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("constrained.consistency.importing.rows.MOST_BYTES", 50)
    for ending in ("csv", "jsonl"):
        imported = read_scores(table(tmp_path, ending))
        assert (len(imported.records), imported.draws) == (6, 18)


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.array([[("a", 1)], []], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        pyarrow.array([[[("a", 1)]], []], pyarrow.list_(pyarrow.map_("string", "int64"))),
        pyarrow.array([[1, 2], [3, 4]], pyarrow.list_(pyarrow.int64(), 2)),
        pyarrow.array([[{"a": [1]}], None]),
        pyarrow.array([{"a": {"b": [1]}}, None]),
        pyarrow.array([["x"], ["y"]], pyarrow.large_list(pyarrow.string())),
        pyarrow.array([b"a", None]),
        pyarrow.nulls(2),
    ],
    ids=lambda column: str(column.type)[:20],
)
def test_columns_of_every_type_may_stand_beside_scores(tmp_path, column):
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"item": ["a", "b"], "score": [1, 2], "x": column}), path
    )
    assert read_scores(path).draws == 2
