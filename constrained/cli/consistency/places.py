"""Where the stores of runs are, and which analysis a name on the command line means."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from constrained.cli import screen
from constrained.cli.formats import read_text
from constrained.errors import InvalidSpec, RecordError

if TYPE_CHECKING:
    from constrained.consistency.analysis import Analysis
    from constrained.consistency.plan import Plan

__all__ = ["Run", "command", "find_run", "is_plan", "prepare_folder", "save", "store_of"]

PLANS = {".yaml", ".yml"}
JSON = ".json"
STORE = ".db"
SQLITE = b"SQLite format 3\0"


def is_plan(name: str | Path) -> bool:
    """Whether a name is that of a plan: YAML."""
    return Path(name).suffix.lower() in PLANS


def store_of(plan: str | Path, store: Path | None = None, tag: str = "") -> Path:
    """The store of a plan's run: beside the plan, or where `store` says (a file or a folder).

    `tag` tells stores of parts apart.

    >>> store_of("runs/essays.yaml").as_posix(), store_of("essays.yaml", Path("x/"), "1-of-4").name
    ('runs/essays.db', 'essays.1-of-4.db')
    """
    file = Path(plan)
    name = f"{file.stem}{f'.{tag}' if tag else ''}{STORE}"
    if store is None:
        return file.with_name(name)
    return store / name if store.is_dir() or not store.suffix else store


def prepare_folder(store: Path) -> None:
    """Make the folder of a store that is to be written.

    Raises `InvalidSpec` for a name that would be read as a plan or as JSON, and `RecordError` when
    the folder cannot be made.
    """
    if store.suffix.lower() in {*PLANS, JSON}:
        raise InvalidSpec(
            "this is no name of a store", where=str(store), hint=f"name it {store.stem}{STORE}"
        )
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{store}: its folder cannot be made ({error.strerror})") from error


def save(path: Path, text: str) -> None:
    """Write a text, or print it when the path is ``-``.

    Raises `InvalidSpec` for a plan or a store, which would be lost, and `RecordError` when the file
    cannot be written.
    """
    if str(path) == "-":
        typer.echo(text.removesuffix("\n"))
        return
    try:
        if is_plan(path) or is_store(path):
            what = "plan" if is_plan(path) else "store"
            raise InvalidSpec(
                f"a report here would take the place of a {what}",
                where=str(path),
                hint="name another file",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordError(f"{path}: cannot be written ({error.strerror or error})") from error
    screen.log(f"wrote {path}")


def is_store(path: Path) -> bool:
    """Whether there is an SQLite file at a path."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def command(*words: object) -> str:
    """A command line that can be pasted into a shell.

    >>> command("report", "my essays.db")
    "constrained consistency report 'my essays.db'"
    """
    return shlex.join(["constrained", "consistency", *map(str, words)])


@dataclass(frozen=True)
class Run:
    """A run that is read: its store, or its analysis in JSON.

    `plan` is the plan as its file has it now: what it asks of the report goes before what the store
    remembers. None: the store's own.
    """

    path: Path
    plan: Plan | None = None

    @property
    def is_json(self) -> bool:
        """Whether it is an analysis that is finished already."""
        return self.path.suffix.lower() == JSON

    def analysis(self, settings: dict[str, Any]) -> Analysis:
        """The analysis, with `settings` as arguments of `analyse`; `RecordError` as there."""
        from constrained.consistency.analysis import analyse
        from constrained.consistency.report import from_json

        if self.is_json:
            if settings:
                raise InvalidSpec(
                    f"an analysis in JSON is finished, so {', '.join(settings)} cannot be chosen",
                    where=str(self.path),
                    hint="name the store of the run",
                )
            text = read_text(self.path, "the analysis")
            try:
                return from_json(text)
            except RecordError as error:
                raise RecordError(f"{self.path}: {error}") from error
        with self._opened() as store:
            return analyse(store, **{**self._asked(), **settings})

    def left(self) -> int:
        """How many cells of the plan are not stored yet; 0 for imported scores.

        An analysis in JSON does not say why a cell is missing, so every missing one counts.
        """
        if self.is_json:
            judges = self.analysis({}).judges
            return sum(judge.quality.planned - judge.quality.present for judge in judges)
        with self._opened() as store:
            plan = self.plan or store.plan()
            if plan is None or plan.scoring.kind == "imported":
                return 0
            return max(sum(1 for _ in plan.cells()) - len(store), 0)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        from constrained.consistency.store import Store

        with Store(self.path, create=False) as store:
            held = store.plan_text()
            if self.plan is not None and held is not None and held[1] != self.plan.digest:
                raise RecordError(
                    f"{self.path}: the store holds another plan ({held[0]!r}, {held[1][:12]}) than "
                    f"the file ({self.plan.digest[:12]}); run the plan into another store, with "
                    f"--store NEW.db --reuse {shlex.quote(str(self.path))}"
                )
            yield store

    def _asked(self) -> dict[str, Any]:
        """What the plan's file asks of the report."""
        if self.plan is None:
            return {}
        said = {
            "pass_mark": self.plan.pass_mark,
            "scale": self.plan.scale,
            "gold": {item.id: item.gold for item in self.plan.items if item.gold is not None},
            "gates": self.plan.gates,
            "title": self.plan.name,
        }
        return {name: value for name, value in said.items() if value is not None}


def find_run(name: str, store: Path | None = None) -> Run:
    """The run that a name means: a store, a folder with one, a plan, or an analysis in JSON.

    Raises `InvalidSpec` for a folder with several stores or none, and `RecordError` for a plan of
    which nothing is stored.
    """
    path = Path(name)
    if is_plan(path):
        from constrained.consistency.plan import read_plan

        plan = read_plan(path)
        held = store_of(path, store)
        if not held.exists():
            raise RecordError(
                f"{held}: nothing of the plan is stored (run: {command('run', name)})"
            )
        return Run(held, plan)
    if store is not None:
        raise InvalidSpec("--store says where the run of a plan is", hint="name one of them only")
    if not path.is_dir():
        return Run(path)
    found = sorted(path.glob(f"*{STORE}"))
    if len(found) != 1:
        names = ", ".join(one.name for one in found[:8])
        raise InvalidSpec(
            f"the folder has {f'{len(found)} stores ({names})' if found else 'no store'}",
            where=name,
            hint="name the store",
        )
    return Run(found[0])
