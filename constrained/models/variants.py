"""`Variants`: a base and its adapters in memory together, switched without reloading."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import RLock
from typing import Any

from constrained.errors import ModelError
from constrained.models.loading import (
    DEFAULT_MODEL,
    Notify,
    add_adapter,
    load_model,
    merge_adapter,
    quiet_libraries,
    silence,
)

__all__ = ["BASE", "Variants", "load_variants"]

BASE = "base"
"""The name of the variant without an adapter."""


class Variants:
    """One model under several names: ``base``, and one for each of its PEFT adapters.

    `model` and `tokenizer` go to a `Generator` or a `LogitsMask` once; which variant answers is
    decided by `use`. Outside of it the base answers. Only one thread at a time is inside `use`,
    so no other can change the variant during a generation.

    >>> variants = load_variants("smollm2", {"strict": "./strict"})  # doctest: +SKIP
    >>> generator = Generator(variants.model, variants.tokenizer)  # doctest: +SKIP
    >>> with variants.use("strict"):  # doctest: +SKIP
    ...     result = generator(prompt, spec)
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.names = (BASE, *model.peft_config)
        self._lock = RLock()
        self._disabled = ExitStack()
        self._active = ""
        self._switch(BASE)

    @property
    def active(self) -> str:
        """The name of the variant that answers now."""
        return self._active

    @contextmanager
    def use(self, name: str) -> Iterator[Any]:
        """Let the variant `name` answer inside the ``with`` block; gives the model.

        May be nested; afterwards the variant from before answers again. `ModelError` for a name
        that is not in `names`.
        """
        self._check(name)
        with self._lock:
            before = self._active
            self._switch(name)
            try:
                yield self.model
            finally:
                self._switch(before)

    def merged(self, name: str) -> Any:
        """A model of its own with the adapter `name` worked into its weights: a copy, and faster.

        Raises `ModelError` for adapters that are not changes of weights (virtual tokens), and for
        a name that is not in `names`.
        """
        with self.use(name), quiet_libraries():
            if name == BASE:
                inner = copy.deepcopy(self.model.get_base_model())
                return inner.eval()
            return merge_adapter(copy.deepcopy(self.model), name)

    def __repr__(self) -> str:
        kind = type(self.model.get_base_model()).__name__
        return f"Variants({kind}: {', '.join(self.names)}; active: {self.active})"

    def _check(self, name: str) -> None:
        if name not in self.names:
            hint = f"there are {', '.join(self.names)}"
            raise ModelError(name, "there is no such variant", hint=hint)

    def _switch(self, name: str) -> None:
        if name == self._active:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self._disabled.close()
            if name == BASE:
                self._disabled.enter_context(self.model.disable_adapter())
            else:
                self.model.set_adapter(name)
        self._active = name


def load_variants(
    name_or_path: str = DEFAULT_MODEL,
    adapters: Mapping[str, str] | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    attention: str | None = None,
    trust_remote_code: bool = False,
    notify: Notify = silence,
) -> Variants:
    """Load a base once and several PEFT adapters on top; `adapters` is name: path or hub name.

    The adapters have to be of one kind (all LoRA, all prefix tuning, ...), as PEFT wants it.
    Arguments and errors otherwise as for `load_model`.

    >>> variants = load_variants("smollm2", {"scorer": "./adapter"})  # doctest: +SKIP
    """
    chosen = dict(adapters or {})
    if not chosen:
        hint = 'pass adapters={"name": "path"}, or use load_model'
        raise ModelError(name_or_path, "there is no adapter to switch to", hint=hint)
    for name in chosen:
        if not name or name == BASE or "." in name:
            problem = "this cannot be the name of an adapter"
            raise ModelError(name, problem, hint=f"not empty, without dots, and not {BASE!r}")
    (first, path), *others = chosen.items()
    model, tokenizer = load_model(
        name_or_path,
        device=device,
        dtype=dtype,
        adapter=path,
        adapter_name=first,
        quantize=quantize,
        attention=attention,
        trust_remote_code=trust_remote_code,
        notify=notify,
    )
    with quiet_libraries():
        for name, path in others:
            notify(f"Loading the adapter {path}")
            add_adapter(model, path, name)
    model.eval()
    return Variants(model, tokenizer)
