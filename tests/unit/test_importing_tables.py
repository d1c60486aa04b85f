"""Tables of scores become records, and what is no score never becomes a number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrained import integer
from constrained.consistency.importing import import_scores, read_csv, read_jsonl, read_parquet
from constrained.consistency.records import Address
from constrained.consistency.scores import number_in, read_score, score_of
from constrained.errors import MissingPackage, RecordError
from constrained.spec import template
from tests.oracle_data.statistics import N_SCORES

ROOMS = Path(__file__).parents[2] / "examples" / "llava_rooms" / "rooms.csv"


def written(folder: Path, text: str, name: str = "scores.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def scores(imported) -> dict[tuple[str, str], list]:
    return {
        (r.address.item, r.address.prompt): [d.score for d in r.draws] for r in imported.records
    }


def test_rows_of_one_cell_are_its_draws_in_order(tmp_path):
    path = written(tmp_path, "item,prompt,score\ne1,p1,7\ne1,p2,6\ne1,p1,8.5\n")
    imported = read_csv(path)
    assert scores(imported) == {("e1", "p1"): [7.0, 8.5], ("e1", "p2"): [6.0]}
    assert [d.index for d in imported.records[0].draws] == [0, 1]
    assert imported.records[0].kind == "imported"
    assert imported.notes == ()


def test_every_field_finds_its_place(tmp_path):
    path = written(
        tmp_path,
        "essay;wording;look;judge;heat;draw;grade;people;said\ne1;strict;chat;gpt;0.2;3;7;8;fine\n",
    )
    names = {
        "item": "essay",
        "prompt": "wording",
        "format": "look",
        "variant": "judge",
        "temperature": "heat",
        "score": "grade",
        "gold": "people",
        "text": "said",
    }
    imported = read_csv(path, columns=names, delimiter=";")
    (record,) = imported.records
    assert record.address == Address("e1", "strict", "chat", "gpt", 0.2)
    assert (record.draws[0].index, record.draws[0].score, record.draws[0].text) == (3, 7.0, "fine")
    assert imported.gold == {"e1": 8.0}
    assert imported.levels["variant"] == ("gpt",)


def test_what_is_no_number_is_a_failure_that_keeps_its_text(tmp_path):
    path = written(tmp_path, "item,score\ne1,7\ne1,seven\ne1,\ne1,nan\ne1,inf\ne1,7/10\n")
    imported = read_csv(path)
    draws = imported.records[0].draws
    assert [d.score for d in draws] == [7.0, None, None, None, None, None]
    assert [d.failure for d in draws] == [
        "",
        "'seven' is not a number",
        "no score",
        "'nan' is not a number",
        "'inf' is not a number",
        "'7/10' is not a number",
    ]
    assert [d.text for d in draws] == ["", "seven", "", "nan", "inf", "7/10"]
    assert imported.failures == 5
    assert imported.notes == (
        "5 of 6 judgements hold no score and count as failures, never as numbers; the first is "
        f"{path}:3: 'seven' is not a number",
    )


def test_scores_off_the_scale_are_failures(tmp_path):
    path = written(tmp_path, "item,score\ne1,7\ne2,7.5\ne3,0\n")
    imported = read_csv(path, scale=range(1, 11))
    assert [r.draws[0].failure for r in imported.records] == [
        "",
        "7.5 is not on the scale (1 to 10, 10 scores)",
        "0 is not on the scale (1 to 10, 10 scores)",
    ]
    assert imported.records[0].support == tuple(range(1, 11))


def test_a_format_reads_the_score_out_of_a_text(tmp_path):
    rows = [{"item": "e1", "text": t} for t in ("Score: 7", "Score: 11", "I like it.")]
    path = written(tmp_path, "\n".join(map(json.dumps, rows)), "answers.jsonl")
    imported = read_jsonl(path, spec="Score: " + integer(0, 10))
    draws = imported.records[0].draws
    assert [d.score for d in draws] == [7.0, None, None]
    assert draws[1].failure == (
        "not in the format: 'Score: 11' does not match at byte 8: expected '0' or the end"
    )
    assert draws[2].text == "I like it."
    again = read_jsonl(path, spec="Score: {score:0..10}")
    assert [d.score for d in again.records[0].draws] == [7.0, None, None]


def test_both_scores_of_a_judgement_and_the_order_of_the_answers(tmp_path):
    path = written(tmp_path, "item,order,score,second\nq1,ab,8,7\nq1,ba,7,\n")
    imported = read_csv(path)
    assert [(r.address.order, r.draws[0].score) for r in imported.records] == [
        ("ab", (8.0, 7.0)),
        ("ba", None),
    ]


def test_one_column_per_room_reads_the_published_judgements():
    rooms = ("bard", "gpt35", "alpaca", "llama")
    imported = read_csv(ROOMS, columns={"item": "question"}, rooms=rooms)
    found = scores(imported)
    table = [[found[str(i), room][0] for room in rooms] for i in range(1, 81)]
    assert np.array_equal(np.array(table), N_SCORES)
    assert imported.levels["prompt"] == rooms
    assert imported.levels["item"][:11:5] == ("1", "6", "11")


def test_empty_cells_of_a_wide_table_are_missing_and_said_to_be(tmp_path):
    path = written(tmp_path, "item,a,b\ne1,7,\ne2,,x\n")
    imported = read_csv(path, rooms=["a", "b"])
    assert scores(imported) == {("e1", "a"): [7.0], ("e2", "b"): [None]}
    assert imported.notes[1] == "2 cells of the table are empty: those cells are missing"
    assert imported.notes[0].endswith(f"the first is {path}:3 (b): 'x' is not a number")


def test_csv_jsonl_and_parquet_say_the_same(tmp_path):
    rows = [
        {"item": "e1", "prompt": "p1", "score": 7.0, "gold": 8.0},
        {"item": "e2", "prompt": "p1", "score": 3.5, "gold": 4.0},
    ]
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    table.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    read = [
        read_csv(tmp_path / "t.csv"),
        read_jsonl(tmp_path / "t.jsonl"),
        read_parquet(tmp_path / "t.parquet"),
    ]
    assert [r.key for r in read[0].records] == [r.key for r in read[1].records]
    assert [r.key for r in read[0].records] == [r.key for r in read[2].records]
    assert read[0].gold == read[1].gold == read[2].gold == {"e1": 8.0, "e2": 4.0}


def test_nested_fields_have_dotted_names(tmp_path):
    path = written(tmp_path, '{"doc": {"id": 3, "gold": 4}, "score": 5}', "x.jsonl")
    imported = read_jsonl(path, columns={"item": "doc.id", "gold": "doc.gold"})
    assert (imported.levels["item"], imported.gold) == (("3",), {"3": 4.0})


def test_a_spreadsheet_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfitem,score\r\ne1,7\r\n")
    assert scores(read_csv(path)) == {("e1", "prompt"): [7.0]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "{path}: there is no score in it"),
        ("item,score\n", "{path}: there is no score in it"),
        (
            "essay,score\ne1,7\n",
            "{path}: there is no column 'item' (there are 'essay', 'score'; say which one it is "
            "with columns={{'item': ...}} or --column item=...)",
        ),
        (
            "item;score\ne1;7\n",
            "{path}: there is no column 'item' (there are 'item;score'; another delimiter stands "
            "between its columns: name it with --delimiter, in Python delimiter=';')",
        ),
        ("item,score\ne1,7,8\n", "{path}:2: 3 cells under 2 columns"),
        ("item,score,score\ne1,7,8\n", "{path}:1: the column 'score' is there twice"),
        ('item,score\n"e1,7\n', "{path}:2: not CSV: unexpected end of data"),
        ("item,score\n ,7\n", "{path}:2: the row names no item"),
        (
            "item,score,draw\ne1,7,0\ne1,8,0\n",
            "{path}:3: draw 0 of item 'e1', prompt 'prompt', variant 'model' stands here and at "
            "{path}:2 already; number the draws of a cell, or tell its levels apart",
        ),
        (
            "item,score,draw\ne1,7,first\n",
            "{path}:2: draw is 'first'; it has to be a whole number from 0 on",
        ),
        (
            "item,score,gold\ne1,7,8\ne1,7,9\n",
            "{path}:3: item 'e1' has the gold score 9 here and 8 at {path}:2; an item has one",
        ),
        ("item,score,gold\ne1,7,B+\n", "{path}:2: the gold score 'B+' is not a number"),
        ("item,score,temperature\ne1,7,hot\n", "{path}:2: 'hot' is no temperature"),
        (
            "item,score,order\ne1,7,first\n",
            "{path}:2: the order is 'first'; it can be ab, ba or empty",
        ),
    ],
)
def test_what_cannot_be_a_table_of_scores_is_refused_with_its_place(tmp_path, text, problem):
    path = written(tmp_path, text)
    with pytest.raises(RecordError) as error:
        read_csv(path)
    assert str(error.value) == problem.format(path=path)


def test_files_that_cannot_be_read_say_why(tmp_path):
    missing = tmp_path / "none.csv"
    with pytest.raises(RecordError, match=f"{missing}: cannot be read \\(No such file"):
        read_csv(missing)
    latin = tmp_path / "latin.csv"
    latin.write_bytes("item,score\ncaf\xe9,7\n".encode("latin-1"))
    with pytest.raises(RecordError, match="not UTF-8 at byte 14; save it as UTF-8"):
        read_csv(latin)
    broken = written(tmp_path, '{"item": "e1", "score": 7}\n{"item": \n', "x.jsonl")
    with pytest.raises(RecordError, match=r"x.jsonl:2:10: not JSON: Expecting value"):
        read_jsonl(broken)
    listed = written(tmp_path, "[1]\n", "y.jsonl")
    with pytest.raises(RecordError, match=r"y.jsonl:1: a line has to be an object, not list"):
        read_jsonl(listed)
    with pytest.raises(RecordError, match="not Parquet"):
        read_parquet(latin)
    with pytest.raises(RecordError, match="there is no field 'essay'; the fields are item, "):
        read_csv(latin, columns={"essay": "item"})


def test_parquet_needs_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setattr("constrained.models.loading.find_spec", lambda _: None)
    with pytest.raises(
        MissingPackage,
        match="pip install pyarrow pandas 'numpy>=2'; in a clone: scripts/install parquet",
    ):
        read_parquet(tmp_path / "t.parquet")


def test_keys_tell_contents_apart_and_nothing_else(tmp_path):
    first = read_csv(written(tmp_path, "item,score\ne1,7\n", "a.csv"))
    again = read_csv(written(tmp_path, "item,score\n\ne1,7.0\n", "b.csv"))
    other = read_csv(written(tmp_path, "item,score\ne1,8\n", "c.csv"))
    assert first.records[0].key == again.records[0].key != other.records[0].key


names = st.text("abcxyz019 ,;\"'é\n", min_size=1, max_size=6).map(str.strip).filter(bool)


@given(
    st.dictionaries(
        st.tuples(names, names),
        st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_what_a_table_says_comes_back(tmp_path_factory, cells):
    rows = [
        {"item": item, "prompt": prompt, "draw": n, "score": score}
        for (item, prompt), drawn in cells.items()
        for n, score in enumerate(drawn)
    ]
    path = tmp_path_factory.mktemp("t") / "t.csv"
    pd.DataFrame(rows).sample(frac=1, random_state=0).to_csv(path, index=False)
    assert scores(read_csv(path)) == cells


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (7, 7.0),
        ({"score": 3}, 3.0),
        ({"why": "short", "score": 3}, 3.0),
        ((8, 7), (8.0, 7.0)),
        ({"first": 8, "second": 7}, (8.0, 7.0)),
    ],
)
def test_the_score_in_a_value(value, score):
    assert score_of(value) == score


def test_values_without_one_score_are_refused():
    with pytest.raises(RecordError, match="holds 2 numbers; name the one to use"):
        score_of({"a": 1, "b": 2, "why": "x"})
    with pytest.raises(RecordError, match="'good' holds no number"):
        score_of("good")
    with pytest.raises(RecordError, match="has no field 'c'"):
        score_of({"a": 1}, "c")
    two = template("{style:0..5} {content:0..5}: {why}", why=integer(0, 9))
    assert read_score(two, "3 4: 1") == (
        None,
        "{'style': 3, 'content': 4, 'why': 1} holds 3 numbers; name the one to use",
    )
    assert read_score(two, "3 4: 1", field="content") == (4.0, "")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("\t7\r\n", 7.0),
        ("+7.50", 7.5),
        ("-0", 0.0),
        (".5", 0.5),
        ("7.", 7.0),
        ("1e-3", 0.001),
        ("1E+2", 100.0),
        ("nan", None),
        ("NaN", None),
        ("Infinity", None),
        ("-inf", None),
        ("1_0", None),
        ("\uff11", None),  # full-width
        ("\u0661", None),  # Arabic-Indic
        ("\u00a07", None),  # a no-break space
        ("1e999", None),
        ("1e-999", None),
        ("9" * 5000, None),
        ("0x10", None),
        ("1,5", None),
        ("1 000", None),
        ("7/10", None),
        ("True", None),
        ("", None),
        (True, 1.0),
        (7, 7.0),
        (10**400, None),
        (float("nan"), None),
        (None, None),
        ([7], None),
    ],
)
def test_one_reader_decides_what_a_number_is(tmp_path, text, number):
    assert number_in(text) == number
    row = {"item": "e1", "score": text}
    path = written(tmp_path, json.dumps(row), "x.jsonl")
    (draw,) = read_jsonl(path).records[0].draws
    assert draw.score == number
    assert bool(draw.failure) == (number is None)
    if isinstance(text, str) and not isinstance(text, bool):
        frame = pd.DataFrame([row])
        frame.to_csv(tmp_path / "x.csv", index=False)
        assert [d.score for d in read_csv(tmp_path / "x.csv").records[0].draws] == [number]
        frame.to_parquet(tmp_path / "x.parquet")
        assert [d.score for d in read_parquet(tmp_path / "x.parquet").records[0].draws] == [number]


@given(st.text(max_size=8) | st.from_regex(r"[-+]?[0-9]*\.?[0-9]+(e-?[0-9]{1,3})?", fullmatch=True))
def test_numbers_in_texts_are_numbers_that_python_reads_too(text):
    number = number_in(text)
    if number is not None:
        assert float(text) == number
        assert text.isascii()
        assert "_" not in text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_every_number_that_is_written_is_read(value):
    assert number_in(repr(value)) == number_in(value) == value


def test_semicolons_and_decimal_commas_name_the_delimiter(tmp_path):
    for text in ("item;score\ne1;7\n", "item;score\ne1;7,5\n"):
        with pytest.raises(RecordError, match=r"in Python delimiter=';'"):
            read_csv(written(tmp_path, text))
    path = written(tmp_path, "item;score\ne1;7\ne1;7,5\n")
    imported = read_csv(path, delimiter=";")
    assert [d.failure for d in imported.records[0].draws] == ["", "'7,5' is not a number"]
    with pytest.raises(RecordError, match="the delimiter is ';;'; it has to be one character"):
        read_csv(path, delimiter=";;")


def test_letters_count_what_the_options_say(tmp_path):
    path = written(tmp_path, "item,score\ne1,A\ne1,C\ne1,7\ne1,E\n")
    imported = read_csv(path, options={"A": 4, "C": 2})
    assert [d.score for d in imported.records[0].draws] == [4, 2, 7, None]


def test_the_table_of_langsmith_is_read_as_the_recipe_says():
    path = Path(__file__).parents[1] / "data" / "imports" / "langsmith" / "results.csv"
    names = {"item": "example_id", "score": "feedback.grade", "gold": "reference.gold"}
    imported = read_csv(path, columns=names)
    assert [[d.score for d in r.draws] for r in imported.records] == [[7, 8], [4, None]]
    assert list(imported.gold.values()) == [7, 4]


JUDGES = "item,prompt,score,judge,why\n" + "".join(
    f"e{item},p{prompt},{item + judge},judge-{judge},because {item}{prompt}{judge}\n"
    for item in range(3)
    for prompt in range(2)
    for judge in range(2)
)


def test_a_column_that_tells_rows_of_one_cell_apart_is_no_draw(tmp_path):
    path = written(tmp_path, JUDGES)
    with pytest.raises(RecordError) as error:
        read_csv(path)
    assert str(error.value) == (
        f"{path}:3: the column 'judge' holds another value than at {path}:2, for the same cell, "
        "and its name says who was asked, so these may be no draws; say what it is, for example "
        "columns={'variant': 'judge'} or {'draw': 'judge'} (--column variant=judge), or that it "
        "does not matter with ignore=['judge'] (--ignore judge)"
    )
    named = read_csv(path, columns={"variant": "judge"})
    assert named.levels["variant"] == ("judge-0", "judge-1")
    assert named.notes == ()
    ignored = read_csv(path, ignore=["judge"])
    assert len(ignored.records) == 6
    assert ignored.notes == (
        "not read, though they differ between draws of one cell: the columns 'why'",
    )


def test_columns_of_reasons_and_verdicts_are_no_facets(tmp_path):
    rows = "".join(f"e{n % 3},{n},{'ok' if n < 7 else 'bad'}\n" for n in range(12))
    imported = read_csv(written(tmp_path, "item,score,verdict\n" + rows))
    assert len(imported.records) == 3


def test_lines_are_named_in_files_of_many_rows(tmp_path):
    rows = "".join(f"e{n},{n % 11},{n % 3}\n" for n in range(45_000))
    path = written(tmp_path, f"item,score,gold\n{rows}e7,good,1\ne8,1,0\n")
    with pytest.raises(RecordError) as error:
        read_csv(path)
    assert str(error.value) == (
        f"{path}:45003: item 'e8' has the gold score 0 here and 2 at {path}:10; an item has one"
    )
    imported = read_csv(
        written(tmp_path, "item,score\n" + "".join(f"e{n},{n}\n" for n in range(45_000)))
    )
    assert imported.records[44_999].draws[0].score == 44_999
    assert imported.records[-1].address.item == "e44999"
    assert [r.address.item for r in imported.records[20_000:20_002]] == ["e20000", "e20001"]


def table_of(name: str, columns: list[tuple[str, str, float]]) -> str:
    return f"item,{name},score\n" + "".join(f"{a},{b},{c}\n" for a, b, c in columns)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("site", [(f"e{n}", "AABB"[k], (1, 2, 3, 1)[k]) for n in range(4) for k in range(4)]),
        ("site", [(f"e{n}", "AAB"[k], (1, 2, 2)[k]) for n in range(4) for k in range(3)]),
        ("judge", [("e1", "A", 3), ("e1", "B", 4)]),
        ("grader_id", [("e1", "A", 3), ("e1", "B", 4), ("e2", "C", 3), ("e2", "D", 4)]),
        ("answer.model", [("e1", "A", 3), ("e1", "B", 4)]),
        ("top_p", [("e1", "0.5", 3), ("e1", "1", 4)]),
    ],
)
def test_columns_whose_levels_repeat_or_that_say_who_was_asked_are_facets(tmp_path, name, rows):
    path = written(tmp_path, table_of(name, rows))
    with pytest.raises(RecordError, match=f"the column '{name}' holds another value"):
        read_csv(path)
    assert read_csv(path, columns={"variant": name}).notes == ()
    assert read_csv(path, ignore=[name]).draws == len(rows)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("passed", [(f"e{n % 5}", str(n % 3 > 0), n % 3) for n in range(20)]),
        ("model_response", [("e1", "It is good.", 3), ("e1", "It is bad.", 4)]),
        ("finish", [(f"e{n % 9}", "stop" if n else "length", n // 9) for n in range(27)]),
    ],
)
def test_verdicts_answers_and_rare_values_are_noted_only(tmp_path, name, rows):
    (note,) = read_csv(written(tmp_path, table_of(name, rows))).notes
    assert note == f"not read, though they differ between draws of one cell: the columns '{name}'"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("facet", ["item", "prompt", "variant"])
def test_what_is_no_number_names_nothing(tmp_path, word, facet):
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"item": "a", "score": 1, "{facet}": {word}}}\n')
    with pytest.raises(RecordError, match=rf"x\.jsonl:1: -?(nan|inf) names no {facet}"):
        read_jsonl(path)


WIDE = "item,prompt,a,b\ne1,p,1,2\ne1,q,3,4\n"


def test_a_prompt_beside_rooms_is_a_column_like_any_other(tmp_path):
    path = written(tmp_path, WIDE)
    with pytest.raises(RecordError, match="the column 'prompt' holds another value"):
        read_csv(path, rooms=["a", "b"])
    read = read_csv(path, rooms=["a", "b"], columns={"variant": "prompt"})
    assert read.levels["variant"] == ("p", "q")
    with pytest.raises(RecordError, match="has no column for prompt: each of the rooms is a pro"):
        read_csv(path, rooms=["a", "b"], columns={"prompt": "prompt"})
    with pytest.raises(RecordError, match="'a' is named as a room and as something else"):
        read_csv(path, rooms=["a", "b"], columns={"gold": "a"})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"ignore": "judge"}, "ignore must be a list of texts, got 'judge'"),
        ({"ignore": ["jduge"]}, "there is no column 'jduge' to ignore"),
        ({"rooms": "ab"}, "rooms must be a list of texts, got 'ab'"),
        ({"rooms": ["a", "a"]}, "rooms names 'a' twice; its scores would count twice"),
        ({"options": {"A": float("nan")}}, "options['A'] must be a finite number, got nan"),
        ({"options": {"A": float("inf")}}, "options['A'] must be a finite number, got inf"),
        ({"options": {"A": "4"}}, "options['A'] must be a number, got '4'"),
        ({"options": {"A": True}}, "options['A'] must be a number, got True"),
        ({"options": [4]}, "options must be a dict by text, got [4]"),
        ({"columns": ["item"]}, "columns must be a dict by text, got ['item']"),
        ({"columns": {"item": 1}}, "columns['item'] must be a text, got 1"),
        ({"scale": 5}, "scale must be a list of numbers, got 5"),
        ({"scale": "0123"}, "scale must be a list of numbers, got '0123'"),
        ({"scale": ["1"]}, "each point of the scale must be a number, got '1'"),
        ({"scale": [float("nan")]}, "each point of the scale must be a finite number, got nan"),
        ({"delimiter": 5}, "delimiter must be a text, got 5"),
        ({"field": "x"}, "field='x' names a part of what a spec reads; give spec=..."),
    ],
)
def test_mistakes_of_the_caller_are_not_said_of_the_file(tmp_path, given, problem):
    path = written(tmp_path, "item,a,score\ne1,1,1\n")
    with pytest.raises(RecordError) as error:
        read_csv(path, **given)
    assert str(error.value) == problem
    for strange in (5, None, b"a.csv", ["a.csv"]):
        with pytest.raises(RecordError, match="a path must be a text or a Path, got"):
            read_csv(strange)


def test_a_scale_of_numpy_is_stored_as_any_other(tmp_path):
    imported = read_csv(written(tmp_path, "item,score\ne1,1\n"), scale=np.arange(11))
    assert imported.scale == tuple(range(11))
    assert import_scores(tmp_path / "x.db", imported) == 1


def test_semicolons_are_named_where_commas_stand_in_the_header_too(tmp_path):
    with pytest.raises(RecordError, match="name it with --delimiter, in Python delimiter=';'"):
        read_csv(written(tmp_path, "item;score;x,y\na;1,5;2\n"))


def test_a_cell_that_is_too_long_is_not_said_to_be_no_csv(tmp_path):
    path = written(tmp_path, f"item,score,trace\ne1,1,{'x' * 200_000}\n")
    with pytest.raises(RecordError) as error:
        read_csv(path)
    assert str(error.value) == (
        f"{path}:2: a cell is longer than 131,072 characters; leave its column out, or save the "
        "table as JSON Lines or Parquet"
    )
