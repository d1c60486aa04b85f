"""`Spec.summary`: what is told, what is not, and how it prints."""

from __future__ import annotations

import dataclasses

import pytest

from constrained.grammar import (
    ANY_CHAR,
    NOTHING,
    Grammar,
    Ref,
    alt,
    cat,
    complement,
    intersect,
    literal,
    literals,
    optional,
    repeat,
)
from constrained.limits import Limits
from constrained.spec import Spec, Summary, choice, integer, number, template, text
from constrained.spec.finiteness import finiteness
from constrained.vocabulary import Vocabulary

BYTES: list[bytes | None] = [bytes([byte]) for byte in range(256)]


def vocabulary(*words: str) -> Vocabulary:
    return Vocabulary([*BYTES, None, *(word.encode() for word in words)], end_ids=[256])


def spec_of(grammar: Grammar) -> Spec[str]:
    return Spec("spec", grammar, str)


def test_a_score_is_summed_up() -> None:
    summary = template("Essay score: {score:0..10} / 10").summary(
        vocabulary("Essay", " score", ":", " ", " / ", "10")
    )
    assert summary == Summary(
        finite=True,
        reason="",
        outputs=11,
        shortest_bytes=19,
        longest_bytes=20,
        shortest_characters=19,
        longest_characters=20,
        prefixes=False,
        prefix_examples=(),
        beginning="Essay score: ",
        fewest_tokens=7,
        most_tokens=7,
        leading_space=False,
    )
    assert str(summary) == (
        "11 outputs\n"
        "19 to 20 bytes, 19 to 20 characters\n"
        "7 tokens\n"
        "always begins with 'Essay score: '\n"
        "no output begins another"
    )


def test_outputs_that_begin_others_are_named() -> None:
    summary = integer(0, 100).summary()
    assert (summary.prefixes, summary.prefix_examples) == (True, ("1", "2", "10"))
    assert str(summary).endswith("some outputs begin others: '1', '2', '10'")
    assert choice(["", "a"]).summary().prefix_examples == ("",)


def test_the_first_token_may_want_a_space() -> None:
    spec = choice(["good", "bad"])
    assert spec.summary(vocabulary(" go")).leading_space is True
    assert spec.summary(vocabulary(" x", " goods", " ")).leading_space is False
    assert spec.summary().leading_space is None
    assert "the first token may want a leading space" in str(spec.summary(vocabulary(" good")))


def test_fewest_and_most_tokens_take_the_shortest_spelling_of_each_output() -> None:
    spec = integer(8, 11)
    single = spec.summary(vocabulary())
    merged = spec.summary(vocabulary("10"))
    assert (single.fewest_tokens, single.most_tokens) == (1, 2)
    assert (merged.fewest_tokens, merged.most_tokens) == (1, 2)
    both = choice(["10", "11"]).summary(vocabulary("10"))
    assert (both.fewest_tokens, both.most_tokens) == (1, 2)


def test_fewest_tokens_of_infinite_specs() -> None:
    spec = "aaaa" + integer(1000)
    assert spec.summary(vocabulary("aaa", "a1")).fewest_tokens == 5
    assert spec.summary(vocabulary("aaaa10", "00")).fewest_tokens == 2
    # a longer output may need fewer tokens than the shortest one
    choose = choice(["xyz", "wwwwww"])
    assert choose.summary(vocabulary("www")).fewest_tokens == 2
    assert spec.summary(vocabulary()).most_tokens is None


def test_an_infinite_spec_has_a_shortest_output_and_no_longest() -> None:
    summary = number().summary()
    assert (summary.finite, summary.outputs) == (False, None)
    assert (summary.shortest_bytes, summary.longest_bytes) == (1, None)
    assert str(summary).startswith("infinitely many outputs: ")
    assert "\nat least 1 byte, at least 1 character\n" in str(summary)


def test_characters_are_not_bytes() -> None:
    summary = choice(["日本", "abcd"]).summary()
    assert (summary.shortest_bytes, summary.longest_bytes) == (4, 6)
    assert (summary.shortest_characters, summary.longest_characters) == (2, 4)


