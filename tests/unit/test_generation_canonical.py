"""Canonical spelling: certain text is appended as the tokenizer itself would split it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import constrained as ct
from constrained.engine import Engine
from constrained.errors import LimitExceeded, TokenRejected, UnsupportedSpec, VocabularyError
from constrained.generation import Generator
from constrained.generation.canonical import Speller, whole_characters
from constrained.generation.engine_guide import EngineGuide
from constrained.generation.policy import guide_of
from constrained.generation.trie_guide import TrieGuide
from constrained.testing import ScriptedModel
from constrained.vocabulary import Vocabulary
from tests import tiny

GRADE = ct.template("Essay score: {s:0..10} / 10")
FAMILIES: dict[str, Any] = {
    "digits split": tiny.byte_level,
    "digits merged": lambda: tiny.byte_level(digits=False),
    "SentencePiece": tiny.sentencepiece,
    "Unigram": tiny.unigram,
}


def inside(tokenizer: Any, text: str) -> list[int]:
    """How the tokenizer splits `text` inside a longer text: after a comma, which stands alone."""
    before = tokenizer.encode(",", add_special_tokens=False)
    whole = tokenizer.encode("," + text, add_special_tokens=False)
    assert whole[: len(before)] == before
    return list(whole[len(before) :])


def writer(tokenizer: Any, prompt: str, text: str) -> ScriptedModel:
    """A model that wants to write `text` in the tokenizer's own split, then end."""
    start = len(tokenizer(prompt)["input_ids"])
    wanted = [*inside(tokenizer, text), tokenizer.eos_token_id]

    def rule(ids: Sequence[int]) -> dict[int, float]:
        place = min(len(ids) - start, len(wanted) - 1)
        return {wanted[place]: 0.99}

    return ScriptedModel(len(tokenizer), rule)


@pytest.mark.parametrize("family", list(FAMILIES)[:3])
@pytest.mark.parametrize("policy", ["all", "auto"])
@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        (GRADE, [f"Essay score: {i} / 10" for i in (0, 7, 10)]),
        (
            ct.template("Score:{s:/ ?[0-9]+/} of{t:/ ?[a-z]+/}."),
            ["Score: 10 of ten.", "Score:7 ofmany."],
        ),
        (ct.choice(["positive", "negative", "posit"]), ["positive", "posit", "negative"]),
        (ct.regex("The answer is (yes|no)( indented|, indeed)?"), ["The answer is yes indented"]),
        (
            ct.template('{{"n": "{n:/[A-Za-z ]*/}", "score": {s:0..99}}}'),
            ['{"n": "Ann", "score": 8}'],
        ),
    ],
)
def test_forced_text_never_leaves_the_canonical_tokens(
    family: str, policy: Any, spec: Any, texts: list[str]
) -> None:
    tokenizer = FAMILIES[family]()
    for text in texts:
        model = writer(tokenizer, "The essay,", text)
        result = Generator(model, tokenizer, spellings=policy)(
            "The essay,", spec, max_new_tokens=60
        )
        assert result.text == text
        assert list(result.token_ids) == inside(tokenizer, text)


def test_most_of_a_template_needs_no_choice() -> None:
    tokenizer = tiny.byte_level()
    text = "The essay argues well, but its ending is weak. Score: 7"
    spec = ct.template("The essay argues well, but its ending is weak. Score: {s:/[0-9]/}")
    result = Generator(writer(tokenizer, "x,", text), tokenizer, spellings="all")("x,", spec)
    assert result.text == text
    assert result.forward_passes == 1
    assert len(result.token_ids) > 10


def test_a_token_that_could_reach_over_the_border_is_never_cut_off() -> None:
    tokens = [b"a", b"b", b"1", b"2", b"b1", b"ab2", None]
    vocabulary = Vocabulary(tokens, end_ids=[6])

    class Letters:
        """Splits every text into single characters."""

        def encode(self, text: str, **_: Any) -> list[int]:
            return [tokens.index(c.encode()) for c in text]

    speller = Speller(Letters(), vocabulary)

    def forced(pattern: str) -> list[bytes | None]:
        guide = EngineGuide(Engine(ct.regex(pattern).grammar, vocabulary), vocabulary, speller)
        return [tokens[i] for i in guide.forced(guide.start)]

    assert forced("aab(1|b)") == [b"a", b"a"]  # "b1" may start at the b
    assert forced("aab(2|b)") == [b"a"]  # "ab2" may start at the second a
    assert forced("aab(a|b)") == [b"a", b"a", b"b"]  # nothing spans
    assert forced("aab") == [b"a", b"a", b"b"]  # nothing follows


def test_the_prompts_own_border_is_left_alone() -> None:
    tokenizer = tiny.byte_level()
    score = tokenizer.encode("Essay score")
    assert tokenizer.encode(" Essay score")[0] != score[0]  # with a space it is another token
    for prompt in ("The text. ", "The text.", "The text.\n", "Essa"):
        result = Generator(tiny.model("llama", 420), tokenizer)(prompt, ct.choice(["Essay score"]))
        assert result.prompt_tokens == len(tokenizer.encode(prompt))
        assert list(result.token_ids) == score
    spaced = ct.choice([" Essay score"])
    result = Generator(tiny.model("llama", 420), tokenizer)("The text. ", spaced)
    assert list(result.token_ids) == tokenizer.encode(" Essay score")


