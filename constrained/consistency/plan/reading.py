"""`read_plan`: a plan from a YAML file, with errors that name file, line and key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from constrained.arguments import shown
from constrained.consistency.plan.items import read_items
from constrained.consistency.plan.plan import Plan
from constrained.consistency.plan.problems import Place, read_place
from constrained.consistency.plan.yaml_text import MOST_IN_A_PLAN, YamlText
from constrained.errors import InvalidSpec
from constrained.files import file_text

__all__ = ["parse_plan", "read_plan"]

ITEM_KEYS = ("file", "id", "gold", "limit")
LOCAL = ("./", "../")
"""How a path begins that is meant from the plan file's folder."""


def read_plan(path: str | Path) -> Plan:
    """The plan in a YAML file; see docs/reference/plan.md for every key.

    Files that it names (items, prompts, schemas, adapters beginning with ``./`` or ``../``) are
    looked up from its own folder, and items, prompts and schemas are read into the plan.

    Raises `InvalidSpec` with file, line, column and key for anything wrong in the plan,
    `RecordError` with file and line for items, `MissingPackage` without PyYAML.

    >>> read_plan("plan.yaml")  # doctest: +SKIP
    """
    file = Path(path)
    try:
        text = file_text(file, MOST_IN_A_PLAN)
    except OSError as error:
        raise InvalidSpec(f"cannot read the plan: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidSpec(
            "the plan is not UTF-8 text",
            where=str(path),
            hint="a plan is a YAML file; stores of results are read by report, compare and gate",
        ) from error
    return parse_plan(text, name=str(path), folder=file.parent)


def parse_plan(text: str, *, name: str = "plan.yaml", folder: str | Path = ".") -> Plan:
    """The plan in a YAML text; `name` is its file's name and `folder` where other files are.

    >>> plan = parse_plan('''
    ... spec: "Score: {score:0..10}"
    ... items: [{id: e1, text: Cats purr.}]
    ... prompts: {short: "Grade: {text}", strict: "Grade strictly: {text}"}
    ... temperatures: [0.7, 1]
    ... ''')
    >>> plan.name, len(list(plan.cells()))
    ('plan', 4)
    """
    document = YamlText.read(text, name)
    document.check_size()
    try:
        if not isinstance(document.value, dict):
            raise InvalidSpec("a plan is made of keys and values, such as items: essays.jsonl")
        said = _Files(Path(folder)).filled(document.value)
        return Plan(**{"name": Path(name).stem, **said})
    except InvalidSpec as error:
        where = document.where(read_place(error.where))
        raise InvalidSpec(error.problem, where=where, hint=error.hint) from error


class _Files:
    """Puts what files hold in the place of their names; `folder` is the plan's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def filled(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What the plan says, with items, prompts, schemas and grammars read."""
        made = dict(said)
        if "part" in made:
            raise InvalidSpec("a plan file is the whole plan", where="part", hint="use --shard 1/4")
        if isinstance(made.get("items"), str | Mapping):
            made["items"] = self.items(made["items"])
        if isinstance(made.get("prompts"), Mapping):
            made["prompts"] = {
                name: self.wording(one, ("prompts", name)) for name, one in made["prompts"].items()
            }
        elif isinstance(made.get("prompts"), list):
            made["prompts"] = [
                self.wording(one, ("prompts", place)) for place, one in enumerate(made["prompts"])
            ]
        if isinstance(made.get("spec"), Mapping):
            made["spec"] = self.output(made["spec"])
        if isinstance(made.get("variants"), list):
            made["variants"] = [self.variant(one) for one in made["variants"]]
        elif isinstance(made.get("variants"), Mapping):
            made["variants"] = {k: self.variant(one) for k, one in made["variants"].items()}
        return made

    def items(self, said: Any) -> Any:
        """Items of a file, which is named alone or with what its fields mean."""
        options = {"file": said} if isinstance(said, str) else dict(said)
        unknown = [key for key in options if key not in ITEM_KEYS]
        if unknown:
            near = get_close_matches(unknown[0], ITEM_KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(ITEM_KEYS)}"
            raise InvalidSpec(
                f"there is no key {shown(unknown[0], 200)} here",
                where=f"items.{unknown[0]}",
                hint=hint,
            )
        if not isinstance(options.get("file"), str):
            hint = "write items: essays.jsonl, or a list of items"
            raise InvalidSpec("the key 'file' is missing", where="items", hint=hint)
        limit = options.get("limit")
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise InvalidSpec(f"{shown(limit, 200)} is no number of items", where="items.limit")
        names = {f"{key}_field": str(options[key]) for key in ("id", "gold") if key in options}
        return read_items(self.folder / options["file"], limit=limit, **names)

    def wording(self, said: Any, place: Place) -> Any:
        """A wording whose text may be in a file."""
        if isinstance(said, Mapping) and "file" in said:
            rest = {key: value for key, value in said.items() if key != "file"}
            return {**rest, "text": self.text(said["file"], place)}
        return said

    def output(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """An output format whose schema, grammar or text may be in a file."""
        made = dict(said)
        for kind in ("schema", "grammar", "substring"):
            held = made.get(kind)
            named = held.get("file") if isinstance(held, Mapping) and len(held) == 1 else None
            if kind == "schema" and isinstance(held, str):
                named = held
            if isinstance(named, str):
                text = self.text(named, ("spec", kind))
                made[kind] = self.json(text, named, ("spec", kind)) if kind == "schema" else text
        if isinstance(made.get("fields"), Mapping):
            made["fields"] = {
                name: self.output(one) if isinstance(one, Mapping) else one
                for name, one in made["fields"].items()
            }
        return made

    def variant(self, said: Any) -> Any:
        """A variant whose model or adapter may lie beside the plan."""
        if isinstance(said, str) and said.startswith(LOCAL):
            return self.beside(said)
        if not isinstance(said, Mapping):
            return said
        return {
            key: self.beside(value)
            if key in ("model", "adapter") and isinstance(value, str) and value.startswith(LOCAL)
            else value
            for key, value in said.items()
        }

    def beside(self, path: str) -> str:
        """A path as it is seen from the working folder; plainly a path, never a hub name."""
        whole = (self.folder / path).as_posix()
        return whole if whole.startswith(("/", *LOCAL)) else f"./{whole}"

    def text(self, name: Any, place: Place) -> str:
        """The text of a file beside the plan."""
        where = ".".join(map(str, place))
        if not isinstance(name, str):
            raise InvalidSpec(f"{shown(name, 200)} is no file name", where=where)
        try:
            return file_text(self.folder / name)
        except OSError as error:
            raise InvalidSpec(f"cannot read {name}: {error.strerror}", where=where) from error
        except UnicodeDecodeError as error:
            raise InvalidSpec(f"{name} is not UTF-8 text", where=where) from error

    def json(self, text: str, name: str, place: Place) -> Any:
        """The JSON value of a file's text."""
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidSpec(
                f"{name}:{error.lineno}:{error.colno} is not JSON: {error.msg}",
                where=".".join(map(str, place)),
            ) from error
        except (ValueError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            reason = "values are nested too deeply" if deep else str(error)
            raise InvalidSpec(
                f"{name} cannot be read: {reason}", where=".".join(map(str, place))
            ) from error
