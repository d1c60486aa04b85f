"""Runs the plans of tests/served.py on a real server and writes down what it says.

    python benchmarks/record_servers.py vllm-0.32.0 http://127.0.0.1:8123 --local ./model

The server has to know its model under the name "a-model" (or name it with --model). With --local, a
folder with the same weights, exact cells are compared with those of this library in float32. What
was said goes to tests/data/servers, for the ordinary tests to replay.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from constrained.consistency.endpoint import Client, EndpointScorer, read_endpoint
from constrained.consistency.records import CellRecord
from constrained.consistency.scoring import tasks_of
from tests.served import ASKED, DATA, LOGPROBS, PLANS, QUESTION, plan_of

NAMED = "a-model"
KEPT = {
    "": ("choices", "usage", "model", "system_fingerprint", "tokens", "prompt", "error", "detail"),
    "choices": ("index", "text", "message", "finish_reason", "logprobs"),
    "message": ("content", "refusal"),
    "usage": ("prompt_tokens", "completion_tokens"),
    "content": ("token", "logprob", "top_logprobs"),
    "top_logprobs": ("token", "logprob"),
}
"""What is kept of a reply, by where it stands."""


def trimmed(value: Any, place: str = "") -> Any:
    """A reply without what nobody reads."""
    if isinstance(value, list):
        return [trimmed(one, place) for one in value]
    if not isinstance(value, dict):
        return value
    by_name = place == "top_logprobs" and "token" not in value
    kept = None if by_name else KEPT.get(place)
    return {name: trimmed(one, name) for name, one in value.items() if kept is None or name in kept}


class Between:
    """Passes requests on to a server and remembers what it says."""

    def __init__(self, real: str, model: str) -> None:
        self.exchanges: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sent = {**body, "model": model} if "model" in body else body
                status, reply = asked(real + self.path, sent)
                reply = json.loads(
                    json.dumps(trimmed(reply)).replace(json.dumps(model)[1:-1], NAMED)
                )
                outer.exchanges.append(
                    {"path": self.path, "body": body, "status": status, "reply": reply}
                )
                data = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self._http.server_port}/v1"


def asked(url: str, body: Any) -> tuple[int, Any]:
    """Status and reply of a server."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=600) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        try:
            return error.code, json.loads(text)
        except ValueError:
            return error.code, {"error": text}


def expected(server: str, name: str, generator: Any) -> list[dict[str, Any]]:
    """What this library gives for the cells of an exact plan, with the same model here."""
    found = []
    plan = plan_of(server, name, "http://127.0.0.1/v1")
    for cell in plan.cells():
        chat = "/completions" not in (plan.variants[0].endpoint or "")
        prompt = [{"role": "user", "content": cell.text}] if chat else cell.render()
        said = generator.distribution(prompt, plan.spec_of(), temperature=cell.temperature)
        local: dict[float, float] = {}
        free: dict[float, float] = {}
        for one in said.outcomes:
            score = float(plan.score_of(one.value))  # type: ignore[arg-type]
            local[score] = local.get(score, 0.0) + one.local
            free[score] = free.get(score, 0.0) + (one.free or 0.0)
        inside = sum(free.values())
        found.append(
            {
                "local": [local[score] for score in sorted(local)],
                "free": [free[score] / inside for score in sorted(free)],
                "removed_mass": said.removed_mass,
            }
        )
    return found


def compared(records: list[CellRecord], wanted: list[dict[str, Any]]) -> float:
    """The largest difference of a probability."""
    pairs = [
        abs(a - b)
        for record, one in zip(records, wanted, strict=True)
        for a, b in zip(record.local or (), one["local"], strict=True)
    ]
    return max(pairs)


def main() -> None:
    """Record one server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", choices=sorted(PLANS))
    parser.add_argument("address", help="http://127.0.0.1:8123, without /v1")
    parser.add_argument("--model", default=NAMED, help="the server's name for its model")
    parser.add_argument("--local", help="a folder with the same model")
    options = parser.parse_args()
    between = Between(options.address, options.model)
    generator = None
    if options.local:
        from constrained import Generator
        from constrained.models import load_model

        generator = Generator(*load_model(options.local, dtype="float32"))
    known: dict[str, Any] = {}
    for name in PLANS[options.server]:
        plan = plan_of(options.server, name, between.base)
        client = Client(read_endpoint(plan.variants[0].endpoint or ""), timeout=600, retries=0)
        scorer = EndpointScorer(plan, plan.variants[0], client=client, concurrency=1)
        records = list(scorer.score(tasks_of(plan, {})))
        print(f"== {name}: {scorer.environment()}")
        for record in records:
            draws = [(draw.score, draw.text, draw.failure) for draw in record.draws]
            print(f"   {record.local} {record.removed_mass} {draws} {record.notes}")
        if generator is not None and plan.scoring.kind == "exact":
            known[name] = expected(options.server, name, generator)
            print(f"   differs from here by at most {compared(records, known[name]):.1e}")
    for name, settings in LOGPROBS.get(options.server, {}).items():
        body = {"model": NAMED, "messages": QUESTION, **ASKED, **settings}
        _, reply = asked(between.base + "/chat/completions", body)
        print(f"== {name}: {json.dumps(reply)[:300]}")
    DATA.mkdir(parents=True, exist_ok=True)
    file = DATA / f"{options.server}.json"
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in between.exchanges)
    text = f'{{"expected": {json.dumps(known)},\n"exchanges": [\n{lines}\n]}}\n'
    file.write_text(text, "utf-8")
    print(f"{len(between.exchanges)} exchanges, {len(text):,} bytes: {file.name}")


if __name__ == "__main__":
    main()
