"""`Vocabulary`: its own rules, and what it reads from tokenizers of every family."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from constrained.errors import VocabularyError
from constrained.tokenizers import PROBES, byte_characters, token_bytes
from constrained.vocabulary import Vocabulary
from tests import tiny

FAMILIES: dict[str, Any] = {
    "byte-level": tiny.byte_level,
    "byte-level with a start token": lambda: tiny.byte_level(digits=False, bos=True),
    "SentencePiece": tiny.sentencepiece,
    "Unigram": tiny.unigram,
}


def test_special_and_empty_tokens_are_never_text() -> None:
    vocabulary = Vocabulary([b"a", None, b"", b"end"], end_ids=[3])
    assert vocabulary.tokens == (b"a", None, None, None)
    assert len(vocabulary) == 4
    assert repr(vocabulary) == "Vocabulary(1 tokens, width=4, end_ids=[3])"


def test_width_may_be_larger_or_smaller_than_the_tokenizer() -> None:
    assert Vocabulary([b"a", None], end_ids=[1], width=64).width == 64
    narrow = Vocabulary([b"a", None, b"b"], end_ids=[1], width=2)
    assert narrow.width == 2
    assert narrow.spells == {"a"}


def test_no_end_id_is_refused() -> None:
    with pytest.raises(VocabularyError) as error:
        Vocabulary([b"a"], end_ids=[])
    assert str(error.value) == (
        "the vocabulary has no end id, so no output could ever end; pass end_ids=[...] "
        "(the tokenizer's eos_token_id)"
    )


def test_a_store_of_less_than_nothing_is_refused() -> None:
    with pytest.raises(VocabularyError) as error:
        Vocabulary([b"a", None], end_ids=[1], store_bytes=-1)
    assert str(error.value) == "store_bytes must be at least 0, got -1"


def test_an_end_id_beyond_the_width_is_refused() -> None:
    with pytest.raises(VocabularyError) as error:
        Vocabulary([b"a", None, None], end_ids=[1, 2], width=2)
    assert str(error.value) == (
        "end ids [2] are outside the 2 logits of the model, so it could never end an output; "
        "pass end ids that the model has, or the right width"
    )


@pytest.mark.parametrize("given", [{"width": 10**12}, {"end_ids": [10**12]}])
def test_more_logits_than_any_model_has_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_tokenizer(tiny.byte_level(), **given)
    assert str(caught.value).endswith(
        " is more than 16,777,216; pass end ids and the width of the logits that the model has"
    )


def test_a_very_long_token_is_a_token() -> None:
    vocabulary = Vocabulary([b"a" * 10**6, b"b", None], end_ids=[2])
    assert vocabulary.native is not None
    assert vocabulary.spells == {"b"}
    assert vocabulary.spelling is not None
    assert vocabulary.spelling.prefix_free


def test_spells_is_none_when_every_byte_of_utf8_is_a_token() -> None:
    every = [bytes([byte]) for byte in range(256)]
    assert Vocabulary([*every, None], end_ids=[256]).spells is None
    without = [token for token in every if token != b"x"]
    spelled = Vocabulary([*without, None], end_ids=[255]).spells
    assert spelled is not None
    assert "x" not in spelled
    assert {"y", "é", "日"} <= spelled
    assert len(spelled) == 0x110000 - 0x800 - 1  # all but surrogates and the x


def test_byte_characters_are_the_table_of_gpt2() -> None:
    table = byte_characters()
    assert len(table) == 256
    assert sorted(table.values()) == list(range(256))
    assert (table["Ġ"], table["Ċ"], table["a"]) == (0x20, 0x0A, 0x61)
    assert set(pre_tokenizers.ByteLevel.alphabet()) == set(table)


@pytest.mark.parametrize("family", FAMILIES)
def test_encoded_text_is_spelled_by_its_tokens(family: str) -> None:
    tokenizer = FAMILIES[family]()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for text in (*PROBES, *tiny.TEXT[:9]):
        ids = tokenizer.encode(text, add_special_tokens=False)
        if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
            continue
        spelled = vocabulary.spell(ids).decode("utf-8")
        if family == "Unigram":  # its normaliser rewrites the text before it is split
            backend = tokenizer.backend_tokenizer.normalizer.normalize_str(text)
            assert spelled == " " + backend.removeprefix(" ")
        else:
            assert spelled in (text, " " + text)


@pytest.mark.parametrize("family", list(FAMILIES)[:2])
@settings(deadline=None)
@given(data=st.data())
def test_any_byte_level_ids_spell_what_the_tokenizer_decodes(
    family: str, data: st.DataObject
) -> None:
    tokenizer = FAMILIES[family]()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=12))
    decoded = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert vocabulary.spell(ids).decode("utf-8", errors="replace") == decoded


@settings(deadline=None)
@given(ids=st.lists(st.integers(259, 450), max_size=12))
def test_sentencepiece_ids_spell_what_the_tokenizer_decodes(ids: list[int]) -> None:
    tokenizer = tiny.sentencepiece()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert vocabulary.spell(ids).decode("utf-8").removeprefix(" ") == decoded.removeprefix(" ")


def test_sentencepiece_byte_tokens_are_bytes() -> None:
    tokenizer = tiny.sentencepiece()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.tokens[tokenizer.convert_tokens_to_ids("<0x0A>")] == b"\n"
    assert vocabulary.spells is None


def test_a_tokenizer_without_byte_fallback_says_what_it_can_spell() -> None:
    spelled = Vocabulary.from_tokenizer(tiny.unigram()).spells
    assert spelled is not None
    assert {" ", "a", "7"} <= spelled
    assert "\n" not in spelled


def small(**kwargs: Any) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=260, initial_alphabet=alphabet, special_tokens=["<e>"], show_progress=False
    )
    tokenizer.train_from_iterator(["a b"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **kwargs)


def test_added_tokens_are_text_unless_special() -> None:
    tokenizer = small(eos_token="<e>")
    tokenizer.add_tokens(
        [AddedToken("    ", special=False), AddedToken("<tool_call>", special=False)]
    )
    tokenizer.add_tokens([AddedToken("<|user|>", special=True)], special_tokens=True)
    tokens = token_bytes(tokenizer)
    ids = tokenizer.convert_tokens_to_ids
    assert tokens[ids("    ")] == b"    "
    assert tokens[ids("<tool_call>")] == b"<tool_call>"
    assert tokens[ids("<|user|>")] is None
    assert tokens[ids("<e>")] is None


def test_end_ids_are_the_tokenizers_and_the_models() -> None:
    vocabulary = Vocabulary.from_tokenizer(small(eos_token="<e>"), end_ids=[5, 7])
    assert vocabulary.end_ids == {0, 5, 7}
    assert vocabulary.tokens[5] is None


def test_a_tokenizer_without_an_end_token_is_refused() -> None:
    with pytest.raises(VocabularyError, match="has no end-of-sequence token; pass end_ids="):
        Vocabulary.from_tokenizer(small())
    assert Vocabulary.from_tokenizer(small(), end_ids=[0]).end_ids == {0}


def test_a_vocabulary_is_built_once_and_again_after_tokens_were_added() -> None:
    tokenizer = small(eos_token="<e>")
    first = Vocabulary.from_tokenizer(tokenizer)
    assert Vocabulary.from_tokenizer(tokenizer) is first
    assert Vocabulary.from_tokenizer(tokenizer, width=1000) is not first
    tokenizer.add_tokens([AddedToken("\n\n\n", special=False)])
    grown = Vocabulary.from_tokenizer(tokenizer)
    assert grown is not first
    assert len(grown) == len(first) + 1


def test_a_vocabulary_goes_with_its_tokenizer() -> None:
    tokenizer = small(eos_token="<e>")
    kept = weakref.ref(Vocabulary.from_tokenizer(tokenizer))
    del tokenizer
    gc.collect()
    assert kept() is None


def test_a_wordpiece_tokenizer_is_refused() -> None:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="[UNK]")
    with pytest.raises(VocabularyError, match=r"its decoder \(WordPiece\) does not keep the text"):
        Vocabulary.from_tokenizer(wrapped)


def test_a_tokenizer_that_changes_text_is_refused_with_token_and_text() -> None:
    tokenizer = small(eos_token="<e>")
    other = small(eos_token="<e>")
    lying = other.backend_tokenizer
    lying.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    assert Vocabulary.from_tokenizer(tokenizer).width == len(tokenizer)
    with pytest.raises(
        VocabularyError, match=r"token [0-9]+ spells b's', which does not fit the text"
    ):
        Vocabulary.from_tokenizer(PreTrainedTokenizerFast(tokenizer_object=lying, eos_token="<e>"))


class Ranked:
    """A slow tokenizer that holds mergeable ranks, as tiktoken's users write them."""

    eos_token_id = 256

    def __init__(self, ranks: dict[bytes, int]) -> None:
        self.mergeable_ranks = ranks

    def __len__(self) -> int:
        return 257

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        assert not add_special_tokens
        return [self.mergeable_ranks[bytes([byte])] for byte in text.encode()]


