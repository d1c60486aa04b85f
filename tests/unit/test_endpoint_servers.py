"""What real servers said, replayed: they take what is sent, and their numbers are read right."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from constrained.consistency.endpoint import Client, EndpointScorer, read_endpoint
from constrained.consistency.endpoint.constraint import sampling_of
from constrained.consistency.endpoint.dialect import DIALECTS
from constrained.consistency.endpoint.enforceable import enforceable
from constrained.consistency.endpoint.logprobs import first_tokens, likeliest_unlisted
from constrained.consistency.records import CellRecord
from constrained.consistency.scoring import tasks_of
from constrained.errors import InvalidSpec
from tests.served import LOGPROBS, PLANS, SCHEMA, key_of, plan_of, recorded
from tests.unit.test_endpoint import Server
from tests.unit.test_endpoint import plan_of as served_plan

VLLM, LLAMA, TRANSFORMERS = "vllm-0.32.0", "llama-cpp-python-0.3.36", "transformers-5.23.0"


@contextmanager
def replayed(server: str) -> Iterator[Server]:
    """A server that answers what was recorded, and nothing else."""
    known = {key_of(one["path"], one["body"]): one for one in recorded(server)["exchanges"]}

    def answer(body: dict[str, Any]) -> Any:
        one = known.get(key_of(stub.paths[-1], body))
        if one is None:
            return 418, {}, f"never asked: {stub.paths[-1]} {json.dumps(body)}"
        return one["status"], {}, json.dumps(one["reply"])

    with Server(answer) as stub:
        yield stub


def scored(server: str, name: str) -> list[CellRecord]:
    with replayed(server) as stub:
        plan = plan_of(server, name, stub.base)
        client = Client(read_endpoint(plan.variants[0].endpoint or ""), retries=0)
        scorer = EndpointScorer(plan, plan.variants[0], client=client, concurrency=1)
        return list(scorer.score(tasks_of(plan, {})))


def spread(reply: Any) -> dict[str, float]:
    """Log-probabilities of the first token in a reply of the chat route."""
    listed = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    return {one["token"]: one["logprob"] for one in listed}


def spreads(server: str) -> list[dict[str, float]]:
    """Those of the requests in `LOGPROBS`."""
    return [
        spread(one["reply"])
        for one in recorded(server)["exchanges"]
        if one["body"].get("top_logprobs") == 5
    ]


# Exact distributions through a server


EXACT = [name for name, plan in PLANS[VLLM].items() if plan["scoring"] == "exact"]


@pytest.mark.parametrize("name", EXACT)
def test_vllm_gives_the_distribution_that_the_same_model_has_here(name):
    wanted = recorded(VLLM)["expected"][name]
    records = scored(VLLM, name)
    assert len(records) == len(wanted)
    for record, one in zip(records, wanted, strict=True):
        assert record.draws == ()
        assert record.local == pytest.approx(one["local"], abs=1e-5)
        if record.address.temperature == 1:
            assert record.free == pytest.approx(one["free"], abs=3e-5)
            assert record.removed_mass == pytest.approx(one["removed_mass"], abs=1e-5)
        else:
            assert record.free is None or record.free == pytest.approx(one["free"], abs=5e-3)
            assert record.removed_mass == pytest.approx(one["removed_mass"], abs=5e-3)


def test_temperatures_of_one_prompt_are_one_question():
    with replayed(VLLM) as stub:
        plan = plan_of(VLLM, "exact, several tokens", stub.base)
        scorer = EndpointScorer(plan, plan.variants[0], concurrency=2)
        records = list(scorer.score(tasks_of(plan, {})))
        asked = [path for path in stub.paths if path == "/v1/completions"]
    assert len(records) == 2
    assert len(asked) <= 4  # the first tokens (by one cell or both), all outputs, what is likely


def test_llama_cpp_python_gives_exact_shares_of_single_tokens():
    cold, warm = reversed(scored(LLAMA, "exact, one token"))
    reply = recorded(LLAMA)["exchanges"][0]["reply"]
    logs = [spread(reply)[token] for token in ("1", "4")]
    for record in (cold, warm):
        weights = [math.exp(log / record.address.temperature) for log in logs]
        assert record.local == pytest.approx([w / sum(weights) for w in weights])
    assert warm.removed_mass == pytest.approx(1 - sum(map(math.exp, logs)))
    assert cold.removed_mass is None
    assert cold.notes[-1].startswith("the removed mass lies between 0.97 and 0.99: ")


# What log-probabilities are, measured


@pytest.mark.parametrize("server", LOGPROBS)
def test_log_probabilities_are_those_before_temperature_and_penalties(server):
    plain, cold, penalised, _ = spreads(server)
    for other in (cold, penalised):
        common = plain.keys() & other.keys()
        assert len(common) >= 4
        assert {t: plain[t] for t in common} == pytest.approx({t: other[t] for t in common})


@pytest.mark.parametrize(
    ("server", "masked"), [(VLLM, True), (LLAMA, False)], ids=["vllm", "llama.cpp"]
)
def test_log_probabilities_of_a_structured_request_are_after_the_mask_on_vllm_alone(server, masked):
    plain, _, _, within = spreads(server)
    if not masked:
        common = plain.keys() & within.keys()
        assert {t: plain[t] for t in common} == pytest.approx({t: within[t] for t in common})
        return
    allowed = {token: log for token, log in within.items() if log > -9000}
    assert all(any(text.startswith(token) for text in ("I", "The")) for token in allowed)
    assert sum(map(math.exp, allowed.values())) == pytest.approx(1.0, abs=1e-4)
    assert within["I"] > plain["I"] + 1


def test_the_token_that_was_drawn_says_nothing_of_those_that_are_not_listed():
    reply = recorded(LLAMA)["exchanges"][0]["reply"]
    choice = reply["choices"][0]
    tokens = first_tokens(choice)
    drawn = choice["logprobs"]["content"][0]["token"]
    assert len(tokens) == 21
    assert tokens[-1] == (drawn, min(log for _, log in tokens))
    assert likeliest_unlisted(choice, tokens) == sorted(log for _, log in tokens)[1]


# Draws


def test_draws_of_a_list_are_in_the_format_and_differ_by_their_seeds():
    for server in (VLLM, LLAMA):
        (record,) = scored(server, "sampled list")
        assert all(draw.score is not None and draw.failure == "" for draw in record.draws)
        assert len({draw.text for draw in record.draws}) > 1


def test_what_a_server_leaves_out_of_a_schema_shows_as_failures_and_by_name():
    for server, left in (
        (VLLM, ["#/properties/tags/uniqueItems"]),
        (
            LLAMA,
            [
                "#/properties/score/minimum",
                "#/properties/score/maximum",
                "#/properties/tags/uniqueItems",
            ],
        ),
    ):
        (record,) = scored(server, "sampled JSON")
        known = [draw.score is not None for draw in record.draws]
        assert any(known)
        assert not all(known)
        plan = plan_of(server, "sampled JSON", "http://localhost:1/v1")
        scorer = EndpointScorer(plan, plan.variants[0])
        assert scorer.environment()["not_enforced"] == left


def test_an_answer_that_was_cut_off_is_no_score_where_more_could_follow():
    (record,) = scored(VLLM, "cut off")
    assert [(draw.score, draw.text) for draw in record.draws] == [(None, "10")] * 3
    assert record.draws[0].failure == (
        "cut off after 2 tokens; '10' may be the beginning of a longer answer"
    )


def test_a_request_that_is_too_long_says_what_the_server_said():
    (record,) = scored(VLLM, "too long")
    assert record.draws[0].failure.startswith(
        "the server refused: status 400: max_tokens=5000 cannot be greater than max_model_len=1024"
    )


def test_transformers_serve_draws_when_it_is_told_to():
    (record,) = scored(TRANSFORMERS, "sampled, whatever comes")
    assert len({draw.text for draw in record.draws}) == 3
    assert all("cut off after 6 tokens" in draw.failure for draw in record.draws)
    (likeliest,) = scored(TRANSFORMERS, "likeliest")
    assert likeliest.draws[0].text.startswith("The most common")


# Dialects


@pytest.mark.parametrize("server", DIALECTS)
def test_every_setting_that_changes_what_is_drawn_is_said(server):
    plan = served_plan(f"http://localhost:1/v1#server={server}&constrain=no")
    sent = sampling_of(plan, read_endpoint(plan.variants[0].endpoint or ""), 0.7)
    own = json.loads(sent.pop("generation_config", "{}"))
    assert (sent["temperature"], sent["top_p"]) == (0.7, 1.0)
    penalties = {
        "openai": {"presence_penalty": 0.0, "frequency_penalty": 0.0},
        "vllm": {"presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0},
        "llama.cpp": {"presence_penalty": 0.0, "frequency_penalty": 0.0, "repeat_penalty": 1.0},
        "llama-cpp-python": {
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "repeat_penalty": 1.0,
        },
        "transformers": {"repetition_penalty": 1.0, "do_sample": True, "top_k": 0},
    }[server]
    assert {name: {**sent, **own}.get(name) for name in penalties} == penalties


def test_transformers_serve_is_told_not_to_draw_at_temperature_0():
    plan = served_plan("http://localhost:1/v1#server=transformers&constrain=no", scoring="mode")
    sent = sampling_of(plan, read_endpoint(plan.variants[0].endpoint or ""), 0.0)
    own = json.loads(sent["generation_config"])
    assert (own["do_sample"], "top_k" in own) == (False, False)


@pytest.mark.parametrize(
    ("address", "more", "problem"),
    [
        (
            "#server=transformers",
            {},
            "at spec: transformers enforces no format: it leaves response_format out in silence",
        ),
        (
            "#server=transformers&constrain=no",
            {"scoring": "exact"},
            "at scoring: transformers gives no log-probabilities (use kind: sampled)",
        ),
        (
            "#server=llama-cpp-python&together=yes",
            {},
            "at variants.endpoint: llama-cpp-python gives one answer to a request",
        ),
        (
            "/completions#server=llama.cpp",
            {"spec": {"schema": {"type": "integer"}}},
            "at spec: llama.cpp cannot be told this schema: it has more than 4,096 outputs",
        ),
    ],
)
def test_what_a_server_does_not_do_is_refused_by_its_name(address, more, problem):
    plan = served_plan(f"http://localhost:1/v1{address}", **more)
    with pytest.raises(InvalidSpec) as error:
        EndpointScorer(plan, plan.variants[0])
    assert str(error.value).startswith(problem)


def test_llama_cpp_gets_schemas_in_the_form_that_it_knows():
    sent = [
        one["body"]["response_format"]
        for one in recorded(LLAMA)["exchanges"]
        if "response_format" in one["body"]
    ]
    assert len(sent) == 3
    assert {one["type"] for one in sent} == {"json_object"}
    assert "uniqueItems" not in json.dumps(sent)
    assert sent[0]["schema"]["required"] == SCHEMA["required"]


def test_a_schema_that_is_not_enforced_whole_goes_as_its_outputs_where_they_can_be_listed():
    schema = {"type": "integer", "minimum": 0, "maximum": 3}
    plan = served_plan("http://localhost:1/v1#server=llama-cpp-python", spec={"schema": schema})
    scorer = EndpointScorer(plan, plan.variants[0])
    assert scorer._constraint.sent == {"grammar": 'root ::= "-0" | "0" | "1" | "2" | "3"'}
    assert "not_enforced" not in scorer.environment()


@pytest.mark.parametrize(
    ("schema", "sent", "left"),
    [
        ({"enum": [1, 2, 3], "maximum": 2}, {"enum": [1, 2, 3]}, ["#/maximum"]),
        (
            {"type": "string", "pattern": "^a+$", "maxLength": 3},
            {"type": "string", "pattern": "^a+$"},
            ["#/maxLength"],
        ),
        ({"type": "string", "pattern": "a+"}, {"type": "string"}, ["#/pattern"]),
        ({"type": "string", "pattern": "^(?=a)a$"}, {"type": "string"}, ["#/pattern"]),
        ({"type": "string", "pattern": "^a|b$"}, {"type": "string"}, ["#/pattern"]),
        ({"type": "string", "pattern": "^(a)\\1$"}, {"type": "string"}, ["#/pattern"]),
        (
            {"type": "string", "pattern": "^(a|b)[|]\\.$"},
            {"type": "string", "pattern": "^(a|b)[|]\\.$"},
            [],
        ),
        ({"type": "string", "format": "hostname"}, {"type": "string"}, ["#/format"]),
        (
            {"if": {"type": "string"}, "then": {"minLength": 2}, "not": {"const": 1}},
            {},
            ["#/if", "#/then", "#/not"],
        ),
        (
            {"properties": {"a/b": {"type": "array", "items": {"multipleOf": 2}}}},
            {"properties": {"a/b": {"type": "array", "items": {}}}},
            ["#/properties/a~1b/items/multipleOf"],
        ),
        (
            {"anyOf": [{"contains": {}}, True], "title": "kept", "x-mine": 1},
            {"anyOf": [{}, True], "title": "kept"},
            ["#/x-mine", "#/anyOf/0/contains"],
        ),
        (
            {"$ref": "#/$defs/a", "maximum": 1, "$defs": {"a": {"uniqueItems": True}}},
            {"$ref": "#/$defs/a", "$defs": {"a": {}}},
            ["#/maximum", "#/$defs/a/uniqueItems"],
        ),
    ],
)
def test_only_what_vllm_enforces_is_sent(schema, sent, left):
    assert enforceable(schema, DIALECTS["vllm"]) == (sent, tuple(left))
    assert enforceable(schema, DIALECTS["openai"]) == (schema, ())


def test_lists_in_which_tokens_that_read_alike_are_one_are_refused():
    listed = [{"token": f"t{i}", "logprob": -5.0 - i / 10} for i in range(18)]
    listed.insert(0, {"token": "7", "logprob": -0.5})
    content = [{"token": "7", "logprob": -0.5, "top_logprobs": listed}]
    reply = {"choices": [{"message": {"content": "7"}, "logprobs": {"content": content}}]}
    with Server(lambda _: reply) as server:
        plan = served_plan(f"{server.base}#server=llama-cpp-python", spec={"choice": [7]})
        plan = plan.with_options(spec={"choice": [7, 8]}, scoring="exact")
        scorer = EndpointScorer(plan, plan.variants[0], concurrency=1)
        record = next(iter(scorer.score(tasks_of(plan, {}))))
    assert record.local is None
    assert record.notes[0].startswith(
        "the server lists tokens that read alike as one: 19 of the 20"
    )


def test_tokens_that_a_server_does_not_score_are_said():
    def answer(body: dict[str, Any]) -> Any:
        if "prompt" in body and isinstance(body["prompt"], list):
            choices = [
                {"index": i, "text": "x", "logprobs": {"tokens": ["a"]}}
                for i, _ in enumerate(body["prompt"])
            ]
            return {"choices": choices}
        if "logprobs" in body:
            return {"choices": [{"text": "x"}]}
        return {"tokens": [1, *map(ord, body.get("prompt", "hello"))]}

    with Server(answer) as server:
        plan = served_plan(f"{server.base}#server=vllm", spec="range:8..10", scoring="exact")
        scorer = EndpointScorer(plan, plan.variants[0], concurrency=1)
        record = next(iter(scorer.score(tasks_of(plan, {}))))
    assert record.notes[0].startswith(
        "the server did not give the log-probabilities of the tokens it was sent"
    )
    assert record.local is None


def test_a_server_without_a_tokenizer_route_fails_cells_and_not_the_run():
    def answer(_: dict[str, Any]) -> Any:
        if stub.paths[-1] == "/tokenize":
            return 404, {}, {"detail": "Not Found"}
        return {"choices": [{"message": {"content": "x"}}]}

    with Server(answer) as stub:
        plan = served_plan(f"{stub.base}#server=vllm", spec="range:8..10", scoring="exact")
        scorer = EndpointScorer(plan, plan.variants[0], concurrency=1)
        records = list(scorer.score(tasks_of(plan, {})))
    assert [record.local for record in records] == [None, None]
    assert records[0].notes[0].startswith("the server has no /tokenize: status 404: Not Found")


def test_formats_of_too_many_outputs_are_not_asked_one_by_one():
    def answer(_: dict[str, Any]) -> Any:
        return {"choices": [{"message": {"content": "x"}}]}

    with Server(answer) as stub:
        plan = served_plan(f"{stub.base}#server=vllm", spec="range:0..5000", scoring="exact")
        scorer = EndpointScorer(plan, plan.variants[0], concurrency=1)
        record = next(iter(scorer.score(tasks_of(plan, {}))))
    assert record.notes[0].startswith("the format has 5,001 outputs, and a server is asked for at")


def test_servers_with_one_seed_are_asked_for_one_answer_after_the_other():
    under_way: list[int] = []
    most: list[int] = []

    def answer(_: dict[str, Any]) -> Any:
        under_way.append(1)
        most.append(len(under_way))
        under_way.pop()
        return {"choices": [{"message": {"content": "7"}}]}

    with Server(answer) as stub:
        address = f"{stub.base}#server=transformers&constrain=no"
        plan = served_plan(address, spec="range:0..9")
        scorer = EndpointScorer(plan, plan.variants[0], concurrency=8)
        assert len(list(scorer.score(tasks_of(plan, {})))) == 2
    assert max(most) == 1
    assert scorer._concurrency == 1


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("choice:0|1", (0.0, 1.0)),
        ("choice:1|2.5|-3", (-3.0, 1.0, 2.5)),
        ("choice:07|8", (7.0, 8.0)),
    ],
)
def test_scores_in_one_line_are_scores(text, scores):
    plan = served_plan("http://localhost:1/v1#server=vllm", spec=text, scoring="exact")
    assert plan.support == scores
    assert sorted(plan.spec_of().enumerate()) == sorted(text.removeprefix("choice:").split("|"))


def test_words_in_one_line_have_no_scores_of_their_own():
    with pytest.raises(InvalidSpec, match="the output '1' has no score"):
        served_plan("http://localhost:1/v1#server=vllm", spec="choice:no|1")
