"""`load_model`: a model and its tokenizer from a folder, a hub name or the packaged default."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from os import PathLike, fspath
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from constrained.arguments import text_argument
from constrained.errors import MissingPackage, ModelError
from constrained.models.quantization import quantization_config
from constrained.models.smollm2 import NAME, Notify, smollm2_folder
from constrained.packages import remedy

if TYPE_CHECKING:
    import torch

__all__ = [
    "DEFAULT_MODEL",
    "Notify",
    "add_adapter",
    "load_model",
    "load_tokenizer",
    "merge_adapter",
    "model_folder",
    "model_name",
    "quiet_libraries",
    "read_tokenizer",
    "require",
    "silence",
]

DEFAULT_MODEL = NAME
UNLOADABLE = (OSError, ValueError, ImportError, KeyError, RuntimeError)
"""What transformers raises for models that it cannot read."""
INSTALL = remedy("hf")


def silence(_message: str) -> None:
    """Tell nobody."""


def load_model(
    name_or_path: str | PathLike[str] = DEFAULT_MODEL,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    adapter: str | PathLike[str] | None = None,
    adapter_name: str = "default",
    merge: bool = False,
    quantize: str | None = None,
    attention: str | None = None,
    trust_remote_code: bool = False,
    notify: Notify = silence,
) -> tuple[Any, Any]:
    """Load a transformers model and its tokenizer, in evaluation mode.

    `name_or_path` is ``smollm2`` (see `constrained.models.smollm2`), a local folder, or a name on
    the model hub. `device` is ``auto`` (the first GPU, else the CPU) or what torch calls it.
    `dtype` is ``auto`` (the one the weights are stored in) or torch's name (``float32``,
    ``bfloat16``); torch's own objects will do for both. `adapter` is the path or hub name of a PEFT
    adapter for that model (LoRA, prefix tuning, prompt tuning, IA3, ...); `merge` works it into the
    weights, which is faster and gives a plain transformers model. `adapter_name` is what PEFT calls
    it. `attention` is transformers' name of an implementation of attention (``eager``, ``sdpa``),
    None for the one it takes itself. `quantize` packs the base into 4 or 8 bits, see
    `constrained.models.quantization`. Code that comes with a model runs only with
    `trust_remote_code`. `notify` is told what takes time.

    Raises `MissingPackage` without torch, transformers, peft or the library that packs, and
    `ModelError` for everything else that can go wrong, with the remedy.

    >>> model, tokenizer = load_model("smollm2")  # doctest: +SKIP
    """
    require("torch", "loading a model")
    require("transformers", "loading a model")
    name_or_path = model_name(name_or_path, "the model")
    if adapter is not None:
        require("peft", "loading an adapter", install=remedy("adapters"))
        adapter = model_name(adapter, "adapter")
        adapter = existing_folder(adapter, "adapter_config.json", "an adapter folder")
    elif merge:
        hint = "pass adapter=, or leave merge out"
        raise ModelError(name_or_path, "there is no adapter to merge", hint=hint)
    place = torch_device(name_or_path, device)
    options: dict[str, Any] = {"dtype": torch_dtype(name_or_path, dtype)}
    if attention is not None:
        options["attn_implementation"] = attention
    if quantize is not None:
        packing = quantization_config(name_or_path, quantize)
        options |= {"quantization_config": packing, "device_map": {"": place}}
    with quiet_libraries():
        folder = model_folder(name_or_path, notify)
        notify(f"Loading {name_or_path}")
        model, tokenizer = read_model(name_or_path, folder, trust_remote_code, **options)
        if adapter is not None:
            notify(f"Loading the adapter {adapter}")
            model = with_adapter(model, adapter, adapter_name)
        if quantize is None:  # packed weights are where they belong already, and stay there
            model = model.to(place)
        if merge:
            model = merge_adapter(model, adapter_name)
    model.eval()
    return model, tokenizer


def load_tokenizer(
    name_or_path: str | PathLike[str] = DEFAULT_MODEL,
    *,
    trust_remote_code: bool = False,
    notify: Notify = silence,
) -> Any:
    """Load a model's tokenizer without its weights. Arguments and errors as for `load_model`.

    >>> load_tokenizer("smollm2").eos_token  # doctest: +SKIP
    '<|im_end|>'
    """
    require("transformers", "loading a tokenizer")
    name_or_path = model_name(name_or_path, "the model")
    with quiet_libraries():
        folder = model_folder(name_or_path, notify)
        return read_tokenizer(name_or_path, folder, trust_remote_code)


def model_folder(name: str, notify: Notify) -> str:
    """What transformers is to load: the folder of SmolLM2, a local folder, or a hub name."""
    if name != NAME:
        return existing_folder(name)
    require("gguf", "converting SmolLM2")
    return str(smollm2_folder(notify))


def require(package: str, doing: str, *, install: str = INSTALL) -> None:
    """Raise `MissingPackage` unless `package` can be imported."""
    if find_spec(package) is None:
        raise MissingPackage(package, doing, install=install)


def model_name(name: Any, what: str) -> str:
    """A name or a path as a text."""
    name = fspath(name) if isinstance(name, PathLike) else name
    return text_argument(name, what, partial(ModelError, f"{name!r:.40}"))


def torch_device(name: str, device: Any) -> Any:
    """The torch device that `device` names."""
    import torch

    if isinstance(device, torch.device):
        device = str(device)
    text_argument(device, "device", partial(ModelError, name))
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = shorten(str(error), 80, placeholder="...")
        hint = "try auto, cpu, cuda or cuda:0"
        raise ModelError(name, f"device {device!r} cannot be used: {reason}", hint=hint) from error
    return place


def torch_dtype(name: str, dtype: Any) -> Any:
    """The torch dtype that `dtype` names; "auto" stays as it is."""
    import torch

    if isinstance(dtype, torch.dtype):
        dtype = str(dtype).removeprefix("torch.")
    text_argument(dtype, "dtype", partial(ModelError, name))
    kind = dtype if dtype == "auto" else getattr(torch, dtype, None)
    if kind != "auto" and not (isinstance(kind, torch.dtype) and kind.is_floating_point):
        hint = "try auto, float32, float16 or bfloat16"
        raise ModelError(name, f"there is no floating-point type {dtype!r}", hint=hint)
    return kind


def existing_folder(name: str, sign: str = "config.json", what: str = "a model folder") -> str:
    """`name` itself, with `~` expanded; what is plainly a path has to exist and hold `sign`."""
    if not name.strip():
        raise ModelError(name, "the name is empty", hint=f"try {DEFAULT_MODEL}")
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / sign).is_file():
            hint = f"{what} is what save_pretrained writes"
            raise ModelError(name, f"the folder has no {sign}", hint=hint)
        return str(path)
    if path.is_file():
        raise ModelError(name, f"this is a file, not {what}", hint="pass the folder that it is in")
    if name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1:
        raise ModelError(name, "there is no such folder", hint="check the path")
    return name


def read_model(name: str, folder: str, trust: bool, **options: Any) -> tuple[Any, Any]:
    """The model and the tokenizer that transformers reads from a folder or the hub."""
    import transformers
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust)
        kind = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else "AutoModelForCausalLM"
        reader = getattr(transformers, kind)
        tokenizer = read_tokenizer(name, folder, trust)
        model = reader.from_pretrained(folder, trust_remote_code=trust, **options)
    except UNLOADABLE as error:
        raise load_error(name, error) from error
    return model, tokenizer


def read_tokenizer(name: str, folder: str, trust: bool) -> Any:
    """The tokenizer that transformers reads from a folder or the hub."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust)
    except UNLOADABLE as error:
        raise load_error(name, error) from error


