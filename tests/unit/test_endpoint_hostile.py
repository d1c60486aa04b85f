"""Servers that answer with anything at all: scores, failures and typed errors, in bounded time."""

from __future__ import annotations

import copy
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrained.consistency.analysis import analyse
from constrained.consistency.endpoint import (
    Client,
    Endpoint,
    EndpointScorer,
    EndpointScorers,
    read_endpoint,
)
from constrained.consistency.endpoint.client import LARGEST
from constrained.consistency.endpoint.logprobs import Rest, first_tokens, one_token_distribution
from constrained.consistency.plan import Plan
from constrained.consistency.records import CellRecord
from constrained.consistency.run import run
from constrained.consistency.scoring import tasks_of
from constrained.consistency.store import Store
from constrained.errors import ConstrainedError, GenerationError, InvalidSpec, ModelError
from tests.unit.test_endpoint import Server, plan_of, said


@contextmanager
def speaking(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that says what `speak` writes, byte by byte."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                try:
                    connection.recv(65536)
                    speak(connection)
                except OSError:
                    pass  # the client has gone

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        ended.set()
        thread.join()
        listener.close()


def dripping(start: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(drop)
            time.sleep(0.05)

    return speak


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"["),
        (b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n", b"x"),
    ],
    ids=["status", "header", "headers", "continue", "body", "chunks", "endless", "error"],
)
def test_a_server_that_sends_a_byte_now_and_then_is_not_waited_for(start, drop):
    with speaking(dripping(start, drop)) as base:
        begin = time.monotonic()
        with pytest.raises(ModelError) as error:
            Client(Endpoint(base), timeout=0.4, retries=1, wait=0.01).ask({})
        assert time.monotonic() - begin < 3
    assert "no answer within 0.4 seconds (2 tries)" in str(error.value) or (
        "status 500" in str(error.value)  # what it said of the error did not come in time
    )


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\0\0\0\0",
        b"HTTP/1.1 99999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\x00",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b'{"a":' * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"9" * 5_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (LARGEST + 1),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000,
        b"HTTP/1.1 400 " + b"x" * 3_000 + b"\r\n\r\n" + b"[" * 60_000,
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
    ],
)
def test_answers_that_are_none_are_errors_of_ours(reply):
    with (
        speaking(lambda connection: connection.sendall(reply)) as base,
        pytest.raises((ModelError, GenerationError)) as error,
    ):
        Client(Endpoint(base), timeout=5, retries=0).ask({})
    assert len(str(error.value)) < 1_000


def scored(server: Server, address: str = "#constrain=no", **more: Any) -> list[CellRecord]:
    plan = plan_of(server.base + address, items=[{"id": "e1", "text": "x"}], **more)
    client = Client(read_endpoint(plan.variants[0].endpoint or ""), retries=0)
    scorer = EndpointScorer(plan, plan.variants[0], client=client, concurrency=1)
    return list(scorer.score(tasks_of(plan, {"tiny": "a test"})))


@pytest.mark.parametrize(
    "choice",
    [
        {"message": "Score: 7"},
        {"message": ["Score: 7"]},
        {"message": {"content": 7}},
        {"message": {"content": ["Score: 7", 7, {"text": 7}]}},
        {"message": {"content": {"text": "Score: 7"}}},
        {"text": "Score: 7"},
        {"message": {"content": "Score: 7"}, "finish_reason": ["length"]},
        {"message": {"content": "Score: 7", "refusal": {"why": 1}}},
    ],
)
def test_wrong_types_in_an_answer_are_failures_or_do_not_matter(choice):
    with Server(lambda _: {"choices": [choice], "usage": {"prompt_tokens": "x"}}) as server:
        (record,) = scored(server)
    assert {draw.score for draw in record.draws} <= {None, 7.0}
    assert all(bool(draw.failure) == (draw.score is None) for draw in record.draws)
    assert record.prompt_tokens == 0


