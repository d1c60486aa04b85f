"""Cost estimates: counted against the tokenizer and the grid by hand."""

from __future__ import annotations

from typing import Any

import pytest

from constrained.consistency.plan import CostEstimate, Plan, Speed, cost, estimate, measure_speed
from constrained.testing import ByteTokenizer
from tests import tiny


def plan(**changes: Any) -> Plan:
    parts: dict[str, Any] = {
        "name": "demo",
        "spec": "range:0..10",
        "items": [{"id": f"e{n}", "text": "x" * n} for n in range(5)],
        "prompts": {"short": "{text}.", "long": "Grade: {text}."},
        "formats": ("plain", "vicuna"),
        "temperatures": (0.5, 1.0, 1.5),
    }
    return Plan(**{**parts, **changes})


def test_tokens_are_those_of_the_prompts_that_are_read() -> None:
    made = plan()
    found = estimate(made, ByteTokenizer())
    prompts = {cell.render() for cell in made.cells()}
    assert len(prompts) == 5 * 2 * 2
    assert found.cells == 5 * 2 * 2 * 3
    assert found.prompts == found.passes == found.counted == len(prompts)
    assert found.prompt_tokens == sum(len(prompt) for prompt in prompts)
    # 0 to 9 and 10: ten first bytes and one second byte, written for every prompt.
    assert found.output_tokens == 11 * len(prompts)
    assert found.minutes is None


def test_draws_cost_passes_and_share_nothing() -> None:
    exact = estimate(plan(), ByteTokenizer())
    drawn = estimate(plan(scoring={"kind": "sampled", "draws": 4}), ByteTokenizer())
    assert drawn.prompts == drawn.cells == exact.cells
    # At most three tokens: "1", "0" and the end.
    assert drawn.output_tokens == drawn.cells * 4 * 3
    assert drawn.passes == drawn.cells * (1 + 3)
    mode = estimate(plan(scoring="mode", temperatures=(1.0,)), ByteTokenizer())
    assert (mode.output_tokens, mode.passes) == (mode.cells * 3, mode.cells * 4)


def test_free_text_costs_up_to_its_budget() -> None:
    said = {"template": "{why:/[a-z ]+/}: {score:0..1}"}
    scoring = {"kind": "reasoned", "draws": 2, "max_new_tokens": 50}
    found = estimate(plan(spec=said, scoring=scoring), ByteTokenizer())
    assert found.output_tokens >= found.cells * 2 * 50


def test_minutes_are_tokens_and_passes_times_their_seconds() -> None:
    found = estimate(plan(), ByteTokenizer(), *Speed(per_token=0.06, per_pass=3))
    tokens = found.prompt_tokens + found.output_tokens
    assert found.minutes == pytest.approx(tokens * 0.001 + found.passes * 0.05)


def test_a_shard_costs_its_share() -> None:
    items = [{"id": f"e{n}", "text": "x"} for n in range(60)]
    whole = plan(items=items)
    parts = [estimate(whole.shard(i, 3), ByteTokenizer()) for i in (1, 2, 3)]
    total = estimate(whole, ByteTokenizer())
    assert sum(part.cells for part in parts) == total.cells
    assert sum(part.prompt_tokens for part in parts) == total.prompt_tokens


def test_large_plans_are_counted_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(items=[{"id": f"e{n}", "text": "word " * (n % 7)} for n in range(500)])
    all_of_them = estimate(made, ByteTokenizer())
    monkeypatch.setattr(cost, "COUNTED_PROMPTS", 100)
    some = estimate(made, ByteTokenizer())
    assert all_of_them.counted == 2000
    assert some.counted == 100
    assert some.prompt_tokens == pytest.approx(all_of_them.prompt_tokens, rel=0.1)
    assert "about" in str(some)
    assert "about" not in str(all_of_them)


def test_without_a_tokenizer_the_length_is_a_guess_and_said_to_be_one() -> None:
    found = estimate(plan(formats=("template",)))
    assert found.counted == 0
    assert str(found).splitlines()[1].startswith("about ")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0.001, "1 second"), (1, "60 seconds"), (45, "45 minutes"), (600, "10.0 hours")],
)
def test_durations_are_written_in_fitting_units(minutes: float, said: str) -> None:
    assert str(CostEstimate(1, 1, 1, 1, 1, 1, minutes)).endswith(f"about {said} on one device")


def test_the_speed_of_a_real_model_is_measured() -> None:
    tokenizer = tiny.byte_level()
    speed = measure_speed(plan(), tiny.model("llama", len(tokenizer)), tokenizer)
    assert speed.per_token > 0
    assert speed.per_pass >= 0
    assert estimate(plan(), tokenizer, *speed).minutes > 0  # type: ignore[operator]
