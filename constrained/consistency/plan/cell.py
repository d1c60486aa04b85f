"""`Cell`: one place of the grid, with everything that is needed to score it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any

from constrained.chat import PromptIds
from constrained.consistency.plan.parts import Item, Variant, Wording
from constrained.consistency.records import Address
from constrained.prompts import PromptFormat

__all__ = ["Batch", "Cell", "batched"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Cells whose prompts share a pass of the model, in the plan's order, one for each prompt.

    Fixed by the plan: neither shards nor what is stored already change who shares a pass, so a
    cell's value is the same in every run.
    """

    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the grid.

    `address` says which one. `pair` are the item's fields that hold the answers of a pairwise
    judgement, the one that is shown first in front; None otherwise. `batch` are the cells that
    share its pass, itself among them; None where every prompt has a pass of its own.
    """

    address: Address
    item: Item
    prompt: Wording
    format: PromptFormat
    variant: Variant
    pair: tuple[str, str] | None = None
    batch: Batch | None = field(default=None, compare=False, repr=False)

    @property
    def prompt_address(self) -> Address:
        """What cells share whose prompts are the same: all of the address but the temperature."""
        return replace(self.address, temperature=0.0)

    @property
    def temperature(self) -> float:
        """The temperature of this cell."""
        return self.address.temperature

    @property
    def fields(self) -> Mapping[str, Any]:
        """The item's fields, with ``first`` and ``second`` for pairwise judging."""
        if self.pair is None:
            return self.item.fields
        first, second = self.pair
        shown = {"first": self.item.fields[first], "second": self.item.fields[second]}
        return {**self.item.fields, **shown}

    @property
    def text(self) -> str:
        """The wording with the item's fields in place, in no format yet."""
        return self.prompt.fill(self.fields)

    @property
    def system(self) -> str | None:
        """The system text of the wording; None for the format's own."""
        return self.prompt.fill_system(self.fields)

    def render(self, tokenizer: Any = None) -> str:
        """The prompt as a string; `tokenizer` is needed by the format ``template`` only.

        Raises `GenerationError` as `PromptFormat.render` does.
        """
        return self.format.render(
            self.text, self.system, tokenizer, chat_template_kwargs=self.chat_template_kwargs
        )

    @property
    def chat_template_kwargs(self) -> dict[str, Any] | None:
        """The variant's arguments of the chat template, where this cell's format is one."""
        chat = not self.format.last
        return (self.variant.chat_template_kwargs or None) if chat else None

    def encode(self, tokenizer: Any) -> list[int]:
        """The prompt's token ids, special tokens exactly once."""
        return list(self.prompt_ids(tokenizer).ids)

    def prompt_ids(self, tokenizer: Any) -> PromptIds:
        """The prompt for a `Generator`: ids, and the white space before an answer."""
        return self.format.prompt_ids(
            self.text,
            tokenizer,
            self.system,
            chat_template_kwargs=self.chat_template_kwargs,
        )

    def head(self, tokenizer: Any) -> list[int]:
        """The ids of the prompt with empty fields: it begins as the prompts of all items do."""
        empty: Mapping[str, Any] = defaultdict(str)
        text, system = self.prompt.fill(empty), self.prompt.fill_system(empty)
        return self.format.encode(
            text, tokenizer, system, chat_template_kwargs=self.chat_template_kwargs
        )


def batched(cells: Iterable[Cell], size: int) -> Iterator[Cell]:
    """The cells, each with its `Batch`: every `size` prompts in a row; the last may be fewer."""
    prompts = (list(alike) for _, alike in groupby(cells, lambda cell: cell.prompt_address))
    while together := list(islice(prompts, size)):
        batch = Batch(tuple(alike[0] for alike in together))
        for cell in (cell for alike in together for cell in alike):
            yield replace(cell, batch=batch)