def test_texts_in_parts_are_one_text():
    parts = [{"type": "text", "text": "Score"}, {"type": "text", "text": ": 7"}]
    with Server(lambda _: {"choices": [{"message": {"content": parts}}]}) as server:
        (record,) = scored(server)
    assert {draw.score for draw in record.draws} == {7.0}


@pytest.mark.parametrize("count", [10**400, -5, True, 1.5, None, [1], float("inf")])
def test_counts_that_no_store_holds_are_not_counted(count, tmp_path):
    with Server(lambda _: said("Score: 7", usage={"prompt_tokens": count})) as server:
        (record,) = scored(server)
    assert record.prompt_tokens == 0
    with Store(tmp_path / "a.db") as store:
        store.begin(plan_of("http://localhost:1/v1#constrain=no"), {})
        assert store.put([record]) == 1


@pytest.mark.parametrize(
    ("texts", "reason", "score"),
    [
        ("10", "length", None),
        ("100", "length", 100.0),
        ("7", "length", None),
        ("10", "stop", 10.0),
        ("10", "", 10.0),
        ("10", "content_filter", None),
        ("10", "abort", None),
        ("100", "abort", 100.0),
        ("10", "eos_token", 10.0),
    ],
)
def test_an_answer_that_was_cut_off_counts_only_where_nothing_could_follow(texts, reason, score):
    with Server(lambda _: said(texts, reason=reason)) as server:
        (record,) = scored(server, spec="range:0..100")
    assert {draw.score for draw in record.draws} == {score}
    assert {draw.text for draw in record.draws} == {texts}
    failures = {draw.failure for draw in record.draws}
    assert (failures == {""}) == (score is not None)
    if score is None:
        assert f"; {texts!r} may be the beginning of a longer answer" in failures.pop()


def test_json_that_was_cut_off_after_its_last_brace_is_whole():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schema["additionalProperties"] = False
    with Server(lambda _: said('{ "n": 7 }', reason="length")) as server:
        (record,) = scored(server, spec={"schema": schema})
    assert {draw.score for draw in record.draws} == {7.0}


def test_draws_that_are_all_equal_are_said_to_be():
    answers = iter(["Score: 1", "Score: 1", "Score: 1", "Score: 1", "Score: 2", "Score: 1"])
    with Server(lambda _: said(next(answers))) as server:
        (equal,), (other,) = scored(server), scored(server)
    assert equal.notes == (
        "all 3 draws are equal at temperature 1: the model is sure, or the server always takes the "
        "likeliest token",
    )
    assert other.notes == ()


# Log-probabilities


@pytest.mark.parametrize(
    "value", [None, "x", "-1", True, [], {}, float("nan"), 0.5, float("inf"), 10**400]
)
def test_log_probabilities_that_are_none_are_refused(value):
    tokens = [{"token": "7", "logprob": -0.5}, {"token": "8", "logprob": value}]
    with pytest.raises(GenerationError, match="no log-probabilities of the first token"):
        first_tokens({"logprobs": {"content": [{"top_logprobs": tokens}]}})


@pytest.mark.parametrize("logs", [[-0.1, -0.1], [-1000.0, -2000.0], [-(10**400)]])
def test_numbers_that_are_no_logarithms_of_probabilities_are_refused(logs):
    tokens = [{"token": str(i), "logprob": log} for i, log in enumerate(logs)]
    with pytest.raises(GenerationError, match="no log-probabilities of the first token"):
        first_tokens({"logprobs": {"content": [{"top_logprobs": tokens}]}})


@given(
    st.lists(st.floats(1e-12, 1.0), min_size=30, max_size=60),
    st.sampled_from([0.1, 0.5, 0.9, 1.0, 1.3, 3.0]),
)
def test_what_is_not_listed_lies_between_the_bounds(weights, temperature):
    import math

    total = math.fsum(weights)
    logs = sorted((math.log(w / total) for w in weights), reverse=True)
    rest = Rest(logs[:20], temperature)
    whole = math.fsum(math.exp((log - logs[0]) / temperature) for log in logs)
    assert rest.low <= whole * (1 + 1e-9)
    assert rest.high >= whole * (1 - 1e-9)


