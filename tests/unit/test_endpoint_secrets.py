"""API keys: checked before they are sent, and in nothing that comes back."""

from __future__ import annotations

import base64
import html
import json
import time
import traceback
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrained.consistency.analysis import analyse
from constrained.consistency.endpoint import Client, Endpoint, EndpointScorers, read_endpoint
from constrained.consistency.endpoint.secret import CUT, Secret
from constrained.consistency.report import to_html
from constrained.consistency.run import run
from constrained.consistency.scoring import tasks_of
from constrained.errors import GenerationError, InvalidSpec, ModelError
from tests.unit.test_endpoint import Server, plan_of, said

KEY = 'sk-+/"tests&<\\only>=%7'


def client_of(server: Server, **options: Any) -> Client:
    return Client(Endpoint(server.base, key="TEST_KEY"), wait=0.01, **options)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("abc-secret\n", "ends in a line feed (take it off: export TEST_KEY=$(cat KEY_FILE))"),
        ("abc-secret\r\n", "ends in a carriage return (take it off: "),
        ("abc-secret ", "ends in a space (take it off: "),
        ('"abc-secret"', "stands in quotation marks (take them off)"),
        ("'abc-secret'", "stands in quotation marks (take them off)"),
        ("\tabc-secret", "begins with a tab (take it off)"),
        ("abc-\nsecret", "holds a line feed (set it to the API key alone)"),
        ("abc-\x00secret", None),
        ("abc-\x1bsecret", "holds a control character (set it to the API key alone)"),
        ("abc-\x7fsecret", "holds a control character"),
        ("abc-sécret", "holds a character beyond ASCII"),
        ("abc-secret\u200b", "holds a character beyond ASCII"),
        (" \n", "holds nothing but blanks (set it to the API key)"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_before_anything_is_asked(monkeypatch, key, problem):
    if problem is None:  # an environment cannot hold it
        monkeypatch.setattr("os.environ", {"TEST_KEY": key})
        problem = "holds a control character"
    else:
        monkeypatch.setenv("TEST_KEY", key)
    with pytest.raises(ModelError) as error:
        Client(Endpoint("http://localhost:1/v1", key="TEST_KEY"))
    wanted = f"the API key in the environment variable TEST_KEY {problem}"
    assert wanted in str(error.value)
    assert "cret" not in str(error.value)
    assert error.value.__cause__ is None


def test_the_key_that_is_used_when_none_is_named_is_checked_too(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "abc-secret\n")
    with pytest.raises(ModelError, match="OPENAI_API_KEY ends in a line feed"):
        Client(Endpoint("http://localhost:1/v1"))


def test_a_key_in_the_place_of_a_variable_is_not_shown():
    with pytest.raises(InvalidSpec) as error:
        read_endpoint("http://localhost:1/v1#key=sk-very-secret")
    assert "no name of an environment variable" in str(error.value)
    assert "very-secret" not in str(error.value)


FORMS = [
    KEY,
    quote(KEY, safe=""),
    quote(KEY),
    quote(KEY, safe="").lower(),
    json.dumps(KEY)[1:-1],
    json.dumps(json.dumps(KEY))[3:-3],
    html.escape(KEY),
    "".join(sign if sign.isalnum() else f"&#x{ord(sign):X};" for sign in KEY),
    "".join(sign if sign.isalnum() else f"\\u{ord(sign):04X}" for sign in KEY),
    KEY.encode().hex(),
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(b"user:" + KEY.encode()).decode(),
    base64.urlsafe_b64encode(f"Bearer {KEY}".encode()).decode(),
]


def hidden(text: str, form: str) -> bool:
    """No part of a form of the key is left that would give most of it away."""
    return all(form[i : i + 12] not in text for i in range(len(form) - 11))


@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_an_error_is_in_no_message_and_no_traceback(monkeypatch, form):
    monkeypatch.setenv("TEST_KEY", KEY)
    answers: list[Any] = [
        (401, {}, {"error": {"message": f"no such key: {form}"}}),
        (401, {}, f"<p>{form}</p>"),
        (401, {}, {"error": {"message": "x" * 290 + form}}),
        (400, {}, {"error": {"details": [{form: form}]}}),
        (503, {"Retry-After": form.replace("\n", "")}, form),
        {"error": form, "model": form},
        f"{form} is not JSON",
    ]
    for answer in answers:
        with Server(lambda _, answer=answer: answer) as server:
            client = client_of(server, retries=1)
            text, behind = "", None
            try:
                text = json.dumps(client.ask({}))
            except (ModelError, GenerationError) as error:
                text, behind = "".join(traceback.format_exception(error)), error.__context__
        assert behind is None
        assert hidden(text, form), answer


def test_a_key_that_a_server_echoes_is_in_no_store_and_no_report(monkeypatch, tmp_path):
    monkeypatch.setenv("TEST_KEY", KEY)

    def answer(body: dict[str, Any]) -> Any:
        if "Dogs" in json.dumps(body):
            return (422, {}, {"detail": f"the key {KEY} may not ask this"})
        text = f"Score: {KEY}" if body["seed"] % 3 == 0 else "Score: 7"
        return said(text, model=f"m {KEY}", system_fingerprint=KEY)

    with Server(answer) as server:
        items = [{"id": f"e{i}", "text": f"Cats {i}."} for i in range(3)]
        items.append({"id": "e9", "text": "Dogs."})
        scoring = {"kind": "sampled", "draws": 6}
        address = f"{server.base}#constrain=no&key=TEST_KEY"
        plan = plan_of(address, items=items, scoring=scoring)
        run(plan, tmp_path / "run.db", scorers=EndpointScorers(plan))
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert CUT.encode() in stored
    assert b"sk-+" not in stored
    assert b"only>" not in stored
    page = to_html(analyse(tmp_path / "run.db"))
    assert "only>" not in page
    assert "sk-+" not in page


@pytest.mark.parametrize("key", ["", "none", "EMPTY"])
def test_placeholders_of_keys_are_words_of_answers(key):
    value = {"text": "none is EMPTY", "n": [1, None, True]}
    assert Secret(key, "K").cut(value) == value


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_no_key_is_left_in_a_text(key, before, after):
    secret = Secret(key, "K")
    for form in (key, quote(key, safe=""), key.encode().hex()):
        assert form not in secret.cut(before + form + after).replace(CUT, "\0")
    coded = base64.b64encode((before + key + after).encode("utf-8", "replace")).decode()
    left = secret.cut(coded)
    assert len(left) < len(coded) or CUT in left


@pytest.mark.parametrize(
    ("key", "repeated"),
    [
        ("\\" * 6 + "x", "\\"),
        ("%" * 8 + "x", "%25"),
        ("&" * 8 + "x", "&amp;"),
        ("-" * 8 + "x", "-"),
    ],
)
def test_a_long_text_that_is_nearly_a_key_takes_no_time(key: str, repeated: str) -> None:
    text = repeated * 4000
    start = time.process_time()
    assert Secret(key, "K").cut(text) == text
    assert time.process_time() - start < 3


WAYS = (str, lambda s: f"\\{s}", lambda s: f"%{ord(s):02x}", lambda s: f"%25{ord(s):02X}")
WAYS += (lambda s: f"&#{ord(s)};", lambda s: f"&amp;#x{ord(s):x};", lambda s: f"\\\\u{ord(s):04x}")


@given(
    st.lists(
        st.tuples(st.sampled_from("\\%&-/+"), st.sampled_from(range(len(WAYS)))),
        min_size=6,
        max_size=12,
    ),
    st.sampled_from(["", "\\", "%", "%25", "&amp;", "u005c"]),
)
def test_a_key_of_signs_that_begin_escapes_is_cut_however_each_is_written(signs, around):
    key = "".join(sign for sign, _ in signs)
    written = "".join(WAYS[way](sign) for sign, way in signs)
    cut = Secret(key, "K").cut(f"<{around}{written}{around}>")
    assert CUT in cut
    assert written not in cut


def test_a_secret_shows_its_variable_alone():
    assert repr(Secret("abc-secret", "MY_KEY")) == "Secret($MY_KEY)"


def test_a_key_in_parts_of_an_answer_is_in_no_draw(monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)
    parts = [{"type": "text", "text": sign} for sign in f"Score: {KEY}"]
    with Server(lambda _: {"choices": [{"message": {"content": parts}}]}) as server:
        plan = plan_of(f"{server.base}#constrain=no&key=TEST_KEY")
        scorer = EndpointScorers(plan)._server(plan.variants[0])
        with scorer as one:
            record = next(iter(one.score(tasks_of(plan, {}))))
    assert {draw.text for draw in record.draws} == {f"Score: {CUT}"}


@pytest.mark.parametrize(
    "address", ["http://me:abc-secret@127.0.0.1:9/v1", "http://127.0.0.1:9/v1?api_key=abc-secret"]
)
def test_a_key_in_the_address_reaches_no_store(address: str, tmp_path) -> None:
    store = tmp_path / "run.db"
    with pytest.raises(InvalidSpec, match="no password and no query"):
        run(plan_of(address), store)
    assert not store.exists()
