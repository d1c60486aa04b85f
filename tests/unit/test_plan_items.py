"""Items from files: every format gives the same items, damage is named with its line."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from constrained.consistency.plan import Item, read_items
from constrained.errors import MissingPackage, RecordError

ROWS = [
    {"id": "e1", "text": "Cats purr.\nLoudly.", "gold": 7},
    {"id": "e2", "text": 'Naïve, "quoted" 日本語 \u2028 end', "gold": 3.5},
    {"id": "e3", "text": "No gold.", "gold": None},
]
WANTED = (
    Item(id="e1", fields={"text": "Cats purr.\nLoudly."}, gold=7.0),
    Item(id="e2", fields={"text": 'Naïve, "quoted" 日本語 \u2028 end'}, gold=3.5),
    Item(id="e3", fields={"text": "No gold."}, gold=None),
)


def write(path: Path) -> Path:
    """The rows in a file of the kind that its ending says, by other libraries than ours."""
    kind = path.suffix
    if kind in (".jsonl", ".ndjson"):
        lines = (json.dumps(row, ensure_ascii=False) for row in ROWS)
        path.write_text("\n".join(lines) + "\n\n", "utf-8")
    elif kind == ".json":
        path.write_text(json.dumps(ROWS), "utf-8")
    elif kind == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(
                file, ROWS[0], dialect="excel" if kind == ".csv" else "excel-tab"
            )
            writer.writeheader()
            writer.writerows(ROWS)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"])
def test_every_kind_of_file_gives_the_same_items(tmp_path: Path, kind: str) -> None:
    file = write(tmp_path / f"essays.{kind}")
    assert read_items(file) == WANTED
    assert read_items(file, limit=2) == WANTED[:2]
    named = read_items(file, id_field="text", gold_field="gold")
    assert [item.id for item in named] == [row["text"] for row in ROWS]
    assert named[0].fields == {"id": "e1"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"id": 1}\n{"id": ', "a.jsonl:2:8: not JSON: Expecting value"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: an item has to be an object, not list"),
        ("a.json", "{}", "a.json: a list of objects is wanted, not dict"),
        ("a.json", "[{},\n", "a.json:2:1: not JSON: Expecting value"),
        ("a.json", "[]", "a.json: there are no items in this file"),
        ("a.csv", "", "a.csv: there are no items in this file"),
        ("a.csv", "id,id\n1,2\n", "a.csv:1: the column 'id' appears twice"),
        (
            "a.csv",
            "id,text\n1,a,b\n",
            "a.csv:2: 3 cells in a file of 2 columns; is a quotation mark missing?",
        ),
        ("a.csv", 'id,text\n1,"a\n', "a.csv:2: unexpected end of data"),
        (
            "a.csv",
            "name,text\n1,a\n",
            "a.csv:2: there is no 'id'; name the field that tells items apart (id: ...); fields "
            "here: name, text",
        ),
        ("a.csv", "id,text\n1,a\n2,b\n1,c\n", "a.csv:4: item '1' was in {folder}/a.csv:2 already"),
        ("a.csv", "id,gold\n1,B+\n", "a.csv:2: the gold score 'B+' is no number"),
        ("a.csv", "id,gold\n1,nan\n", "a.csv:2: the gold score 'nan' is no number"),
        (
            "a.xlsx",
            "",
            "a.xlsx: items are read from .jsonl, .ndjson, .json, .csv, .tsv, .parquet, not from "
            "'.xlsx'",
        ),
        ("a.parquet", "PAR1 no", None),
    ],
)
def test_damage_is_named_with_file_and_line(
    tmp_path: Path, name: str, content: str, message: str | None
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(RecordError) as caught:
        read_items(file)
    if message is None:
        assert str(caught.value).startswith(f"{file}: cannot be read as Parquet (")
    else:
        assert str(caught.value) == f"{tmp_path}/{message.replace('{folder}', str(tmp_path))}"


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none\.csv: cannot be read \(No such file"):
        read_items(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes("id\né".encode("latin-1"))
    with pytest.raises(RecordError, match=r"a\.csv: not UTF-8 at byte 3; save it as UTF-8$"):
        read_items(tmp_path / "a.csv")


def test_gold_scores_are_named_or_found(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "a", "gold": [8, 7], "human": 1}\n')
    assert read_items(file)[0].gold == (8.0, 7.0)
    named = read_items(file, gold_field="human")[0]
    assert (named.gold, named.fields) == (1.0, {"gold": [8, 7]})
    with pytest.raises(RecordError, match="no gold field 'teacher'; fields here: id, gold"):
        read_items(file, gold_field="teacher")


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage) as caught:
        read_items(tmp_path / "a.parquet")
    assert str(caught.value) == (
        "reading Parquet files needs the package pyarrow (run: pip install pyarrow pandas "
        "'numpy>=2'; in a clone: scripts/install parquet)"
    )