def test_the_free_model_is_asked_about_at_the_temperature_of_the_cell():
    import math

    probabilities = {"7": 0.6, "8": 0.2, "The": 0.15, "A": 0.05}
    tokens = [(token, math.log(p)) for token, p in probabilities.items()]
    found = one_token_distribution(tokens, ["7", "8"], 0.5)
    squares = {token: p * p for token, p in probabilities.items()}
    inside = squares["7"] + squares["8"]
    assert found.local == pytest.approx({t: squares[t] / inside for t in ("7", "8")})
    assert found.free == found.local
    assert found.removed_mass == pytest.approx(1 - inside / sum(squares.values()))


# Whatever is wrong with it


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inside = value if isinstance(value, dict | list) else {}
    items = inside.items() if isinstance(inside, dict) else enumerate(inside)
    for name, one in items:
        yield from _places(one, (*place, name))


WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1.5,
    float("nan"),
    "",
    "x" * 5000,
    "\ud800",
    "\0",
    [],
    {},
    [None],
    {"": None},
    [[]],
)


def _mutated(reply: Any, draw: random.Random) -> Any:
    made = copy.deepcopy(reply)
    for _ in range(draw.randint(1, 3)):
        place = draw.choice(list(_places(made)))
        if not place:
            return draw.choice(WRONG)
        parent = made
        for name in place[:-1]:
            parent = parent[name]
        if draw.random() < 0.3:
            del parent[place[-1]]
        else:
            parent[place[-1]] = draw.choice(WRONG)
    return made


def _plans(base: str) -> Iterator[Plan]:
    items = [{"id": "e1", "text": "x"}]
    for address, more in (
        ("#constrain=no", {}),
        ("#constrain=no&together=yes", {}),
        ("", {"spec": {"choice": {"7": 7, "8": 8}}, "scoring": "exact"}),
        (
            "/completions#server=vllm",
            {"spec": "range:8..10", "scoring": "exact", "temperatures": [1.0, 0.5]},
        ),
        ("#server=vllm", {"spec": {"choice": {"1": 1, "10": 10}}, "scoring": "exact"}),
    ):
        yield plan_of(base + address, items=items, **more)


def _right(path: str, body: dict[str, Any]) -> Any:
    """What a server answers that has one token for every character."""
    if path == "/tokenize":
        return {"tokens": [ord(c) for c in body.get("prompt", "hello")]}
    if path == "/detokenize":
        return {"prompt": "".join(chr(one) for one in body["tokens"])}
    if body.get("echo"):
        choices = []
        for index, ids in enumerate(body["prompt"]):
            names = [f"token_id:{one}" for one in ids]
            listed = {"tokens": names, "token_logprobs": [None, *[-1.0] * (len(ids) - 1)]}
            listed["top_logprobs"] = [None, *[{name: -1.0} for name in names[1:]]]
            text = "".join(chr(one) for one in ids)
            choices.append({"index": index, "text": text, "logprobs": listed})
        return {"choices": choices}
    if isinstance(body.get("prompt"), list):
        top = {"token_id:56": -0.5, "token_id:49": -2.0, "token_id:9": -3.0}
        choices = [
            {"index": i, "logprobs": {"top_logprobs": [top]}} for i, _ in enumerate(body["prompt"])
        ]
        return {"choices": choices}
    if "structured_outputs" in body:
        top = {"token_id:97": -0.1, "token_id:3": -3.0, "token_id:4": -9999.0}
        return {"choices": [{"index": 0, "logprobs": {"top_logprobs": [top]}}]}
    if body.get("logprobs"):
        top = [{"token": "8", "logprob": -0.5}, {"token": "1", "logprob": -2.0}]
        top += [{"token": "7", "logprob": -3.0}, {"token": "x", "logprob": -9.0}]
        by_name = [{one["token"]: one["logprob"] for one in top}]
        listed = {"content": [{"token": "8", "top_logprobs": top}], "top_logprobs": by_name}
        return {"choices": [{"text": "8", "message": {"content": "8"}, "logprobs": listed}]}
    return said(*["Score: 7"] * body.get("n", 1), model="m", usage={"prompt_tokens": 3})


