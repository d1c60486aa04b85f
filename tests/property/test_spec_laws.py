"""What every spec says of itself, held against plain sets of texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import islice, product
from operator import add
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from constrained.engine import ByteEngine
from constrained.errors import TextRejected, UnsatisfiableSpec, UnsupportedSpec
from constrained.grammar import Grammar
from constrained.grammar.combine import concatenate, unite
from constrained.grammar.passes import prepared
from constrained.limits import Limits
from constrained.spec import Spec, as_spec, choice, integer, number, template, text
from constrained.spec.automaton import explore
from constrained.spec.finiteness import finiteness
from constrained.spec.members import all_outputs
from constrained.vocabulary import Vocabulary
from tests.oracle import Language, matches
from tests.property.strategies import alphabet_of, grammars, vocabularies

LAWS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@dataclass(frozen=True)
class Known:
    """A finite spec and what it must hold: each output with its value."""

    spec: Spec[Any]
    values: dict[str, Any]


def known_choice(options: list[str]) -> Known:
    return Known(choice(options), {option: option for option in options})


def known_integer(low: int, size: int) -> Known:
    return Known(integer(low, low + size), {str(n): n for n in range(low, low + size + 1)})


def known_text(alphabet: str, least: int, more: int, stop: str | None) -> Known:
    bodies = [
        "".join(letters)
        for length in range(least, least + more + 1)
        for letters in product(sorted(set(alphabet)), repeat=length)
    ]
    spec = text(min_length=least, max_length=least + more, alphabet=alphabet, stop=stop)
    if stop is None:
        return Known(spec, {body: body for body in bodies})
    return Known(
        spec, {body + stop: body for body in bodies if (body + stop).find(stop) == len(body)}
    )


atoms: st.SearchStrategy[Known] = st.one_of(
    st.builds(known_choice, st.lists(st.text("ab1é", max_size=3), min_size=1, max_size=5)),
    st.builds(known_integer, st.integers(-12, 12), st.integers(0, 14)),
    st.builds(
        known_text,
        st.sampled_from(["a", "ab", "1é"]),
        st.integers(0, 1),
        st.integers(0, 2),
        st.sampled_from([None, "!", "ab", "bb"]),
    ),
    st.text("ab1-", max_size=2).map(lambda t: Known(as_spec(t), {t: t})),
)


def is_literal(known: Known) -> bool:
    return bool(known.spec.parts) and not known.spec.holes


@LAWS
@given(atoms)
def test_a_finite_spec_enumerates_its_outputs_sorted_by_bytes(known: Known) -> None:
    assert list(known.spec.enumerate()) == sorted(known.values, key=str.encode)
    assert {output: known.spec.parse(output) for output in known.values} == known.values
    assert list(known.spec.enumerate(2)) == sorted(known.values, key=str.encode)[:2]


@LAWS
@given(st.lists(atoms, min_size=1, max_size=3), st.text("ab1-!é", max_size=5))
def test_a_union_is_read_by_the_first_alternative_that_matches(
    alternatives: list[Known], other: str
) -> None:
    spec = reduce(lambda one, two: one | two, (known.spec for known in alternatives))
    expected: dict[str, Any] = {}
    for known in reversed(alternatives):
        expected |= known.values
    assert set(spec.enumerate()) == set(expected)
    for output, value in expected.items():
        assert spec.parse(output) == value
        assert type(spec.parse(output)) is type(value)
    assert spec.matches(other) == (other in expected)


def divisions(parts: list[Known], output: str) -> list[list[str]]:
    """All ways to divide a text, the one with the longest first part first, and so on."""
    if not parts:
        return [[]] if not output else []
    return [
        [output[:cut], *rest]
        for cut in range(len(output), -1, -1)
        if output[:cut] in parts[0].values
        for rest in divisions(parts[1:], output[cut:])
    ]


@LAWS
@given(st.lists(atoms, min_size=2, max_size=4), st.data())
def test_a_sequence_is_divided_from_the_left_with_the_longest_parts(
    parts: list[Known], data: st.DataObject
) -> None:
    spec = reduce(add, (known.spec for known in parts))
    pieces = [data.draw(st.sampled_from(sorted(known.values))) for known in parts]
    output = "".join(pieces)
    first = divisions(parts, output)[0]
    # adjacent literal texts are one part, which changes no division
    values = [
        known.values[piece]
        for known, piece in zip(parts, first, strict=True)
        if not is_literal(known)
    ]
    expected = output if not values else values[0] if len(values) == 1 else tuple(values)
    assert spec.parse(output) == expected
    wrong = data.draw(st.text("ab1-!é", max_size=5))
    assert spec.matches(wrong) == bool(divisions(parts, wrong))


@LAWS
@given(atoms, atoms, atoms)
def test_joining_is_associative(a: Known, b: Known, c: Known) -> None:
    left, right = (a.spec + b.spec) + c.spec, a.spec + (b.spec + c.spec)
    assert repr(left) == repr(right)
    outputs = left.examples(8)
    assert [left.parse(output) for output in outputs] == [right.parse(o) for o in outputs]
    left, right = (a.spec | b.spec) | c.spec, a.spec | (b.spec | c.spec)
    assert repr(left) == repr(right)
    assert list(left.enumerate()) == list(right.enumerate())


@LAWS
@given(st.lists(atoms, min_size=1, max_size=4), st.lists(st.text("ab1{} ", max_size=3), min_size=5))
def test_a_template_reads_each_hole_by_its_name(parts: list[Known], texts: list[str]) -> None:
    names = [f"h{number}" for number in range(len(parts))]
    source, literal_parts = "", []
    for name, between in zip([*names, None], texts, strict=False):
        source += between.replace("{", "{{").replace("}", "}}")
        source += "{" + name + "}" if name else ""
        literal_parts.append(Known(as_spec(between), {between: between}))
    spec = template(source, **{name: known.spec for name, known in zip(names, parts, strict=True)})
    for seed in range(3):
        for output in spec.examples(3, seed):
            every = [literal_parts[0]]
            for known, between in zip(parts, literal_parts[1:], strict=False):
                every += [known, between]
            first = divisions(every, output)[0]
            values = [k.values[piece] for k, piece in zip(parts, first[1::2], strict=True)]
            assert spec.parse(output) == dict(zip(names, values, strict=True))


@LAWS
@given(st.lists(atoms, min_size=1, max_size=3))
def test_the_summary_of_a_finite_spec_is_what_its_outputs_show(parts: list[Known]) -> None:
    spec = reduce(add, (known.spec for known in parts))
    outputs = {"".join(pieces) for pieces in product(*(known.values for known in parts))}
    summary = spec.summary()
    sizes = [len(output.encode()) for output in outputs]
    lengths = [len(output) for output in outputs]
    begins = {o for o in outputs if any(p != o and p.startswith(o) for p in outputs)}
    assert (summary.finite, summary.outputs) == (True, len(outputs))
    assert (summary.shortest_bytes, summary.longest_bytes) == (min(sizes), max(sizes))
    assert (summary.shortest_characters, summary.longest_characters) == (min(lengths), max(lengths))
    assert summary.prefixes == bool(begins)
    assert set(summary.prefix_examples) <= begins
    assert len(summary.prefix_examples) >= min(1, len(begins))
    lengths_shared = [n for n in range(min(lengths) + 1) if len({o[:n] for o in outputs}) == 1]
    assert summary.beginning == min(outputs)[: max(lengths_shared)]


def fewest_tokens(output: bytes, tokens: set[bytes]) -> int:
    fewest = [0]
    for end in range(1, len(output) + 1):
        fewest.append(1 + min(fewest[b] for b in range(end) if output[b:end] in tokens))
    return fewest[-1]


@LAWS
@given(st.lists(atoms, min_size=1, max_size=2), vocabularies())
def test_the_summary_counts_tokens(parts: list[Known], vocabulary: Vocabulary) -> None:
    spec = reduce(add, (known.spec for known in parts))
    tokens = {token for token in vocabulary.tokens[: vocabulary.width] if token}
    counts = [fewest_tokens(output.encode(), tokens) for output in spec.enumerate()]
    summary = spec.summary(vocabulary)
    assert (summary.fewest_tokens, summary.most_tokens) == (min(counts), max(counts))


@LAWS
@given(
    st.one_of(atoms.map(lambda known: known.spec), st.just(text()), st.just(number())), st.data()
)
def test_examples_match_are_distinct_and_depend_on_the_seed_alone(
    spec: Spec[Any], data: st.DataObject
) -> None:
    n, seed = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 2**32))
    examples = spec.examples(n, seed)
    assert examples == spec.examples(n, seed)
    assert len(set(examples)) == len(examples)
    assert examples == sorted(examples, key=lambda output: (len(output), output))
    for output in examples:
        assert spec.matches(output)
    outputs = spec.summary().outputs
    assert len(examples) == (n if outputs is None else min(n, outputs))


@LAWS
@given(atoms, st.text("ab1-!é", max_size=5))
def test_a_text_that_does_not_match_is_rejected_where_it_goes_wrong(
    known: Known, wrong: str
) -> None:
    assume(wrong not in known.values)
    with pytest.raises(TextRejected) as caught:
        known.spec.parse(wrong)
    data, position = wrong.encode(), caught.value.position
    outputs = [output.encode() for output in known.values]
    assert any(output.startswith(data[:position]) for output in outputs)
    assert position == len(data) or not any(o.startswith(data[: position + 1]) for o in outputs)


# --- on random grammars ---------------------------------------------------------------------------


def engine_of(grammar: Grammar) -> ByteEngine:
    try:
        return ByteEngine(grammar)
    except UnsatisfiableSpec:
        assume(False)
        raise


@LAWS
@given(grammars())
def test_finiteness_on_the_grammar_is_finiteness_of_its_automaton(grammar: Grammar) -> None:
    grammar = prepared(grammar) if _matches_something(grammar) else grammar
    engine = engine_of(grammar)
    found = finiteness(grammar, Limits())
    automaton = explore(engine, 300)
    if automaton.complete:
        assert found.finite == (automaton.order() is not None)
    else:
        assert found.finite in (False, True)
    if found.finite is False:
        with pytest.raises(UnsupportedSpec, match="infinitely many outputs"):
            Spec("random", grammar, str).enumerate()
    elif automaton.complete:
        words = Language(grammar, 4, alphabet_of(grammar)).words
        outputs = list(islice(all_outputs(engine), 200))
        assert outputs == sorted(set(outputs))
        assert len(outputs) == 200 or {o for o in outputs if len(o) <= 4} == words


def _matches_something(grammar: Grammar) -> bool:
    try:
        prepared(grammar)
    except UnsatisfiableSpec:
        return False
    return True


@LAWS
@given(grammars(), grammars(), st.lists(st.sampled_from([b"a", b"b", b"\xc3\xa9"]), max_size=4))
def test_joined_grammars_keep_their_rules_apart(
    one: Grammar, two: Grammar, letters: list[bytes]
) -> None:
    data = b"".join(letters)
    both = concatenate(one, two)
    either = unite(one, two)
    assert matches(either, data) == (matches(one, data) or matches(two, data))
    assert matches(both, data) == any(
        matches(one, data[:cut]) and matches(two, data[cut:]) for cut in range(len(data) + 1)
    )
