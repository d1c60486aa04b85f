"""Plan files with anything in them: a plan, or an error of the tree, soon and in few words."""

from __future__ import annotations

import copy
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from constrained.consistency.plan import Plan, parse_plan, read_plan
from constrained.errors import ConstrainedError, InvalidSpec, RecordError

PLAN = """\
name: essays
spec: "Essay score: {score:0..10} / 10"
items:
  - {id: e1, text: Cats purr., gold: 7}
  - {id: e2, text: Dogs bark., gold: 3}
prompts:
  plain: "Grade: {text}"
  strict: {text: "Grade strictly: {text}", system: Be strict.}
formats: [plain, chatml]
variants:
  - {name: small, model: smollm2, dtype: float32}
temperatures: [0.7, 1]
scoring: {kind: exact}
pass_mark: 6
scale: 0..10
gates: {max_sem: 0.5, max_gate_risk: {bound: 0.05, at: 0.8}}
grid: {exclude: [{prompt: strict, temperature: 1}]}
seed: 7
"""
OTHERS = (
    {"range": "0..10 step 2"},
    {"choice": {"good": 2, "bad": 0}},
    {"likert": ["bad", "fair", "good"]},
    {"regex": "[0-9]"},
    {"schema": {"type": "integer", "minimum": 0, "maximum": 5}},
    {"grammar": 'start: "1" | "2"'},
    {"template": "S {a}", "fields": {"a": {"range": "1..3"}}},
    {"kind": "range", "value": "0..3"},
)
JUNK: list[Any] = [
    None, True, -1, 0, 7.5, float("inf"), float("nan"), 10**400, "", "x", "\0", "é\ud800", "{",
    "}}", "{a!r}", "0..", "9" * 500 + "..", "a:b", "\x1b[31m", [], [None], [[]], {}, {"a": 1},
    {"": {}}, {"file": "no.txt"}, {"file": "/"}, {"file": "\0"}, {"kind": "x"},
    {"kind": 1, "value": None},
]  # fmt: skip
LONGEST_MESSAGE = 4_000


def answer(read: Callable[[], Plan]) -> str:
    """What a plan says or is refused with; anything else is a failure of the test."""
    start = time.process_time()
    try:
        text = read().digest
    except ConstrainedError as error:
        text = str(error)
    assert time.process_time() - start < 5
    assert len(text) < LONGEST_MESSAGE
    return text


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if path else []
    for key, part in inner:
        found += places(part, (*path, key)) if isinstance(part, (dict, list)) else [(*path, key)]
    return found


def damaged(value: Any, chance: random.Random) -> Any:
    """A copy with junk in one to three places, or something left out or renamed."""
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice(places(value))
        target = value
        for key in way:
            target = target[key]
        done = chance.random()
        if isinstance(target, dict) and done < 0.2:
            del target[last]
        elif isinstance(target, dict) and done < 0.3:
            target[chance.choice(["", "kind", "file", "zz", "\0"])] = target.pop(last)
        else:
            target[last] = copy.deepcopy(chance.choice(JUNK))
    return value


def scrambled(text: str, chance: random.Random) -> str:
    """The text with a few characters lost, doubled or replaced by what YAML has a meaning for."""
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.choice([0, 1, 1, 3, 20])
        middle = chance.choice(
            ["", text[at : at + length] * 2, *"&*!|>?:-{}[],#'\"%@`\t\n\0\x1b", "\n---\n", "&a *a ",
             "!!python/object:os.system ", "<<: ", "? ", "\u2028", "\ufeff", "~"]
        )  # fmt: skip
        text = text[:at] + middle + text[at + length :]
    return text


@pytest.mark.parametrize("seed", range(10))
def test_a_plan_with_junk_in_it_is_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    base = yaml.safe_load(PLAN)
    refused = 0
    for _ in range(50):
        said = {**base, "spec": chance.choice([base["spec"], *OTHERS])}
        text = json.dumps(damaged(said, chance))
        refused += answer(lambda text=text: parse_plan(text)).startswith("at plan.yaml")
    assert refused > 25


@pytest.mark.parametrize("seed", range(10))
def test_a_scrambled_plan_is_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        text = scrambled(PLAN, chance)
        answer(lambda text=text: parse_plan(text))


def aliases(levels: int, key: str) -> str:
    """Lists of nine aliases each of the list before: 9^levels values in a few lines."""
    lists = ["x0: &x0 [a, a, a, a, a, a, a, a, a]"]
    lists += [f"x{k}: &x{k} [{', '.join([f'*x{k - 1}'] * 9)}]" for k in range(1, levels)]
    return "\n".join([*lists, f"{key}: *x{levels - 1}", REST])


