"""`NumericalRooms`: the arithmetics a plan scores every cell with, as one facet of its grid."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any, Literal

from pydantic import field_validator

from constrained.consistency.plan.part import Part
from constrained.consistency.plan.parts import Attention, Variant, check_dtype
from constrained.errors import InvalidSpec

__all__ = ["NumericalRooms", "check_rooms", "room_names", "variant_in"]


class NumericalRooms(Part):
    """Dtypes, batches, attentions and adapter states; every combination is one numerical room.

    What is left empty is no part of the rooms: each variant's own setting holds. `adapter` is
    ``merged`` (worked into the weights) or ``apart``.

    >>> room_names(NumericalRooms(dtype=["float32", "bfloat16"], batch=[1, 8]))
    ('float32, batch 1', 'float32, batch 8', 'bfloat16, batch 1', 'bfloat16, batch 8')
    """

    dtype: tuple[str, ...] = ()
    batch: tuple[int, ...] = ()
    attention: tuple[Attention, ...] = ()
    adapter: tuple[Literal["merged", "apart"], ...] = ()

    @field_validator("dtype", "batch", "attention", "adapter", mode="before")
    @classmethod
    def _several(cls, said: Any) -> Any:
        return (said,) if isinstance(said, str | int) and not isinstance(said, bool) else said

    @field_validator("dtype", "batch", "attention", "adapter")
    @classmethod
    def _each_once(cls, said: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(said)) < len(said):
            raise InvalidSpec("a numerical room is named twice", hint="name each value once")
        return said

    @field_validator("dtype")
    @classmethod
    def _known(cls, said: tuple[str, ...]) -> tuple[str, ...]:
        for dtype in said:
            check_dtype(dtype)
        return said

    @field_validator("batch")
    @classmethod
    def _sizes(cls, said: tuple[int, ...]) -> tuple[int, ...]:
        for size in said:
            if not 1 <= size <= MOST_TOGETHER:
                raise InvalidSpec(
                    f"a batch of {size} is not between 1 and {MOST_TOGETHER}",
                    hint="write batch: [1, 8]",
                )
        return said

    @property
    def rooms(self) -> tuple[dict[str, Any], ...]:
        """Every combination, as what it changes of a variant; the last key changes fastest."""
        asked = [(key, getattr(self, key)) for key in type(self).model_fields if getattr(self, key)]
        if not asked:
            return ()
        keys = [key for key, _ in asked]
        return tuple(
            dict(zip(keys, values, strict=True)) for values in product(*(v for _, v in asked))
        )


MOST_TOGETHER = 256
"""Prompts of one pass."""


def room_names(rooms: NumericalRooms | None) -> tuple[str, ...]:
    """The name of every numerical room; one empty name where a plan has none."""
    return tuple(_name(room) for room in rooms.rooms) if rooms is not None else ("",)


def _name(room: dict[str, Any]) -> str:
    return ", ".join(f"batch {v}" if key == "batch" else str(v) for key, v in room.items())


def variant_in(variant: Variant, room: dict[str, Any]) -> Variant:
    """The variant as it answers in a numerical room.

    >>> variant_in(Variant(name="base"), {"dtype": "bfloat16", "batch": 8}).batch
    8
    """
    changes = {("merge" if key == "adapter" else key): value for key, value in room.items()}
    if "merge" in changes:
        changes["merge"] = changes["merge"] == "merged"
    return variant.model_copy(update=changes)


def check_rooms(rooms: NumericalRooms | None, variants: Iterable[Variant], kind: str) -> None:
    """Raise `InvalidSpec` for numerical rooms that a plan's variants or scoring cannot have."""
    named = list(variants)
    for place, variant in enumerate(named):
        if variant.batch > 1 and kind != "exact":
            raise _unbatched(f"variants[{place}].batch", kind)
    if rooms is None:
        return
    if not rooms.rooms:
        raise InvalidSpec(
            "there is no numerical room in it",
            where="rooms",
            hint="write rooms: {dtype: [float32, bfloat16]}, or leave it out",
        )
    if kind == "imported":
        raise InvalidSpec(
            "imported scores are not computed here", where="rooms", hint="leave rooms out"
        )
    if kind != "exact" and max(rooms.batch, default=1) > 1:
        raise _unbatched("rooms.batch", kind)
    for variant in named:
        if variant.endpoint is not None:
            raise InvalidSpec(
                f"variant {variant.name!r} is scored by a server, which chooses its arithmetic "
                "itself",
                where="rooms",
                hint="leave rooms out, or make a plan of its own for the models that run here",
            )
        if rooms.adapter and variant.adapter is None:
            raise InvalidSpec(
                f"variant {variant.name!r} has no adapter to merge",
                where="rooms.adapter",
                hint="leave adapter out of rooms, or the variant out of this plan",
            )
        if "merged" in rooms.adapter and variant.quantisation is not None:
            raise InvalidSpec(
                f"variant {variant.name!r} has packed weights, into which no adapter is merged",
                where="rooms.adapter",
                hint="leave quantisation or merged out",
            )


def _unbatched(where: str, kind: str) -> InvalidSpec:
    return InvalidSpec(
        f"{kind} scoring asks one prompt at a time",
        where=where,
        hint="write scoring: exact, or leave batch out",
    )