def test_counts_are_exact_however_large() -> None:
    assert text(max_length=2, alphabet="abc").summary().outputs == 13
    code_points = 0x110000 - 0x800
    assert text(min_length=3, max_length=3).summary().outputs == code_points**3
    assert integer(0, 10**40).summary().outputs == 10**40 + 1


def test_outputs_of_ambiguous_grammars_count_once() -> None:
    ambiguous = alt(
        cat(repeat(literal("a")), repeat(literal("a"))), cat(literal("a"), optional(literal("a")))
    )
    bounded = intersect(ambiguous, repeat(literal("a"), 0, 4))
    assert spec_of(Grammar(bounded)).summary().outputs == 5


def test_too_many_states_are_said_and_not_guessed() -> None:
    spec = integer(0, 10**40)
    summary = spec.summary(limits=Limits(max_states=3))
    assert (summary.finite, summary.outputs, summary.longest_bytes) == (True, None, None)
    assert summary.reason == "more than 3 states (Limits.max_states)"
    assert str(summary).startswith("finitely many outputs: more than 3 states")
    word = intersect(repeat(ANY_CHAR), complement(repeat(literal("ab"), 9)))
    undecided = spec_of(Grammar(word)).summary(limits=Limits(max_states=3))
    assert undecided.finite is None
    assert str(undecided).startswith("cannot tell whether the outputs are finitely many: ")


def test_summaries_are_values() -> None:
    assert integer(0, 3).summary() == integer(0, 3).summary()
    with pytest.raises(dataclasses.FrozenInstanceError):
        integer(0, 3).summary().outputs = 5  # type: ignore[misc]
    assert repr(integer(0, 3).summary()).startswith("Summary(finite=True, reason='', outputs=4,")


# --- finiteness -----------------------------------------------------------------------------------

A, B = literal("a"), literal("b")


@pytest.mark.parametrize(
    ("grammar", "finite", "reason"),
    [
        (Grammar(A), True, ""),
        (Grammar(repeat(A, 0, 9)), True, ""),
        (Grammar(repeat(A)), False, '"a"* has no upper bound'),
        (Grammar(cat(repeat(A), NOTHING)), True, ""),
        (Grammar(Ref("r"), {"r": Ref("r")}), True, ""),
        (Grammar(alt(A, Ref("r")), {"r": cat(B, Ref("r"))}), True, ""),
        (Grammar(Ref("r"), {"r": alt(A, Ref("s")), "s": alt(B, Ref("r"))}), True, ""),
        (Grammar(Ref("r"), {"r": alt(A, cat(B, Ref("r")))}), False,
         "rule 'r' can contain itself"),
        (Grammar(Ref("r"), {"r": optional(cat(Ref("e"), Ref("r"))), "e": optional(NOTHING)}), True,
         ""),
        (Grammar(Ref("r"), {"r": alt(A, repeat(Ref("r"), 0, 2))}), False,
         "rule 'r' can contain itself"),
        (Grammar(intersect(repeat(A), literals(["a", "aa", "b"]))), True, ""),
        (Grammar(intersect(repeat(A), complement(repeat(A, 5)))), True, ""),
        (Grammar(intersect(repeat(A), complement(repeat(A, 5, 9)))), False,
         '"a"* & !"a"{5,9} has no upper bound'),
        (Grammar(complement(A)), False, '!"a" has no upper bound'),
        (Grammar(alt(A, intersect(repeat(A, 1), repeat(B, 1)))), True, ""),
    ],
)  # fmt: skip
def test_finiteness_is_decided_on_the_grammar(grammar: Grammar, finite: bool, reason: str) -> None:
    found = finiteness(grammar, Limits())
    assert (found.finite, found.reason) == (finite, reason)


def test_deep_recursion_through_many_rules_is_decided() -> None:
    rules = {f"r{n}": alt(A, cat(B, Ref(f"r{n + 1}"))) for n in range(5_000)}
    chain = Grammar(Ref("r0"), rules | {"r5000": A})
    assert finiteness(chain, Limits()).finite is True
    ring = Grammar(Ref("r0"), rules | {"r5000": Ref("r0")})
    assert finiteness(ring, Limits()).finite is False