REST = 'items: [{id: a, text: b}]\nprompts: ["{text}"]\n'
RANGE = REST + "spec: {range: 0..3}\n"
TOO_MUCH = "at plan.yaml:1:1: written out, its aliases would be too much to read"
DEEP = "values are nested too deeply"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (aliases(9, "spec"), TOO_MUCH),
        (aliases(40, "spec"), TOO_MUCH),
        (aliases(7, "variants"), TOO_MUCH),
        (f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]\n", TOO_MUCH),
        ("spec: " + "[" * 100_000, f"at plan.yaml:1:207: {DEEP}"),
        ("spec: " + "{a: " * 100_000, f"at plan.yaml:1:807: {DEEP}"),
        ("".join(" " * i + "a:\n" for i in range(2000)), f"at plan.yaml: {DEEP}"),
        ("- " * 50_000, f"at plan.yaml: {DEEP}"),
        (RANGE + "seed: " + "9" * 5000, "at plan.yaml:4:7: a number of 5,000 digits is too long"),
        (
            RANGE + "scale: 0.." + "9" * 300,
            f"at plan.yaml:4:1 (scale): the scale '0..{'9' * 53}... has more than 100,000 scores "
            "(use a step)",
        ),
        (
            REST + "spec: {kind: rang, value: 1}",
            "at plan.yaml:3:1 (spec): there is no output format 'rang' (did you mean 'range'?)",
        ),
        (REST + "spec: {kind: pydantic}", "at plan.yaml:3:1 (spec): the key 'value' is missing"),
        (
            "\0",
            "at plan.yaml: this is not YAML: unacceptable character #x0000: special characters are "
            "not allowed",
        ),
    ],
)
def test_what_would_take_too_long_is_refused_at_once(text: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(InvalidSpec) as caught:
        parse_plan(text)
    assert time.process_time() - start < 2
    assert str(caught.value) == message


def test_aliases_of_use_are_read() -> None:
    shared = f"system: &s {'Be strict. ' * 100}"
    prompts = "\n".join(f"  p{i}: {{text: '{{text}}', system: *s}}" for i in range(100))
    text = "items: [{id: a, text: b}]\nspec: {range: 0..3}\nprompts:\n  p: {text: '{text}', "
    plan = parse_plan(f"{text}{shared}}}\n{prompts}\n")
    assert len({prompt.system for prompt in plan.prompts}) == 1
    assert len(plan.prompts) == 101


def test_a_pipe_a_device_and_a_folder_are_no_plan(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plan.yaml")
    for name, problem in (
        (tmp_path / "plan.yaml", "it is no regular file (write into one what it gives)"),
        (Path("/dev/zero"), "it is no regular file (write into one what it gives)"),
        (tmp_path, "Is a directory"),
        ("a\0b", "embedded null byte"),
    ):
        with pytest.raises(InvalidSpec) as caught:
            read_plan(name)
        assert str(caught.value) == f"at {name}: cannot read the plan: {problem}"


ITEM_FILES = {
    "deep.jsonl": ("[" * 100_000, "deep.jsonl:1: values are nested too deeply"),
    "deep.json": ('[{"id": ' + "[" * 100_000, "deep.json:1: values are nested too deeply"),
    "digits.jsonl": (
        '{"id": "a", "x": ' + "9" * 5000 + "}",
        "digits.jsonl:1: cannot be read: Exceed",
    ),
    "half.jsonl": ('{"id": "a\\ud800"}', "half.jsonl:1: id: "),
    "gold.jsonl": ('{"id": "a", "gold": 1' + "0" * 400 + "}", "gold.jsonl:1: the gold score 1000"),
    "wide.csv": (",".join(f"c{i}" for i in range(100_000)), "wide.csv: there are no items"),
}


@pytest.mark.parametrize("name", ITEM_FILES)
def test_a_file_of_items_with_anything_in_it_is_refused_at_once(name: str, tmp_path: Path) -> None:
    text, message = ITEM_FILES[name]
    (tmp_path / name).write_text(text, "utf-8")
    start = time.process_time()
    with pytest.raises(RecordError) as caught:
        parse_plan(f'items: {name}\nprompts: ["{{x}}"]\nspec: {{range: 0..3}}\n', folder=tmp_path)
    assert time.process_time() - start < 2
    assert message in str(caught.value)
    assert len(str(caught.value)) < LONGEST_MESSAGE