@pytest.mark.parametrize("family", FAMILIES)
def test_pieces_are_split_as_inside_a_text(family: str) -> None:
    tokenizer = FAMILIES[family]()
    speller = Speller(tokenizer, Vocabulary.from_tokenizer(tokenizer))
    assert speller.prefix == (b" " if family in ("SentencePiece", "Unigram") else b"")
    for text in (" score", "score", "7", " 10 / 10", "good, bad"):
        assert speller.within(text.encode()) == tuple(inside(tokenizer, text))
    before = inside(tokenizer, "The answer")
    whole = inside(tokenizer, "The answer is 10")
    assert list(speller.within(b" is 10", before[-1]) or ()) == whole[len(before) :]


def test_the_start_of_a_text_includes_the_tokenizers_space() -> None:
    tokenizer = tiny.unigram()
    speller = Speller(tokenizer, Vocabulary.from_tokenizer(tokenizer))
    assert speller.start(b" score: 7") == tuple(
        tokenizer.encode("score: 7", add_special_tokens=False)
    )
    assert speller.start(b" ") == ()
    assert speller.start(b"score") is None


def test_what_the_tokenizer_cannot_spell_is_not_forced() -> None:
    tokenizer = tiny.byte_level()
    speller = Speller(tokenizer, Vocabulary.from_tokenizer(tokenizer))
    assert speller.within("é".encode()[1:]) is None  # half a character
    assert speller.within(b"<|end|>") is None  # its only canonical token is special
    tokenizer = tiny.unigram()
    speller = Speller(tokenizer, Vocabulary.from_tokenizer(tokenizer))
    assert speller.within("Δ".encode()) is None


def test_text_that_looks_like_a_special_token_is_spelled_in_pieces() -> None:
    tokenizer = tiny.byte_level()
    spec = ct.choice(["<|end|>", "<|pad|>"])
    generator = Generator(tiny.model("llama", 420), tokenizer)
    result = generator("a", spec)
    assert result.text in ("<|end|>", "<|pad|>")
    assert not {0, 1, 2} & set(result.token_ids)


@pytest.mark.parametrize("text", ["", "a", "é", "日", "😀", "a😀"])
def test_whole_characters_cuts_exactly_the_unfinished_one(text: str) -> None:
    data = text.encode()
    assert whole_characters(data) == data
    for cut in range(1, len(data)):
        kept = whole_characters(data[:cut])
        assert data.startswith(kept)
        kept.decode("utf-8")
        assert len(data[:cut]) - len(kept) < 4


def test_finite_specs_are_canonical_and_others_are_not() -> None:
    tokenizer = tiny.byte_level()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    speller = Speller(tokenizer, vocabulary)

    def kind(spec: Any, **settings: Any) -> type:
        return type(guide_of(spec, vocabulary, speller, **settings))

    assert kind(ct.integer(0, 10)) is TrieGuide
    assert kind(ct.regex("a{1,99}")) is TrieGuide
    assert kind(ct.integer(0, 100_000)) is EngineGuide
    assert kind(ct.regex("a+")) is EngineGuide
    assert kind(ct.integer(0, 10), spellings="all") is EngineGuide
    assert kind(ct.integer(0, 9_999), spellings="canonical") is TrieGuide
    assert type(guide_of(ct.integer(0, 10), vocabulary, None)) is EngineGuide


def test_canonical_spellings_that_do_not_exist_are_refused() -> None:
    tokenizer = tiny.byte_level()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    speller = Speller(tokenizer, vocabulary)
    with pytest.raises(UnsupportedSpec) as unsupported:
        guide_of(ct.regex("a+"), vocabulary, speller, spellings="canonical")
    assert str(unsupported.value).startswith(
        "canonical spellings need all outputs listed, and regex('a+') has infinitely many outputs"
    )
    with pytest.raises(LimitExceeded, match="max_outputs=100,000"):
        guide_of(ct.integer(0, 100_000), vocabulary, speller, spellings="canonical")
    with pytest.raises(VocabularyError) as error:
        guide_of(ct.choice(["<|end|>"]), vocabulary, speller, spellings="canonical")
    assert str(error.value) == (
        "the tokenizer does not give '<|end|>' back unchanged, so it has no canonical spelling; "
        'use spellings="all"'
    )
    with pytest.raises(VocabularyError, match="canonical spellings need the tokenizer"):
        guide_of(ct.integer(0, 3), vocabulary, None, spellings="canonical")


def test_a_trie_refuses_other_spellings_and_says_what_it_expects() -> None:
    vocabulary = Vocabulary([b"1", b"0", b"10", None], end_ids=[3])
    guide = TrieGuide([[0], [2]], vocabulary)
    after = guide.advance(guide.start, 0)
    assert (guide.accepting(after), guide.final(after), guide.cost(guide.start)) == (True, True, 1)
    with pytest.raises(
        TokenRejected, match="token 1 is not allowed in state 0: expected '1' or '10'"
    ):
        guide.advance(guide.start, 1)
    with pytest.raises(TokenRejected, match="expected the end"):
        guide.advance(after, 1)