def load_error(name: str, error: Exception) -> ModelError:
    """What a complaint of transformers means, and what to do about it."""
    reason = " ".join(str(error).split())
    if "trust_remote_code" in reason:
        hint = "read that code, then pass trust_remote_code=True (--trust-remote-code)"
        return ModelError(name, "it comes with Python code of its own", hint=hint)
    if Path(name).expanduser().is_dir():
        return ModelError(name, reason, hint="is the folder complete?")
    if "couldn't connect" in reason:
        problem = "it is not a local folder, and the model hub cannot be reached"
        return ModelError(name, problem, hint="check the path, or the network")
    if "gated" in reason:
        return ModelError(
            name, "the hub gives it to registered users only", hint="run: hf auth login"
        )
    if isinstance(error, OSError):
        problem = "it is neither a local folder nor a model that the hub has"
        return ModelError(name, problem, hint="check the spelling")
    return ModelError(name, reason)


def with_adapter(model: Any, adapter: str, name: str = "default") -> Any:
    """`model` with the PEFT adapter at a path (or of a hub name) on top."""
    from peft import PeftModel

    with adapter_errors(adapter):
        return PeftModel.from_pretrained(model, adapter, adapter_name=name)


def add_adapter(model: Any, adapter: str, name: str) -> None:
    """One more adapter, from a path or the hub, for a model that has one; it is not switched on."""
    path = existing_folder(adapter, "adapter_config.json", "an adapter folder")
    with adapter_errors(adapter):
        from peft import PeftConfig

        kinds = [config.peft_type for config in model.peft_config.values()]
        kind = PeftConfig.from_pretrained(path).peft_type
        if kind != kinds[0]:
            hint = "load it as variants of its own"
            problem = f"it is of kind {kind.value}, and those beside it are {kinds[0].value}"
            raise ModelError(adapter, problem, hint=hint)
        model.load_adapter(path, adapter_name=name)


def merge_adapter(model: Any, name: str) -> Any:
    """`model` with its adapter `name` worked into its weights, as a plain transformers model.

    Raises `ModelError` for adapters that are not changes of weights.
    """
    kind = model.peft_config[name]
    if kind.is_prompt_learning or kind.is_adaption_prompt:
        hint = "use it as an adapter"
        problem = f"{kind.peft_type.value} is no change of weights, so it cannot be merged"
        raise ModelError(name, problem, hint=hint)
    return model.merge_and_unload(adapter_names=[name]).eval()


@contextmanager
def adapter_errors(adapter: str) -> Iterator[None]:
    """What peft cannot load, or loads in part only, as a `ModelError`."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Found missing adapter keys")
            yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, UserWarning) as error:
        if isinstance(error, ModelError):
            raise
        reason = shorten(" ".join(str(error).split()), 300, placeholder="...")
        hint = "is it an adapter, and one for this model?"
        raise ModelError(adapter, f"the adapter cannot be loaded: {reason}", hint=hint) from error


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars and no advice to developers from transformers, peft and the hub client."""
    from transformers.utils import logging as transformers_logging

    bars = transformers_logging.is_progress_bar_enabled()
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
