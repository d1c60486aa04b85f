"""The command line, run in this process on a tiny random model: what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import constrained
from constrained.cli import run
from constrained.cli.formats import read_spec
from constrained.errors import InvalidSpec
from tests import chats, tiny

ROOT = Path(__file__).parents[2]
TEMPLATE = "Essay score: {score:0..10} / 10"
OUTPUTS = {f"Essay score: {score} / 10" for score in range(11)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """A random LLaMA with a byte-level tokenizer and no chat template."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = tiny.byte_level()
    tokenizer.save_pretrained(path)
    tiny.model("llama", len(tokenizer)).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def chatty(folder, tmp_path_factory) -> str:
    """The same with a chat template."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = tmp_path_factory.mktemp("chatty")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}Q: {{ m['content'] }} A: "
        "{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
    )
    tokenizer.save_pretrained(path)
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def encoder_decoder(tmp_path_factory) -> str:
    """A random T5 with a Unigram tokenizer."""
    path = tmp_path_factory.mktemp("t5")
    tokenizer = tiny.unigram()
    tokenizer.save_pretrained(path)
    tiny.model("t5", len(tokenizer)).save_pretrained(path)
    return str(path)


@pytest.fixture
def command(capsys):
    """Run a command; gives (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_version_is_the_packages_own(command):
    assert command("--version") == (0, f"constrained {constrained.__version__}\n", "")


@pytest.mark.parametrize("name", ["demo", "generate", "distribution", "explain", "check"])
def test_every_command_explains_itself_with_examples(command, name):
    code, out, _ = command(name, "--help")
    assert code == 0
    assert "Examples" in out
    assert f"constrained {name}" in out
    assert max(map(len, out.splitlines())) <= 80


def test_without_arguments_the_help_is_shown(command):
    code, out, _ = command()
    assert code == 2
    assert "Make a language model answer in a format" in out


def test_explain_tells_what_a_format_allows(command):
    code, out, err = command("explain", TEMPLATE)
    assert (code, err) == (0, "")
    assert "11 outputs\n" in out
    assert "always begins with 'Essay score: '" in out
    shown = re.findall(r"^    '(.*)'$", out, flags=re.MULTILINE)
    assert len(shown) == 5
    assert set(shown) <= OUTPUTS


def test_explain_counts_tokens_with_a_models_tokenizer(command, folder):
    _, out, _ = command("explain", "choice:yes|no", "--json", "--model", folder, "--examples", 2)
    data = json.loads(out)
    tokenizer = tiny.byte_level()
    lengths = [len(tokenizer(text)["input_ids"]) for text in ("yes", "no")]
    assert (data["fewest_tokens"], data["most_tokens"]) == (min(lengths), max(lengths))
    assert data["finite"] is True
    assert data["outputs"] == 2
    assert sorted(data["examples"]) == ["no", "yes"]


def test_generate_prints_the_answer_alone(command, folder):
    code, out, err = command("generate", "Grade:", "--template", TEMPLATE, "--model", folder)
    assert (code, err) == (0, "")
    assert out.removesuffix("\n") in OUTPUTS


def test_samples_are_the_same_for_the_same_seed(command, folder):
    def draw(seed: int) -> list[str]:
        code, out, _ = command(
            *("generate", "Grade:", "--integer", "0..999", "-m", folder, "--json"),
            *("--samples", 5, "--temperature", 1, "--seed", seed),
        )
        data = json.loads(out)
        assert code == 0
        assert list(data) == ["model", "spec", "seconds", "results"]
        assert all(list(result) == RESULT_KEYS for result in data["results"])
        assert all(result["value"] == int(result["text"]) for result in data["results"])
        return [result["text"] for result in data["results"]]

    assert draw(7) == draw(7)
    assert len(draw(7)) == 5
    assert draw(7) != draw(8)


RESULT_KEYS = ["text", "value", "finish_reason", "logprob", "tokens", "forward_passes"]


def test_a_distribution_names_every_output_once(command, folder):
    code, out, _ = command("distribution", "Grade:", "--spec", TEMPLATE, "-m", folder, "--json")
    data = json.loads(out)
    assert code == 0
    assert list(data) == [
        *("model", "spec", "temperature", "outputs", "mean", "sd", "mode", "entropy_bits"),
        *("removed_mass", "divergence"),
    ]
    assert {entry["text"] for entry in data["outputs"]} == OUTPUTS
    for kind in ("local", "global"):
        assert sum(entry[kind] for entry in data["outputs"]) == pytest.approx(1)
    mean = sum(entry["value"]["score"] * entry["local"] for entry in data["outputs"])
    assert data["mean"] == pytest.approx(mean)


def test_a_distribution_is_drawn_as_bars(command, folder):
    code, out, _ = command(
        "distribution", "Well:", "--choice", "yes", "--choice", "no", "--model", folder
    )
    assert code == 0
    rows = re.findall(r"^ *(yes|no) +([0-9.]+)% +\S", out, flags=re.MULTILINE)
    assert {name for name, _ in rows} == {"yes", "no"}
    assert sum(float(share) for _, share in rows) == pytest.approx(100, abs=0.2)


def test_the_prompt_comes_from_an_argument_a_file_or_stdin(command, folder, tmp_path, monkeypatch):
    arguments = ("--integer", "0..999", "--model", folder)
    file = tmp_path / "prompt.txt"
    file.write_text("Number:")
    given = command("generate", "Number:", *arguments)
    assert command("generate", "--prompt-file", file, *arguments) == given
    for dash in ([], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.StringIO("Number:"))
        assert command("generate", *dash, *arguments) == given


def test_a_chat_template_is_used_only_when_asked(command, chatty):
    arguments = ("--integer", "0..99999", "--model", chatty, "--json")

    def answer(*prompt: str) -> float:
        return json.loads(command("generate", *prompt, *arguments)[1])["results"][0]["logprob"]

    assert answer("Hi", "--chat") == answer("Q: Hi A: ")
    assert answer("Hi") == answer("Hi", "--plain")
    assert answer("Hi") != answer("Hi", "--chat")


def test_schema_and_grammar_come_from_files(command, folder, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "integer", "minimum": 3, "maximum": 4}')
    code, out, _ = command("generate", "N:", "--schema", schema, "--model", folder)
    assert (code, out.strip() in {"3", "4"}) == (0, True)
    grammar = tmp_path / "grammar.lark"
    grammar.write_text('start: "a" | "b"\n')
    code, out, _ = command("generate", "N:", "--grammar", grammar, "--model", folder)
    assert (code, out.strip() in {"a", "b"}) == (0, True)


def test_explain_tells_of_the_pieces_of_a_text_in_a_file(command, tmp_path):
    (tmp_path / "essay.txt").write_text("abc", encoding="utf-8")
    code, out, _ = command("explain", f"substring:{tmp_path / 'essay.txt'}")
    assert (code, "6 outputs" in out) == (0, True)


GOOD_SPECS = [
    (TEMPLATE, "Essay score: 10 / 10", "Essay score: 11 / 10"),
    ("template:{a:0..1}", "1", "2"),
    ("regex:[0-9]{2}", "42", "4"),
    ("choice:yes|no", "no", "maybe"),
    ("integer:0..10", "10", "11"),
    ("integer:0..10 step 5", "5", "6"),
    ("integer:3..", "12345", "2"),
    ("integer:..-1", "-7", "0"),
    ("integer:", "-9", "x"),
    ("number:0..1 step 0.5", "0.5", "0.4"),
    ("range:0..10", "10", "10.0"),
    ("range:0..5 step 0.5", "4.5", "4.4"),
    ("likert:poor|fair|good", "fair", "bad"),
    ("text:3", "abc", "abcd"),
]


@pytest.mark.parametrize(("text", "inside", "outside"), GOOD_SPECS)
def test_a_spec_on_the_command_line_means_what_it_says(text, inside, outside):
    spec = read_spec(text)
    assert spec.matches(inside)
    assert not spec.matches(outside)


BAD_SPECS = {
    "regx:[0-9]{2}": "'regx:[0-9]{2}' does not say what kind of format it is",
    "Essay score": "'Essay score' does not say what kind of format it is",
    "integer:7": "'7' is not a range",
    "integer:a..b": "'a..b' holds something that is not an integer",
    "number:0..x": "'0..x' holds something that is not a number",
    "text:long": "'long' is not a length",
    "schema:/none.json": "at /none.json: cannot read the schema file: No such file or directory",
}


@pytest.mark.parametrize("text", BAD_SPECS)
def test_a_spec_that_says_nothing_clear_is_refused(text):
    with pytest.raises(InvalidSpec) as caught:
        read_spec(text)
    assert str(caught.value).split(" (")[0] == BAD_SPECS[text]


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "schema:PIPE"],
        ["explain", "grammar:PIPE"],
        ["explain", "substring:PIPE"],
        ["generate", "Hi", "--schema", "PIPE"],
        ["generate", "Hi", "--grammar", "PIPE"],
        ["generate", "--prompt-file", "PIPE", "--integer", "0..1"],
        ["demo", "--essays", "PIPE"],
        ["consistency", "run", "PIPE"],
        ["consistency", "import", "csv", "PIPE", "--store", "STORE", "--item", "essay"],
        ["consistency", "report", "PIPE"],
        ["consistency", "gate", "PIPE"],
    ],
    ids=" ".join,
)
def test_a_pipe_in_the_place_of_a_file_is_refused_not_waited_for(words, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    store = str(tmp_path / "out.db")
    assert run([w.replace("PIPE", str(pipe)).replace("STORE", store) for w in words]) != 0
    error = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "not a file" in error or "no regular file" in error or "folder" in error, error


FORMATS = (
    "pass exactly one of --spec, --template, --regex, --choice, --integer, --schema, --grammar"
)
BAD_CALLS = [
    (["generate", "Hi"], f"no output format is given ({FORMATS})"),
    (
        ["generate", "Hi", "--regex", "a", "--integer", "0..1"],
        f"--regex and --integer are given ({FORMATS})",
    ),
    (["generate", " ", "--regex", "a"], "the prompt is empty, so there is nothing to answer"),
    (["explain", "integer:6..1"], "no integer is at least 6 and at most 1"),
    (
        ["generate", "Hi", "--regex", "a", "--model", "/none"],
        "model '/none': there is no such folder (check the path)",
    ),
    (
        ["demo", "--essays", "/none.json"],
        "at /none.json: cannot read it: No such file or directory",
    ),
    (
        ["demo", "--limit", "2"],
        "at --limit: '2' is not two whole numbers from 1 on (write essays x prompts, for example "
        "2x3)",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_CALLS)
def test_bad_input_ends_with_code_2_and_one_line(command, arguments, message):
    assert command(*arguments) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize("arguments", [["nonsense"], ["explain"], ["explain", "a", "--example"]])
def test_usage_errors_end_with_code_2(command, arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert "Error" in err


def test_infinite_formats_have_no_distribution(command, folder):
    code, out, err = command("distribution", "Hi", "--regex", "a*", "--model", folder)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_budget_too_small_is_refused_with_the_tokens_needed(command, folder):
    code, out, err = command(
        "generate", "Hi", "--template", TEMPLATE, "--model", folder, "--max-new-tokens", 2
    )
    assert (code, out) == (2, "")
    assert "max_new_tokens=2" in err


def test_an_interrupt_ends_with_code_130(command, monkeypatch):
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("constrained.cli.loading.load_model", interrupted)
    code, _, err = command("generate", "Hi", "--regex", "a")
    assert code == 130
    assert "Traceback" not in err


def test_a_prompt_that_is_no_text_is_refused(command, monkeypatch):
    bad = b"caf\xe9"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bad), encoding="utf-8"))
    message = "error: the prompt on stdin is not UTF-8 text\n"
    assert command("generate", "--regex", "a") == (2, "", message)
    as_argument = bad.decode("utf-8", "surrogateescape")
    message = "error: the prompt is not UTF-8 text\n"
    assert command("generate", as_argument, "--regex", "a") == (2, "", message)


