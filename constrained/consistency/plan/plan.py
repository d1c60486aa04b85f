"""`Plan`: the grid of a consistency run, as one frozen value that can be stored and hashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

from pydantic import Field, ValidationError, field_validator, model_validator

from constrained.arguments import shown
from constrained.consistency.plan.cell import Cell, batched
from constrained.consistency.plan.checks import (
    LISTED_SCORES,
    check_arguments,
    check_asking,
    check_fields,
    check_judges,
    check_names,
    check_pass_mark,
    check_scores,
    check_selection,
    same_level,
)
from constrained.consistency.plan.hashing import digest_of, share_of
from constrained.consistency.plan.numerics import (
    NumericalRooms,
    check_rooms,
    room_names,
    variant_in,
)
from constrained.consistency.plan.output import OutputFormat, range_parts
from constrained.consistency.plan.part import Part
from constrained.consistency.plan.parts import (
    Item,
    PlannedGate,
    Scoring,
    Selection,
    Variant,
    Wording,
)
from constrained.consistency.plan.problems import invalid
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import score_of
from constrained.errors import InvalidSpec, RecordError, SpecError
from constrained.prompts import FORMATS, PromptFormat, prompt_format
from constrained.spec.spec import Spec

__all__ = ["Plan"]

LONGEST_SCALE = 100_000


class Plan(Part):
    r"""Items x prompts x formats x variants x temperatures x rooms, and how a cell is scored.

    `items`, `prompts` and `variants` may be given as their classes or as mappings; prompts also as
    texts (named p1, p2, ...); prompts, variants and gates as a mapping from names to the rest.
    `spec` is anything that `OutputFormat` takes, `score` the field of its value that is the score
    ("": the only number, or the pair of a pairwise judgement). `temperatures` apply to every
    variant, `rooms` are the arithmetics that every cell is scored with. `scale` are all scores that
    the rubric knows, ascending (also as ``0..10``); None: those that the format
    allows. `part` is (i, n) for shard i of n.

    Raises `InvalidSpec` (a `ValueError`) for anything that does not fit, with the place.

    >>> plan = Plan(
    ...     name="demo",
    ...     spec="Score: {score:0..10}",
    ...     items=[{"id": "e1", "text": "Cats purr."}, {"id": "e2", "text": "Dogs bark."}],
    ...     prompts={"plain": "Grade: {text}\n", "strict": "Grade strictly: {text}\n"},
    ... )
    >>> [(cell.address.item, cell.address.prompt) for cell in plan.cells()]
    [('e1', 'plain'), ('e2', 'plain'), ('e1', 'strict'), ('e2', 'strict')]
    >>> plan.score_of(plan.spec_of().parse("Score: 7"))
    7.0
    """

    name: str = Field(min_length=1)
    spec: OutputFormat
    items: tuple[Item, ...] = Field(min_length=1)
    prompts: tuple[Wording, ...] = Field(min_length=1)
    formats: tuple[str, ...] = Field(default=("plain",), min_length=1)
    variants: tuple[Variant, ...] = Field(default=(Variant(name="model"),), min_length=1)
    temperatures: tuple[float, ...] = Field(default=(1.0,), min_length=1)
    rooms: NumericalRooms | None = None
    scoring: Scoring = Scoring()
    score: str = ""
    seed: int = Field(default=0, ge=0, lt=2**63)
    pass_mark: float | None = None
    scale: tuple[float, ...] | None = None
    gates: tuple[PlannedGate, ...] = ()
    grid: Selection = Selection()
    part: tuple[int, int] | None = None

    REPORTING: ClassVar[tuple[str, ...]] = ("name", "pass_mark", "scale", "gates", "part")
    """What decides how results are reported, and none of the results."""

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise invalid(error, type(self)) from error
        except RecursionError as error:
            raise InvalidSpec("values are nested too deeply") from error

    @field_validator("prompts", mode="before")
    @classmethod
    def _named_prompts(cls, said: Any) -> Any:
        if isinstance(said, list | tuple):
            return [
                {"name": f"p{place}", "text": one} if isinstance(one, str) else one
                for place, one in enumerate(said, start=1)
            ]
        return _named(said, "text")

    @field_validator("variants", mode="before")
    @classmethod
    def _named_variants(cls, said: Any) -> Any:
        return _named(said, "model")

    @field_validator("gates", mode="before")
    @classmethod
    def _named_gates(cls, said: Any) -> Any:
        return _named(said, "bound")

    @field_validator("scale", mode="before")
    @classmethod
    def _written_scale(cls, said: Any) -> Any:
        if not isinstance(said, str):
            return said
        low, high, step, _ = range_parts(said)
        if low is None or high is None or (step is not None and step <= 0) or low > high:
            raise InvalidSpec(f"the scale {shown(said, 200)} has no two ends", hint="write 0..10")
        steps = int((high - low) // (step or 1))
        if steps >= LONGEST_SCALE:
            problem = f"the scale {shown(said)} has more than {LONGEST_SCALE:,} scores"
            raise InvalidSpec(problem, hint="use a step")
        return tuple(float(low + place * (step or 1)) for place in range(steps + 1))

    @field_validator("scale")
    @classmethod
    def _ascending(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is not None and (len(values) < 2 or list(values) != sorted(set(values))):
            raise InvalidSpec("a scale is two or more scores, ascending", hint="write 0..10")
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Plan:
        check_names(self.levels)
        check_fields(self.items, self.prompts, self.scoring.pair)
        check_selection(self.levels, self.grid)
        if self.part is not None and not 1 <= self.part[0] <= self.part[1]:
            raise InvalidSpec(
                f"there is no shard {self.part[0]} of {self.part[1]}", hint="write 1/4 to 4/4"
            )
        check_asking(self.formats, self.temperatures, self.scoring.kind)
        check_arguments(self.variants, self.formats)
        check_rooms(self.rooms, self.variants, self.scoring.kind)
        check_judges((gate.judge for gate in self.gates), self.levels["variant"])
        self._check_scores()
        if self.part is None and next(self.cells(), None) is None:
            raise InvalidSpec("no cell is left", where="grid", hint="leave fewer of them out")
        return self

    # -- the grid

    @property
    def levels(self) -> dict[str, tuple[Any, ...]]:
        """The levels of every facet, in the plan's order, under the names of `Address`."""
        return {
            "item": tuple(item.id for item in self.items),
            "prompt": tuple(prompt.name for prompt in self.prompts),
            "format": self.formats,
            "variant": tuple(variant.name for variant in self.variants),
            "temperature": self.temperatures,
            "order": self.scoring.orders or ("",),
            "numerics": room_names(self.rooms),
        }

    @cached_property
    def computing(self) -> tuple[tuple[str, Variant], ...]:
        """Every variant as it answers in every numerical room: (the room's name, the variant)."""
        rooms = self.rooms.rooms if self.rooms is not None else ({},)
        names = room_names(self.rooms)
        return tuple(
            (name, variant_in(variant, room))
            for variant in self.variants
            for name, room in zip(names, rooms, strict=True)
        )

    def cells(self) -> Iterator[Cell]:
        """The cells of this plan (of its part, for a shard), each once, in a fixed order.

        Variants and rooms change slowest, so that a model is loaded once; temperatures fastest,
        because cells that differ by temperature alone share the work of the model.

        Where prompts share a pass (`Variant.batch`), each cell has its `Batch`: so many prompts of
        the whole plan in this order, whatever is stored already and whichever shard asks.
        """
        for room, variant in self.computing:
            cells = self._cells_of(room, variant)
            for cell in cells if variant.batch == 1 else batched(cells, variant.batch):
                if self._in_part(cell):
                    yield cell

    def _cells_of(self, room: str, variant: Variant) -> Iterator[Cell]:
        """The cells of a variant in a numerical room, those of all shards."""
        formats = [self._format(name) for name in self.formats]
        orders = self.scoring.orders or ("",)
        rows = product(formats, self.prompts, self.items, orders, self.temperatures)
        for layout, prompt, item, order, heat in rows:
            address = Address(item.id, prompt.name, layout.name, variant.name, heat, order, room)
            if self._holds(address):
                yield Cell(address, item, prompt, layout, variant, self._shown(order))

    def shard(self, i: int, n: int) -> Plan:
        """Part `i` of `n` (1 to n): every cell is in exactly one part, chosen by hash.

        The digest is that of the whole plan, so the stores of all parts can be merged.
        """
        if self.part is not None:
            raise InvalidSpec(f"the plan is shard {self.part[0]} of {self.part[1]} already")
        return Plan(**{**self._said(), "part": (i, n)})

    def with_options(self, **changes: Any) -> Plan:
        """The plan with some parts changed, checked again."""
        return Plan(**{**self._said(), **changes})

    # -- what it is stored as

    @cached_property
    def digest(self) -> str:
        """Hash of everything that decides results; name, pass mark, gates and part are left out.

        So are gold scores and devices: the same cells scored elsewhere are the same run.
        """
        said = self.model_dump(mode="json", exclude=set(self.REPORTING))
        for item in said["items"]:
            del item["gold"]
        for variant in said["variants"]:
            del variant["device"]
            if not variant["chat_template_kwargs"]:  # so that plans without any keep their digest
                del variant["chat_template_kwargs"]
            for name, usual in Variant.COMPUTING.items():
                if variant[name] == usual:
                    del variant[name]
        if self.rooms is None:
            del said["rooms"]
        return digest_of(said)

    @cached_property
    def settled(self) -> str:
        """Hash of what all cells share: output format, score, and how a cell is scored."""
        scoring = self.scoring.model_dump(mode="json", exclude={"orders"})
        if self.scoring.kind in ("exact", "mode") and self.support is not None:
            del scoring["max_new_tokens"]
        spec = self.spec.model_dump(mode="json")
        return digest_of({"spec": spec, "score": self.score, "scoring": scoring})

    def to_json(self) -> str:
        """All of the plan as JSON text; `from_json` reads it."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote; `RecordError` when the text is no plan."""
        try:
            return cls.model_validate_json(text)
        except (ValidationError, InvalidSpec) as error:
            raise RecordError(f"the stored plan cannot be read: {error}") from error

    # -- scores

    def spec_of(self) -> Spec[Any]:
        """The compiled output format."""
        return self.spec.spec

    def score_of(self, value: Any) -> Score:
        """The score in a value that the output format read; `RecordError` when there is none."""
        return score_of(value, self.score)

    @cached_property
    def support(self) -> tuple[Score, ...] | None:
        """All scores that the format allows, ascending; None when there are too many to list."""
        spec = self.spec_of()
        outputs = spec.summary().outputs
        if outputs is None or outputs > LISTED_SCORES:
            return None
        scores = {self.score_of(spec.parse(text)) for text in spec.enumerate()}
        return tuple(sorted(scores))

    @property
    def rubric(self) -> tuple[float, ...]:
        """All single scores that a judge can give or the scale knows, ascending; () if unknown.

        Unknown they are for pairs, for imported scores, and for formats with too many.
        """
        if self.scoring.kind == "imported" or self.scoring.pair is not None:
            return ()
        scores = [score for score in self.support or () if not isinstance(score, tuple)]
        return tuple(sorted({*scores, *(self.scale or ())})) if scores else ()

    # -- checks

    def _said(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}

    def _shown(self, order: str) -> tuple[str, str] | None:
        if self.scoring.pair is None:
            return None
        one, other = self.scoring.pair
        return (one, other) if order == "ab" else (other, one)

    def _format(self, name: str) -> PromptFormat:
        if self.scoring.kind == "imported":  # from elsewhere, where other formats may have names
            return FORMATS.get(name, PromptFormat(name, last="{text}"))
        return prompt_format(name)

    def _holds(self, address: Address) -> bool:
        grid = self.grid
        if grid.include and not any(_fits(address, entry) for entry in grid.include):
            return False
        if any(_fits(address, entry) for entry in grid.exclude):
            return False
        return not (grid.share < 1 and share_of("share", self.seed, address) >= grid.share)

    def _in_part(self, cell: Cell) -> bool:
        """Whether this shard has the cell; those of one pass go together."""
        if self.part is None:
            return True
        i, n = self.part
        first = cell.address if cell.batch is None else cell.batch.cells[0].address
        return int(share_of("shard", 0, first) * n) == i - 1

    def _check_scores(self) -> None:
        try:
            spec = self.spec_of()
        except SpecError as error:
            # A pydantic model is imported when a plan is made; a report opens the plan without it.
            if self.spec.kind == "pydantic":
                return
            raise InvalidSpec(str(error), where="spec") from error
        check_scores(spec, self.scoring, self.score)
        if self.pass_mark is not None:
            check_pass_mark(self.pass_mark, self.rubric)


def _named(said: Any, key: str) -> Any:
    """``{name: part}`` as a list of parts with names; a part that is no mapping is its `key`."""
    if not isinstance(said, Mapping):
        return said
    return [
        {"name": name, **(one if isinstance(one, Mapping) else {key: one})}
        for name, one in said.items()
    ]


def _fits(address: Address, entry: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a cell lies on the levels that an entry of a selection names."""
    return all(
        any(same_level(getattr(address, facet), name) for name in names)
        for facet, names in entry.items()
    )
