"""Which model answers for a variant: one base in memory at a time, its adapters switched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from constrained.chat import check_arguments
from constrained.consistency.plan import Plan, Variant
from constrained.consistency.scoring.model_scorer import ModelScorer
from constrained.consistency.scoring.task import Scorer
from constrained.errors import ModelError

__all__ = ["LoadedModels", "shared_base"]


def _silence(_message: str) -> None:
    """Tell nobody."""


DRAWS_AT_ONCE = 64
"""Draws of one cell that share a batch."""


class LoadedModels:
    """The scorers of a plan's variants, on models loaded here (`Scorers`).

    Variants that differ by their adapter alone share one base: it is loaded once and the adapters
    are switched. Another base takes the place of the one before. `notify` is told what takes time.

    >>> scorers = LoadedModels(plan)  # doctest: +SKIP
    >>> with scorers(plan.variants[0]) as scorer:  # doctest: +SKIP
    ...     records = list(scorer.score(tasks))
    """

    def __init__(self, plan: Plan, notify: Callable[[str], None] = _silence) -> None:
        self.plan = plan
        self.loads = 0
        """How many times a base was loaded."""
        self._notify = notify
        self._apart: set[tuple[Any, ...]] = set()
        self._base: tuple[Any, ...] | None = None
        self._variants: Any = None
        self._scorer: ModelScorer | None = None

    @contextmanager
    def __call__(self, variant: Variant) -> Iterator[Scorer]:
        """The scorer of a variant; raises what `load_model` raises.

        `GenerationError` for an argument that the model's chat template does not read.
        """
        if variant.endpoint is not None:
            raise ModelError(
                variant.model,
                f"variant {variant.name!r} is scored by a server, not by a model that is loaded",
                hint="pass scorers that ask the server",
            )
        if self._base != self._base_of(variant):
            self._load(variant)
        if self._scorer is None:
            raise ModelError(variant.model, "the model is not loaded", hint="load it again")
        check_arguments(self._scorer.generator.tokenizer, variant.chat_template_kwargs)
        if self._variants is None:
            yield self._scorer
            return
        with self._variants.use(self._adapter_name(variant)):
            yield self._scorer

    def close(self) -> None:
        """Let go of the model."""
        self._base = self._variants = self._scorer = None

    def _load(self, variant: Variant) -> None:
        from constrained.generation import Generator
        from constrained.models import load_model, load_variants

        self.close()  # before the next one is loaded: both may not fit
        adapters = self._adapters(variant)
        options: dict[str, Any] = {
            "device": variant.device,
            "dtype": variant.dtype,
            "quantize": variant.quantisation,
            "attention": variant.attention,
            "trust_remote_code": variant.trust_remote_code,
            "notify": self._notify,
        }
        self.loads += 1
        if not adapters:
            if variant.merge:
                options |= {"adapter": variant.adapter, "merge": True}
            model, tokenizer = load_model(variant.model, **options)
        else:
            named = {f"a{place}": path for place, path in enumerate(adapters)}
            try:
                self._variants = load_variants(variant.model, named, **options)
            except ModelError:
                if len(adapters) == 1:
                    raise
                # Adapters of different kinds cannot be in memory together.
                self._apart.add(shared_base(variant))
                self._load(variant)
                return
            model, tokenizer = self._variants.model, self._variants.tokenizer
        self._scorer = ModelScorer(self.plan, Generator(model, tokenizer, batch_size=DRAWS_AT_ONCE))
        self._base = self._base_of(variant)

    def _base_of(self, variant: Variant) -> tuple[Any, ...]:
        """What variants have to share for what is loaded to serve them."""
        shared = shared_base(variant)
        return (*shared, variant.adapter) if shared in self._apart else shared

    def _adapters(self, variant: Variant) -> list[str]:
        """The adapters that are switched on a base, each once, in order."""
        if variant.merge:
            return []
        base = self._base_of(variant)
        alike = [v for _, v in self.plan.computing if self._base_of(v) == base]
        return list(dict.fromkeys(v.adapter for v in alike if v.adapter is not None))

    def _adapter_name(self, variant: Variant) -> str:
        """What PEFT calls the variant's adapter: paths are no names."""
        from constrained.models.variants import BASE

        if variant.adapter is None:
            return BASE
        return f"a{self._adapters(variant).index(variant.adapter)}"


def shared_base(variant: Variant) -> tuple[Any, ...]:
    """What variants have to agree on for one base model in memory to serve them.

    >>> plain, tuned = Variant(name="base"), Variant(name="tuned", adapter="./lora")
    >>> shared_base(plain) == shared_base(tuned)
    True
    """
    return (
        variant.model,
        variant.dtype,
        variant.device,
        variant.quantisation,
        variant.trust_remote_code,
        variant.endpoint,
        variant.attention,
        variant.adapter if variant.merge else None,
    )