WITHOUT_TORCH = """
import sys
sys.modules.update(dict.fromkeys(["torch", "transformers"]))
from constrained.cli import run
sys.exit(run(sys.argv[1:]))
"""


def test_formats_are_explained_without_torch():
    command = [sys.executable, "-c", WITHOUT_TORCH, "explain", "integer:0..10"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "11 outputs" in done.stdout


def test_a_reader_that_stops_reading_is_no_error_message():
    script = "from constrained.cli import main; main()"
    command = [sys.executable, "-c", script, "explain", "integer:0..10", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_running_out_of_memory_ends_with_code_1_and_advice(command, monkeypatch, error):
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("constrained.cli.loading.load_model", fail)
    code, out, err = command("generate", "Hi", "--regex", "a")
    assert (code, out) == (1, "")
    assert err.startswith("error: out of memory: try a smaller model")


def test_the_demo_reports_on_any_model_and_any_essays(command, folder, tmp_path):
    essays = tmp_path / "essays.json"
    texts = [{"id": name, "text": f"The {name} essay."} for name in ("first", "second", "third")]
    essays.write_text(json.dumps({"question": "Why?", "essays": texts}))
    arguments = ("demo", "--model", folder, "--essays", essays, "--limit", "3x2")
    code, out, err = command(*arguments, "--json")
    data = json.loads(out)
    assert (code, err) == (0, "")
    assert data["answers"] == data["constrained_following_format"] == 6
    assert all(cell["text"] in OUTPUTS for cell in data["cells"])
    assert all(sum(cell["pmf"]) == pytest.approx(1) for cell in data["cells"])
    code, page, _ = command(*arguments)
    assert code == 0
    assert all(name in page for name in ("first", "second", "third", "short", "strict"))
    assert max(map(len, page.splitlines())) <= 80


def test_the_demo_serves_encoder_decoder_models(command, encoder_decoder):
    code, out, err = command("demo", "--model", encoder_decoder, "--limit", "1x1", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["constrained_following_format"] == 1


def test_nothing_but_results_goes_to_a_pipe(command, folder):
    _, out, err = command("distribution", "Hi", "--choice", "a", "--choice", "b", "-m", folder)
    assert "\x1b" not in out
    assert err == ""


def test_a_missing_file_for_the_prompt_is_named(command):
    missing = Path("/none.txt")
    code, out, err = command("generate", "-f", missing, "--regex", "a")
    assert (code, out) == (2, "")
    assert err == f"error: at {missing}: cannot read the prompt file: No such file or directory\n"


@pytest.fixture(scope="module")
def plainly_chatty(tmp_path_factory) -> str:
    """A model for chat: it ends an answer where its template does."""
    path = tmp_path_factory.mktemp("plainly_chatty")
    tokenizer = chats.with_template(
        "{% for m in messages %}{{ m['role'] }}{{ mood }}: {{ m['content'] }}{{ eos_token }}"
        "{% endfor %}{% if add_generation_prompt %}assistant{{ mood }}: {% endif %}"
    )
    tokenizer.save_pretrained(path)
    tiny.model("llama", len(tokenizer)).save_pretrained(path)
    return str(path)


def test_arguments_reach_the_chat_template(command, plainly_chatty):
    arguments = ("--integer", "0..99999", "--model", plainly_chatty, "--json", "--chat")

    def answer(*extra: str) -> object:
        _, out, _ = command("distribution", "Hi", *arguments, *extra)
        return json.loads(out)["outputs"]

    sad = answer("--chat-template-arg", "mood=sad")
    assert sad == answer("--chat-template-arg", '{"mood": "sad"}')
    assert sad != answer()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--chat-template-arg", "mood=sad"), "add --chat"),
        (("--chat", "--chat-template-arg", "mod=sad"), "did you mean 'mood'?"),
        (("--chat", "--chat-template-arg", "mood"), "write name=value"),
        (("--chat", "--chat-template-arg", "mood=False"), "write false"),
        (("--chat", "--chat-template-arg", "{mood"), "is no JSON"),
        (("--chat", "--chat-template-arg", "mood=" + "[" * 100_000), "is no JSON"),
    ],
)
def test_arguments_that_would_change_nothing_are_bad_input(
    command, plainly_chatty, arguments, message
):
    asked = ("generate", "Hi", "--integer", "0..9", "--model", plainly_chatty)
    code, _, err = command(*asked, *arguments)
    assert code == 2
    assert message in err
    assert len(err) < 500


def test_a_plain_text_for_a_chat_model_is_remarked_on(command, plainly_chatty, chatty):
    def said(model: str, *extra: str) -> str:
        code, _, err = command("generate", "Hi", "--integer", "0..9", "--model", model, *extra)
        assert code == 0
        return err

    assert said(plainly_chatty).startswith("warning: this model is for chat and the prompt is used")
    assert said(plainly_chatty, "--plain") == said(plainly_chatty, "--chat") == ""
    assert said(chatty) == ""