def test_a_thousand_damaged_answers_raise_nothing_but_our_errors(monkeypatch, tmp_path):
    draw = random.Random(11)
    chance = 0.0
    paths: list[str] = []
    damaged: list[bool] = []

    def ask(self: Client, body: dict[str, Any], url: str = "") -> dict[str, Any]:
        path = (url or self.endpoint.url).removeprefix("http://localhost:1")
        paths.append(path)
        reply = _right(path, json.loads(json.dumps(body)))
        damaged.append(draw.random() < chance)
        found = _mutated(reply, draw) if damaged[-1] else reply
        if not isinstance(found, dict):
            raise ModelError(self.endpoint.url, "the answer is not JSON")
        return found

    monkeypatch.setattr(Client, "ask", ask)
    records = []
    for round_, plan in ((i, plan) for i in range(240) for plan in _plans("http://localhost:1/v1")):
        chance = 0.0 if round_ == 0 else 0.4
        scorer = EndpointScorer(plan, plan.variants[0], concurrency=1)
        try:
            found = list(scorer.score(tasks_of(plan, {})))
        except ConstrainedError:
            assert round_
            continue
        if not round_:
            assert all(r.local or {d.score for d in r.draws} == {7.0} for r in found)
        records += found
    assert len(records) > 100
    assert sum(damaged) >= 1_000
    assert {"/tokenize", "/detokenize", "/v1/completions"} <= set(paths)
    for place, record in enumerate(records):
        if place % 40 == 0:
            with Store(tmp_path / f"{place}.db") as store:
                store.begin(plan_of("http://localhost:1/v1#constrain=no"), {})
                store.put([record])


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("http://[::1", "'http://[::1' is no address of a server"),
        ("http://a:99999/v1", "'http://a:99999/v1' is no address of a server"),
        ("http://a:0/v1", "'http://a:0/v1' is no address of a server"),
        ("http://a:x/v1", "'http://a:x/v1' is no address of a server"),
        ("http://" + "a" * 70 + "/v1", "'http://aaaa"),
        ("http://a/v 1", "'http://a/v 1' holds a character that no address holds"),
        ("http://a/vé1", "'http://a/vé1' holds a character that no address holds"),
        ("http://a/v1\n", "'http://a/v1\\n' holds a character that no address holds"),
        ("http://a/v1#server=vllm&server=openai", "the setting 'server' is given twice after #"),
        ("http://a/v1#key=", "what stands after key= is no name of an environment variable"),
    ],
)
def test_addresses_that_cannot_be_asked_are_refused_when_they_are_read(address, problem):
    with pytest.raises(InvalidSpec) as error:
        read_endpoint(address)
    assert str(error.value).startswith(problem)


def test_a_report_says_when_a_server_never_draws_anything_else(tmp_path):
    def reported(text: Callable[[dict[str, Any]], str], name: str) -> tuple[str, ...]:
        with Server(lambda body: said(text(body))) as server:
            items = [{"id": f"e{i}", "text": str(i)} for i in range(4)]
            scoring = {"kind": "sampled", "draws": 4}
            plan = plan_of(f"{server.base}#constrain=no", items=items, scoring=scoring)
            run(plan, tmp_path / name, scorers=EndpointScorers(plan))
        return analyse(tmp_path / name).judges[0].quality.notes

    def greedy(body: dict[str, Any]) -> str:
        return f"Score: {int(body['messages'][0]['content'].split()[1]) + 3}"

    note = (
        "all draws of a cell are equal, in every cell: the model is sure of each answer, or the "
        "server that was asked always takes the likeliest token"
    )
    assert note in reported(greedy, "greedy.db")
    assert note not in reported(lambda body: f"Score: {body['seed'] % 3}", "drawn.db")
