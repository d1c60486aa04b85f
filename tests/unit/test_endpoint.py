"""Servers as scorers: a real HTTP server in this process, with a tiny model or canned answers."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
import torch

import constrained
from constrained import Generator
from constrained.consistency.endpoint import (
    Client,
    Endpoint,
    EndpointScorer,
    EndpointScorers,
    read_endpoint,
)
from constrained.consistency.endpoint.logprobs import first_tokens, one_token_distribution
from constrained.consistency.plan import Plan
from constrained.consistency.records import CellRecord
from constrained.consistency.run import run
from constrained.consistency.scoring import tasks_of
from constrained.consistency.store import Store
from constrained.errors import GenerationError, InvalidSpec, ModelError
from tests import tiny

SCORE = "Score: {score:0..10}"
Answer = tuple[int, dict[str, str], bytes | str | dict[str, Any]]


class Server:
    """Answers with what `answer` makes of a request's body; remembers all requests."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.bodies.append(body)
                server.headers.append(dict(self.headers))
                server.paths.append(self.path)
                said = server.answer(body)
                status, headers, content = said if isinstance(said, tuple) else (200, {}, said)
                if isinstance(content, dict):
                    content = json.dumps(content)
                data = content.encode() if isinstance(content, str) else content
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client did not want to wait

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def said(*texts: str, reason: str = "stop", **more: Any) -> dict[str, Any]:
    """A response of the chat route."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
        for i, text in enumerate(texts)
    ]
    return {"choices": choices, **more}


def plan_of(endpoint: str, **more: Any) -> Plan:
    settings: dict[str, Any] = {
        "name": "served",
        "spec": SCORE,
        "items": [{"id": "e1", "text": "Cats purr."}, {"id": "e2", "text": "Dogs bark."}],
        "prompts": {"plain": "Grade: {text}\n"},
        "variants": [{"name": "served", "model": "tiny", "endpoint": endpoint}],
        "scoring": {"kind": "sampled", "draws": 3},
    }
    return Plan(**{**settings, **more})


def scored(plan: Plan, concurrency: int = 1, **options: Any) -> list[CellRecord]:
    client = Client(read_endpoint(plan.variants[0].endpoint or ""), wait=0.01, **options)
    scorer = EndpointScorer(plan, plan.variants[0], client=client, concurrency=concurrency)
    return list(scorer.score(tasks_of(plan, {"tiny": "a test"})))


# A server with a model


@pytest.fixture(scope="module")
def generator() -> Generator:
    tokenizer = tiny.byte_level()
    return Generator(tiny.model("llama", len(tokenizer)), tokenizer)


@pytest.fixture
def model_server(generator) -> Iterator[Server]:
    """Our own generator behind the API, with the extensions of vLLM and llama.cpp."""
    lock = threading.Lock()

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        prompt = body.get("prompt") or "".join(m["content"] for m in body["messages"])
        if body.get("logprobs"):
            return logprobs(body, prompt)
        if "grammar" in body:
            spec = constrained.grammar(body["grammar"], dialect="gbnf")
        elif "structured_outputs" in body:
            spec = constrained.choice(body["structured_outputs"]["choice"])
        else:
            spec = constrained.json(body["response_format"]["json_schema"]["schema"])
        with lock:
            found = generator(
                prompt,
                spec,
                temperature=body["temperature"],
                max_new_tokens=body["max_tokens"],
                seed=body.get("seed"),
                samples=body.get("n", 1),
            )
        return said(*(result.text for result in found), usage={"prompt_tokens": 12})

    def logprobs(body: dict[str, Any], prompt: str) -> dict[str, Any]:
        ids = generator.tokenizer(prompt)["input_ids"]
        with lock, torch.no_grad():
            logits = generator.model(torch.tensor([ids])).logits[0, -1]
        top = torch.log_softmax(logits, -1).topk(body.get("top_logprobs", body["logprobs"]))
        pairs = [
            (generator.tokenizer.decode([i]), log)
            for i, log in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]
        if "prompt" in body:
            return {"choices": [{"text": pairs[0][0], "logprobs": {"top_logprobs": [dict(pairs)]}}]}
        listed = [{"token": token, "logprob": log} for token, log in pairs]
        response = said(pairs[0][0], reason="length")
        response["choices"][0]["logprobs"] = {"content": [{"top_logprobs": listed}]}
        return response

    with Server(answer) as server:
        yield server


def likely_options(generator: Generator, prompt: str) -> dict[str, int]:
    """The likeliest printable first tokens, none beginning another, as options with scores."""
    ids = generator.tokenizer(prompt)["input_ids"]
    with torch.no_grad():
        top = generator.model(torch.tensor([ids])).logits[0, -1].topk(20).indices.tolist()
    texts = [text for i in top if (text := generator.tokenizer.decode([i])).isalnum()]
    texts = [t for t in texts if t.isascii() and not any(o != t and t.startswith(o) for o in texts)]
    assert len(texts) >= 3
    return {text: place for place, text in enumerate(texts[:5])}


@pytest.mark.parametrize("route", ["", "/completions"])
def test_log_probabilities_give_the_exact_distribution_of_single_tokens(
    generator, model_server, route
):
    prompt = "Grade: Cats purr.\n"
    options = likely_options(generator, prompt)
    plan = plan_of(
        model_server.base + route,
        spec={"choice": options},
        items=[{"id": "e1", "text": "Cats purr."}],
        scoring="exact",
        temperatures=[1.0, 0.6],
    )
    for record in scored(plan):
        expected = generator.distribution(
            prompt, constrained.choice(options), temperature=record.address.temperature
        )
        assert record.kind == "exact"
        assert dict(zip(record.support, record.local, strict=True)) == pytest.approx(
            expected.pmf, abs=1e-5
        )
        assert record.numerics_floor == 0.0
    at_one = scored(plan)[0]
    expected = generator.distribution(prompt, constrained.choice(options))
    assert dict(zip(at_one.support, at_one.free, strict=True)) == pytest.approx(
        expected.global_.pmf, abs=1e-5
    )
    assert at_one.removed_mass == pytest.approx(expected.removed_mass, abs=1e-5)


def test_formats_longer_than_a_token_are_not_scored_from_log_probabilities(model_server):
    (record, _) = scored(plan_of(model_server.base, scoring="exact"))
    assert record.local is None
    assert record.draws == ()
    assert record.notes[0].startswith("none of the outputs is among the ")


@pytest.mark.parametrize("server", ["vllm", "llama.cpp"])
def test_draws_of_a_constrained_server_follow_the_exact_distribution(
    generator, model_server, server
):
    plan = plan_of(
        f"{model_server.base}#server={server}&together=yes",
        spec={"choice": {"good": 2, "bad": 0, "poor": 1}},
        items=[{"id": "e1", "text": "Cats purr."}],
        scoring={"kind": "sampled", "draws": 250},
    )
    (record,) = scored(plan)
    expected = generator.distribution(
        "Grade: Cats purr.\n", constrained.choice({"good": 2, "bad": 0, "poor": 1})
    ).pmf
    shares = Counter(draw.score for draw in record.draws)
    assert sum(abs(shares[s] / 250 - p) for s, p in expected.items()) / 2 < 0.08
    assert [draw.index for draw in record.draws] == list(range(250))
    assert {draw.seed for draw in record.draws} == {None}
    assert len(model_server.bodies) == 1


def test_every_draw_is_a_request_with_a_seed_of_its_own_and_can_be_repeated(model_server):
    plan = plan_of(f"{model_server.base}#server=vllm", seed=7)
    first, again = scored(plan, concurrency=4), scored(plan)
    assert [r.draws for r in first] == [r.draws for r in again]
    seeds = [body["seed"] for body in model_server.bodies]
    assert len(set(seeds)) == 6
    assert sorted(d.seed for r in first for d in r.draws) == sorted(set(seeds))
    assert all(d.score is not None for r in first for d in r.draws)
    assert first[0].prompt_tokens == 36
    other = scored(plan.with_options(seed=8))
    assert {d.seed for r in other for d in r.draws}.isdisjoint(seeds)


def test_json_goes_as_a_response_format(model_server):
    schema = {
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 3}},
        "required": ["score"],
        "additionalProperties": False,
    }
    plan = plan_of(model_server.base, spec={"schema": schema}, scoring="mode")
    records = scored(plan)
    sent = model_server.bodies[0]
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }
    assert (sent["temperature"], sent["top_p"], "seed" in sent) == (0.0, 1.0, False)
    assert {record.draws[0].score for record in records} <= {0.0, 1.0, 2.0, 3.0}


def test_whitespace_of_json_is_the_servers_own_business():
    schema = {
        "type": "object",
        "properties": {"score": {"enum": [1, 2]}, "why": {"type": "string"}},
    }
    schema |= {"required": ["score", "why"], "additionalProperties": False}
    texts = [
        '{  \n\n\t"score" :\r 2 , "why":"a  b"\t}',
        '{ "score": 3, "why": "" }',
        '{ "score": 1 2, "why": "" }',
    ]
    answers = iter(map(said, texts))
    with Server(lambda _: next(answers)) as server:
        plan = plan_of(server.base, spec={"schema": schema}, items=[{"id": "e1", "text": "x"}])
        (record,) = scored(plan)
    assert [draw.score for draw in record.draws] == [2.0, None, None]
    assert [draw.text for draw in record.draws] == texts


def test_a_run_is_stored_goes_on_after_the_server_was_down_and_is_not_asked_twice(tmp_path):
    calls = []

    def answer(_: dict[str, Any]) -> Any:
        calls.append(1)
        return (401, {}, "who are you?") if len(calls) > 3 else said("Score: 7")

    with Server(answer) as server:
        plan = plan_of(f"{server.base}#constrain=no")
        scorers = EndpointScorers(plan, concurrency=1)
        with pytest.raises(ModelError, match="status 401: who are you"):
            run(plan, tmp_path / "run.db", scorers=scorers)
        calls[:] = [1, 1, 1, 1]
        server.answer = lambda _: said("Score: 8")
        done = run(plan, tmp_path / "run.db", scorers=scorers)
        assert (done.cells, done.cached, done.scored, done.failed) == (2, 1, 1, 0)
        asked = len(server.bodies)
        again = run(plan, tmp_path / "run.db", scorers=scorers)
        assert (again.cached, len(server.bodies)) == (2, asked)
    with Store(tmp_path / "run.db") as store:
        found = {r.address.item: [d.score for d in r.draws] for r in store.records()}
        assert found == {"e1": [7.0] * 3, "e2": [8.0] * 3}
        assert store.environment()["variants"]["served"] == {
            "endpoint": server.base,
            "server": "openai",
            "route": "chat",
            "constrained": False,
        }


# What is sent


def body_of(spec: Any, address: str = "#server=vllm", **more: Any) -> dict[str, Any]:
    with Server(lambda _: said("x", "x")) as server:
        scored(plan_of(server.base + address, spec=spec, **more))
        return server.bodies[0]


def test_the_chat_route_gets_messages_and_the_completions_route_a_text():
    prompts = {"plain": {"text": "Grade: {text}", "system": "Be fair."}}
    chat = body_of(SCORE, "#constrain=no", prompts=prompts)
    assert chat["messages"] == [
        {"role": "system", "content": "Be fair."},
        {"role": "user", "content": "Grade: Cats purr."},
    ]
    assert chat["model"] == "tiny"
    with Server(lambda _: {"choices": [{"text": "Score: 7"}]}) as server:
        plan = plan_of(f"{server.base}/completions#constrain=no", formats=["alpaca"])
        (record, _) = scored(plan)
        assert server.paths[0] == "/v1/completions"
        assert "### Instruction:\nGrade: Cats purr." in server.bodies[0]["prompt"]
        assert record.prompt_text == server.bodies[0]["prompt"]
        assert [draw.score for draw in record.draws] == [7.0] * 3


def test_arguments_of_the_servers_template_go_with_the_messages():
    arguments = {"chat_template_kwargs": {"enable_thinking": False}}
    with Server(lambda _: said("x", "x")) as server:
        plan = plan_of(server.base + "#server=vllm", spec=SCORE)
        (variant,) = plan.variants
        scored(plan.with_options(variants=[{**variant.model_dump(), **arguments}]))
        assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert "chat_template_kwargs" not in body_of(SCORE)


def test_what_a_server_would_cut_off_is_switched_off():
    assert body_of(SCORE, "#server=vllm")["top_k"] == -1
    sent = body_of(SCORE, "#server=llama.cpp")
    assert (sent["top_k"], sent["top_p"], sent["min_p"]) == (0, 1.0, 0.0)
    scoring = {"kind": "sampled", "draws": 1, "top_k": 5, "top_p": 0.9}
    sent = body_of(SCORE, "#server=vllm", scoring=scoring)
    assert (sent["top_k"], sent["top_p"]) == (5, 0.9)


def test_finite_formats_go_as_their_outputs():
    sent = body_of("{score:1..3}\n", "#server=vllm")
    assert sent["structured_outputs"] == {"choice": ["1\n", "2\n", "3\n"]}
    sent = body_of("{score:1..3}\n", "#server=llama.cpp")
    assert sent["grammar"] == r'root ::= "1\n" | "2\n" | "3\n"'
    plan = plan_of("http://localhost/v1#server=vllm", spec="{score:0..9} {why:/[a-z]+/}")
    with pytest.raises(InvalidSpec, match="vllm cannot be told this template: it has more than"):
        EndpointScorer(plan, plan.variants[0])


@pytest.mark.parametrize(
    ("text", "options"),
    [("quotes", ['say "7"', "a\\b"]), ("signs", ["é", "日本", "tab\there"])],
)
def test_texts_survive_the_notation_of_llama_cpp(text, options):
    from constrained.consistency.endpoint.constraint import constraint_of

    plan = plan_of(
        "http://localhost/v1#server=llama.cpp",
        spec={"choice": {option: place for place, option in enumerate(options)}},
    )
    sent = constraint_of(plan, read_endpoint(plan.variants[0].endpoint))
    spec = constrained.grammar(sent["grammar"], dialect="gbnf")
    assert sorted(spec.enumerate()) == sorted(options), text


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({}, "at spec: the OpenAI API enforces JSON only, and the format is a template"),
        (
            {
                "scoring": {"kind": "sampled", "draws": 1, "top_k": 5},
                "spec": {"schema": {"enum": [1, 2]}},
            },
            "at scoring.top_k: the OpenAI API has no top_k",
        ),
        (
            {"scoring": {"kind": "reasoned", "draws": 1}},
            "at scoring: a server does not give the distribution of a score within a text",
        ),
        (
            {"formats": ["alpaca"]},
            "at formats: the prompt format 'alpaca' makes a string, and the chat route takes",
        ),
    ],
)
def test_what_a_server_cannot_do_is_refused_before_it_is_asked(more, problem):
    plan = plan_of("http://localhost:1/v1", **more)
    with pytest.raises(InvalidSpec) as error:
        EndpointScorer(plan, plan.variants[0])
    assert str(error.value).startswith(problem)


def test_the_key_comes_from_the_environment_and_is_in_no_message(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "secret")
    with Server(lambda _: (403, {}, "no")) as server:
        plan = plan_of(f"{server.base}#constrain=no&key=TEST_KEY")
        with pytest.raises(ModelError) as error:
            scored(plan)
        assert server.headers[0]["Authorization"] == "Bearer secret"
        assert "secret" not in str(error.value)
        assert "secret" not in plan.to_json()
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(ModelError, match="the environment variable TEST_KEY is not set"):
        scored(plan)


# What goes wrong


def test_requests_are_under_way_together_and_records_keep_the_order_of_the_cells():
    met = threading.Barrier(3, timeout=60)

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        met.wait()
        number = int(body["messages"][0]["content"].split()[1])
        time.sleep(0.02 * (3 - number))
        return said(f"Score: {number}")

    items = [{"id": f"e{number}", "text": str(number)} for number in range(3)]
    with Server(answer) as server:
        plan = plan_of(f"{server.base}#constrain=no", items=items, scoring="mode")
        records = scored(plan, concurrency=3)
    assert [r.draws[0].score for r in records] == [0.0, 1.0, 2.0]


def test_answers_outside_the_format_are_failures_with_their_text():
    answers = iter(
        [
            said("Score: 11"),
            said("I like it.", reason="content_filter"),
            said("Score", reason="length"),
        ]
    )
    with Server(lambda _: next(answers)) as server:
        plan = plan_of(f"{server.base}#constrain=no", items=[{"id": "e1", "text": "x"}])
        (record,) = scored(plan)
    assert [draw.score for draw in record.draws] == [None] * 3
    assert [draw.text for draw in record.draws] == ["Score: 11", "I like it.", "Score"]
    assert record.draws[0].failure == (
        "not in the format: 'Score: 11' does not match at byte 8: expected '0' or the end"
    )
    assert record.draws[1].failure.startswith("cut off by the server's content filter; not in the")
    assert record.draws[2].failure.startswith("cut off after 256 tokens; not in the format: ")


def test_a_refusal_and_an_empty_message_are_failures():
    refusal = said("")
    refusal["choices"][0]["message"] = {"content": None, "refusal": "I cannot grade this."}
    answers = iter([refusal, {"choices": [{"message": {"content": None}}]}, said("Score: 3")])
    with Server(lambda _: next(answers)) as server:
        plan = plan_of(f"{server.base}#constrain=no", items=[{"id": "e1", "text": "x"}])
        (record,) = scored(plan)
    assert record.draws[0].failure == "the model refused to answer"
    assert record.draws[0].text == "I cannot grade this."
    assert record.draws[1].failure.startswith("not in the format")
    assert record.draws[2].score == 3.0


def test_busy_broken_and_slow_answers_are_asked_for_again():
    def slow(_: dict[str, Any]) -> dict[str, Any]:
        time.sleep(2.5)
        return said("Score: 1")

    steps: list[Any] = [
        lambda _: (429, {"Retry-After": "0.05"}, {"error": {"message": "slow down"}}),
        lambda _: (500, {}, "oops"),
        lambda _: '{"choices": [',
        lambda _: "[]",
        slow,
        lambda _: said("Score: 9"),
    ]
    asked = iter(steps)
    with Server(lambda body: next(asked)(body)) as server:
        plan = plan_of(
            f"{server.base}#constrain=no", items=[{"id": "e1", "text": "x"}], scoring="mode"
        )
        (record,) = scored(plan, timeout=1.5)
        assert record.draws[0].score == 9.0
        assert len(server.bodies) == 6


@pytest.mark.parametrize(
    ("answer", "problem", "requests"),
    [
        ((503, {}, {"error": {"message": "no GPU"}}), "status 503: no GPU (3 tries)", 3),
        ("not json", "the answer is not JSON: Expecting value: line 1 column 1 (char 0)", 3),
        ((404, {}, "no such route"), "status 404: no such route", 1),
        ((404, {}, "no\x1b[31m such\x00 route"), "status 404: no\u241b[31m such\u2400 route", 1),
        ((302, {"Location": "http://127.0.0.1:9/v1"}, ""), "status 302: Found", 1),
        ({"error": "wrong model"}, "the response holds no choices but 'wrong model'", 1),
    ],
)
def test_a_server_that_keeps_failing_ends_the_run_with_what_it_said(answer, problem, requests):
    with Server(lambda _: answer) as server:
        plan = plan_of(
            f"{server.base}#constrain=no", items=[{"id": "e1", "text": "x"}], scoring="mode"
        )
        with pytest.raises(ModelError) as error:
            scored(plan, retries=2)
        assert problem in str(error.value)
        assert len(server.bodies) == requests


def test_nobody_there_is_said_in_words():
    with Server(lambda _: {}) as server:
        base = server.base
    with pytest.raises(ModelError, match=r"no connection: .*Connection refused.* \(2 tries\)"):
        Client(Endpoint(base), retries=1, wait=0.01).ask({})


def test_a_request_that_is_refused_is_a_failed_cell_and_the_others_go_on():
    def answer(body: dict[str, Any]) -> Any:
        if "Cats" in body["messages"][0]["content"]:
            return (400, {}, {"error": {"message": "the prompt is too long"}})
        return said("Score: 4")

    with Server(answer) as server:
        first, second = scored(plan_of(f"{server.base}#constrain=no"))
    assert [d.failure for d in first.draws] == [
        "the server refused: status 400: the prompt is too long"
    ] * 3
    assert [d.score for d in second.draws] == [4.0] * 3


def test_servers_that_give_fewer_answers_than_asked_for_are_asked_again():
    with Server(lambda _: said("Score: 5", "Score: 6")) as server:
        plan = plan_of(
            f"{server.base}#constrain=no&together=yes", items=[{"id": "e1", "text": "x"}]
        )
        (record,) = scored(plan)
        assert [body.get("n") for body in server.bodies] == [3, None]
    assert [draw.score for draw in record.draws] == [5.0, 6.0, 5.0]


def test_a_closed_run_asks_no_more():
    with Server(lambda _: (503, {}, "busy")) as server:
        client = Client(Endpoint(server.base), wait=60)
        threading.Timer(0.2, client.close).start()
        with pytest.raises(ModelError, match="the run was ended"):
            client.ask({})
        assert len(server.bodies) == 1


# Log-probabilities


def logs(**probabilities: float) -> list[tuple[str, float]]:
    return [(token, math.log(p)) for token, p in probabilities.items()]


def test_an_output_beyond_the_list_is_bounded_by_what_is_listed():
    tokens = [("7", math.log(0.6)), ("8", math.log(0.3)), ("The", math.log(1e-5))]
    found = one_token_distribution(tokens, ["7", "8", "9"], 1.0)
    assert found.local == pytest.approx({"7": 2 / 3, "8": 1 / 3, "9": 0.0})
    assert found.floor == pytest.approx(1e-5 / (0.9 + 1e-5))
    likelier = [*tokens[:2], ("The", math.log(0.05))]
    with pytest.raises(GenerationError, match="1 outputs are not among the 3 likeliest first"):
        one_token_distribution(likelier, ["7", "8", "9"], 1.0)
    with pytest.raises(GenerationError, match=r"may have 0\.12 of the probability"):
        one_token_distribution(tokens, ["7", "8", "9"], 8.0)


def test_ten_counts_only_where_it_is_one_token():
    one = [("1", math.log(0.5)), ("10", math.log(0.25)), ("x", math.log(1e-6))]
    assert one_token_distribution(one, ["1", "10"], 1.0).local == pytest.approx(
        {"1": 2 / 3, "10": 1 / 3}
    )
    two = [("1", math.log(0.5)), ("9", math.log(0.25)), ("x", math.log(1e-6))]
    with pytest.raises(GenerationError, match="the output '10' is longer than one token"):
        one_token_distribution(two, ["1", "9", "10"], 1.0)


def test_tokens_that_read_alike_and_lists_without_an_output_are_refused():
    twice = [("7", -1.0), ("7", -2.0)]
    with pytest.raises(GenerationError, match="two tokens read '7'"):
        one_token_distribution(twice, ["7"], 1.0)
    with pytest.raises(GenerationError, match=r"none of the outputs .* the likeliest is 'The'"):
        one_token_distribution([("The", -0.1)], ["7", "8"], 1.0)


@pytest.mark.parametrize("mass", [0.25, 1e-6, 1e-9])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_what_a_mask_takes_from_one_token_is_known_to_its_last_digits(mass, temperature):
    others = {"The": mass * 0.75, "A": mass * 0.25}
    inside = {"7": (1 - mass) * 0.5, "8": (1 - mass) * 0.5}
    tokens = [(token, math.log(p)) for token, p in (inside | others).items()]
    found = one_token_distribution(tokens, list(inside), temperature)
    power = 1 / temperature
    free = math.fsum(p**power for p in others.values())
    wanted = free / math.fsum([free, *(p**power for p in inside.values())])
    rounding = 1e-15 if temperature == 1 else 0.0  # of what is not listed: 1 minus what is
    assert found.removed_mass == pytest.approx(wanted, rel=1e-6, abs=rounding)


@pytest.mark.parametrize(
    "choice", [{}, {"logprobs": None}, {"logprobs": {"content": [{}]}}, {"logprobs": "no"}]
)
def test_missing_log_probabilities_are_said_to_be_missing(choice):
    with pytest.raises(GenerationError, match="the server gave no log-probabilities"):
        first_tokens(choice)


# Addresses


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://a:8000/v1", Endpoint("http://a:8000/v1")),
        ("http://a:8000/v1/", Endpoint("http://a:8000/v1")),
        ("http://a/v1/chat/completions", Endpoint("http://a/v1")),
        ("http://a/v1/completions#server=vllm", Endpoint("http://a/v1", "completions", "vllm")),
        (
            "https://a/x/v1#constrain=no&together=yes&key=K",
            Endpoint("https://a/x/v1", "chat", "openai", False, True, "K"),
        ),
    ],
)
def test_addresses(address, expected):
    assert read_endpoint(address) == expected
    ending = "/completions" if expected.route == "completions" else "/chat/completions"
    assert expected.url == expected.base + ending


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("localhost:8000", "'localhost:8000' is no address of a server"),
        ("ftp://a/v1", "'ftp://a/v1' is no address of a server"),
        ("http://me:secret@a/v1", "the address of a server holds no password and no query"),
        ("http://a/v1?key=secret", "the address of a server holds no password and no query"),
        ("http://a/v1#server=tgi", "there is no server 'tgi'"),
        ("http://a/v1#speed=fast", "there is no setting 'speed' after #"),
        ("http://a/v1#vllm", "there is no setting 'vllm' after #"),
    ],
)
def test_addresses_that_name_no_server_are_refused(address, problem):
    with pytest.raises(InvalidSpec) as error:
        read_endpoint(address)
    assert str(error.value).startswith(problem)
    assert "secret" not in str(error.value)
