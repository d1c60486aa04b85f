"""What a plan is made of: items, wordings, variants, scoring, gates, and the cells left out."""

from __future__ import annotations

import string
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from constrained.arguments import shown
from constrained.consistency.bounds import check_bound
from constrained.consistency.plan.part import Part, json_value, plain_value, written
from constrained.errors import InvalidSpec

__all__ = [
    "Attention",
    "Gold",
    "Item",
    "PlannedGate",
    "Scoring",
    "Selection",
    "Variant",
    "Wording",
    "check_dtype",
]

Gold: TypeAlias = float | tuple[float, float]
"""A score given by people; two of them for pairwise judging."""


class Item(Part):
    """What is scored: an essay, a quote, an answer; or two answers for pairwise judging.

    `fields` are what a wording may use as ``{text}``. `gold` is the score that people gave.
    A mapping without ``fields`` is read as ``{id, gold, and the fields}``.

    >>> Item.model_validate({"id": "e1", "text": "Cats purr.", "gold": 7}).fields
    {'text': 'Cats purr.'}
    """

    id: str = Field(min_length=1)
    fields: dict[str, Any] = Field(default_factory=dict)
    gold: Gold | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, said: Any) -> Any:
        if isinstance(said, Mapping) and "fields" not in said:
            fields = {str(k): v for k, v in said.items() if k not in ("id", "gold")}
            said = {**{k: v for k, v in said.items() if k in ("id", "gold")}, "fields": fields}
        if isinstance(said, Mapping) and isinstance(said.get("id"), int):
            said = {**said, "id": str(said["id"])}
        return said

    @field_validator("fields", mode="before")
    @classmethod
    def _plain(cls, fields: Any) -> Any:
        return plain_value(fields)


class Wording(Part):
    """One way to ask: a text with fields such as ``{text}``, and a system text if there is one.

    ``{{`` and ``}}`` are braces. Only plain names may stand between braces, so what an item holds
    never decides what is looked up.

    >>> Wording(name="strict", text="Be strict. {text}").fill({"text": "Cats {purr}."})
    'Be strict. Cats {purr}.'
    """

    name: str = Field(min_length=1)
    text: str
    system: str | None = None

    @field_validator("text", "system")
    @classmethod
    def _well_formed(cls, text: str | None) -> str | None:
        if text is not None:
            _pieces(text)
        return text

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields that the texts use, each once, in order."""
        pieces = [*_pieces(self.text), *_pieces(self.system or "")]
        return tuple(dict.fromkeys(name for _, name in pieces if name is not None))

    def fill(self, fields: Mapping[str, Any]) -> str:
        """The text with an item's fields in place."""
        return _filled(self.text, fields)

    def fill_system(self, fields: Mapping[str, Any]) -> str | None:
        """The system text with an item's fields in place; None when there is none."""
        return None if self.system is None else _filled(self.system, fields)


def _filled(text: str, fields: Mapping[str, Any]) -> str:
    return "".join(
        literal + ("" if name is None else written(fields[name])) for literal, name in _pieces(text)
    )