def test_mergeable_ranks_are_read() -> None:
    vocabulary = Vocabulary.from_tokenizer(Ranked({bytes([b]): 255 - b for b in range(256)}))
    assert vocabulary.tokens[255 - ord("a")] == b"a"
    assert vocabulary.end_ids == {256}


def test_wrong_ranks_are_refused() -> None:
    ranks = {bytes([b]): b for b in range(256)}
    wrong = Ranked(ranks)
    wrong.encode = lambda text, **_: [b ^ 1 for b in text.encode()]  # type: ignore[method-assign]
    with pytest.raises(VocabularyError, match=r"Ranked: token 68 spells b'D'"):
        Vocabulary.from_tokenizer(wrong)


def byte_level_without(missing: str) -> Any:
    alphabet = [c for c, byte in byte_characters().items() if chr(byte) not in missing]
    model = models.BPE({c: i for i, c in enumerate([*alphabet, "</s>"])}, [])
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")


@pytest.mark.parametrize("missing", ["'", "\xf0\x9f", "".join(map(chr, range(0x80, 0x100)))])
def test_bytes_that_a_tokenizer_drops_for_want_of_a_token_are_left_out(missing: str) -> None:
    vocabulary = Vocabulary.from_tokenizer(byte_level_without(missing))
    assert vocabulary.spells is not None
    for character in "a'é日👍":
        spelled = not set(character.encode().decode("latin-1")) & set(missing)
        assert (character in vocabulary.spells) == spelled


def test_a_tokenizer_that_can_encode_no_probe_must_decode_as_it_joins() -> None:
    backend = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2, "</s>": 3}, unk_token="?"))
    words = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="?")
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_tokenizer(words)
    assert str(caught.value) == (
        "tokenizer TokenizersBackend: it has tokens for none of the texts tried, and decodes the "
        "ids [0, 1, 1, 0]... otherwise than to b'abba'; masks over these tokens could not be "
        "exact, so the tokenizer is refused"
    )


def test_an_id_beyond_those_of_any_model_is_refused() -> None:
    with pytest.raises(VocabularyError) as caught:
        token_bytes(Ranked({b"a": 0, b"b": 2**25}))
    assert str(caught.value) == (
        "the tokenizer has the id 33,554,432, and models have at most 16,777,216 ids; look for a "
        "wrong id in its files"
    )


def test_an_unknown_kind_of_tokenizer_is_refused() -> None:
    class Opaque:
        eos_token_id = 1

        def __len__(self) -> int:
            return 2

    with pytest.raises(VocabularyError, match="Opaque shows neither a fast backend"):
        Vocabulary.from_tokenizer(Opaque())