def _pieces(text: str) -> list[tuple[str, str | None]]:
    """Literal texts, each with the name of the field that follows it; `InvalidSpec` for others."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        hint = "write {{ and }} for braces in the text"
        raise InvalidSpec(
            f"the braces of {shown(text, 200)} do not match: {error}", hint=hint
        ) from error
    for _, name, spec, conversion in pieces:
        if name is not None and (not name.isidentifier() or spec or conversion):
            raise InvalidSpec(
                f"{{{name}}} is no field: only a name may stand between braces",
                hint="write {name}, or {{ and }} for braces in the text",
            )
    return [(literal, name) for literal, name, _, _ in pieces]


Attention: TypeAlias = Literal["eager", "sdpa"]
"""Implementations of attention that can read a tree of answers behind a prompt."""

DTYPES = ("float32", "float16", "bfloat16", "float64")
"""Types that models are computed in."""


def check_dtype(dtype: str) -> None:
    """Raise `InvalidSpec` for what is no type that a model can be computed in."""
    if dtype not in DTYPES:
        near = get_close_matches(dtype, DTYPES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(DTYPES)}"
        raise InvalidSpec(f"there is no dtype {shown(dtype, 200)} to compute in", hint=hint)


class Variant(Part):
    """Who scores: a model, with an adapter, in a dtype, on a device, quantised or not.

    `model` is what `constrained.models.load_model` takes, or with an `endpoint` (the base URL of
    an OpenAI-compatible server) the server's name for it. `quantisation` is ``8bit`` or ``4bit``.
    `chat_template_kwargs` are arguments of the chat template, such as ``enable_thinking: false``:
    for the prompt format ``template``, and for a server that puts chats into its model's own.

    How it computes: `attention` (None: what the model library takes), `merge` for an adapter that
    is worked into the weights, `batch` for how many prompts of the plan share a pass. Where a plan
    has numerical rooms, these and the dtype come from there.

    >>> Variant(name="tuned", model="smollm2", adapter="./lora").dtype
    'auto'
    """

    name: str = Field(min_length=1)
    model: str = "smollm2"
    adapter: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    quantisation: Literal["8bit", "4bit"] | None = None
    endpoint: str | None = None
    trust_remote_code: bool = False
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    attention: Attention | None = None
    merge: bool = False
    batch: int = Field(default=1, ge=1, le=256)

    COMPUTING: ClassVar[Mapping[str, Any]] = {"attention": None, "merge": False, "batch": 1}
    """What plans of before did not say, and what it is then: left out of their digests and keys."""

    @field_validator("chat_template_kwargs")
    @classmethod
    def _storable(cls, said: dict[str, Any]) -> Any:
        return json_value(said)

    @model_validator(mode="after")
    def _either_here_or_there(self) -> Variant:
        if self.endpoint is not None and (self.adapter or self.quantisation):
            raise InvalidSpec(
                f"variant {self.name!r} is scored by a server, which chooses adapter and "
                "quantisation itself",
                hint="leave them out, and name the server's model",
            )
        if self.endpoint is not None and (self.attention or self.merge or self.batch > 1):
            raise InvalidSpec(
                f"variant {self.name!r} is scored by a server, which chooses its arithmetic itself",
                hint="leave attention, merge and batch out",
            )
        if self.merge and self.adapter is None:
            raise InvalidSpec(
                f"variant {self.name!r} has no adapter to merge", hint="leave merge out"
            )
        if self.merge and self.quantisation is not None:
            raise InvalidSpec(
                f"variant {self.name!r} has packed weights, into which no adapter is merged",
                hint="leave quantisation or merge out",
            )
        return self


class Scoring(Part):
    """How a cell is scored; see `constrained.consistency.records.Kind`.

    Plans of ``imported`` scores describe what was found elsewhere; they cannot be run.

    `draws` is how many texts are drawn in a cell (sampled and reasoned cells). `max_new_tokens`
    bounds each. `pair` names the two fields of an item that hold the answers to compare: a wording
    uses them as ``{first}`` and ``{second}``, and every order in `orders` is a cell of its own.
    ``"pairwise"`` alone stands for exact scoring of the fields ``answer_a`` and ``answer_b``.
    `free` asks exact and reasoned cells for the free model's distribution and the removed mass too:
    that reads what follows the score in every output.

    >>> Scoring.model_validate("pairwise").orders
    ('ab', 'ba')
    """

    kind: Literal["exact", "sampled", "mode", "reasoned", "imported"] = "exact"
    draws: int = Field(default=0, ge=0, le=100_000)
    max_new_tokens: int = Field(default=256, ge=1, le=1_000_000)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    free: bool = True
    pair: tuple[str, str] | None = None
    orders: tuple[Literal["ab", "ba"], ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, said: Any) -> Any:
        if isinstance(said, str):
            said = {"kind": said}
        if isinstance(said, Mapping) and said.get("kind") == "pairwise":
            said = {"pair": ("answer_a", "answer_b"), **said, "kind": "exact"}
        if isinstance(said, Mapping) and said.get("pair") is not None and "orders" not in said:
            said = {**said, "orders": ("ab", "ba")}
        return said

    @model_validator(mode="after")
    def _fits(self) -> Scoring:
        drawn = self.kind in ("sampled", "reasoned")
        if drawn and not self.draws:
            raise InvalidSpec(
                f"{self.kind} scoring needs a number of draws", hint="write draws: 10"
            )
        if not drawn and self.draws:
            raise InvalidSpec(
                f"{self.kind} scoring draws nothing",
                hint="leave draws out, or write kind: sampled",
            )
        if not self.free and self.kind not in ("exact", "reasoned"):
            raise InvalidSpec(
                f"{self.kind} scoring asks nothing of the free model", hint="leave free out"
            )
        if self.orders and self.pair is None:
            raise InvalidSpec("orders need a pair of answers", hint="write pair: [one, other]")
        if len(set(self.orders)) < len(self.orders):
            raise InvalidSpec("an order is named twice", hint="write orders: [ab, ba]")
        return self


class PlannedGate(Part):
    """A bound that the judges are to keep; `name` is one of `constrained.consistency.bounds`.

    `at` is the pass rate that ``max_gate_risk`` is about, `judge` the variant that is held to it
    ("": every one).

    >>> PlannedGate(name="max_sem", bound=0.5).judge
    ''
    """

    name: str
    bound: float
    at: float | None = None
    judge: str = ""

    @model_validator(mode="after")
    def _decides(self) -> PlannedGate:
        check_bound(self.name, self.bound, self.at)
        return self


Choice: TypeAlias = dict[str, tuple[Any, ...]]


class Selection(Part):
    """Which cells of the full grid belong to a plan.

    A cell is in when it fits any entry of `include` (or there is none) and no entry of `exclude`.
    An entry names levels of facets: ``{prompt: [p1, p2], variant: base}``. Of what is left, a
    `share` (0 to 1) is kept, chosen by hash: the same cells in every run.

    >>> Selection.model_validate({"exclude": [{"prompt": "p3"}]}).exclude
    ({'prompt': ('p3',)},)
    """

    include: tuple[Choice, ...] = ()
    exclude: tuple[Choice, ...] = ()
    share: float = Field(default=1.0, gt=0, le=1)

    @field_validator("include", "exclude", mode="before")
    @classmethod
    def _lists(cls, said: Any) -> Any:
        if not isinstance(said, list | tuple):
            return said
        return tuple(
            {k: tuple(v) if isinstance(v, list | tuple) else (v,) for k, v in one.items()}
            if isinstance(one, Mapping)
            else one
            for one in said
        )
