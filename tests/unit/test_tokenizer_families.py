"""Tokenizers that are special in one way or another, as their own libraries build them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from tokenizers import AddedToken
from transformers import T5Tokenizer, WhisperTokenizer, XLNetTokenizer

import constrained as ct
from constrained.engine import Engine
from constrained.errors import GenerationError, VocabularyError
from constrained.generation import Generator
from constrained.generation.canonical import Speller
from constrained.generation.inputs import prompt_ids
from constrained.prompts import prompt_format
from constrained.testing import ScriptedModel
from constrained.tokenizers import end_id, token_bytes
from constrained.vocabulary import Vocabulary
from tests import tiny


def pieces() -> list[tuple[str, float]]:
    """The pieces of a trained Unigram model: <pad>, </s>, <unk>, then text."""
    trained = json.loads(tiny.unigram().backend_tokenizer.to_str())["model"]["vocab"]
    return [(piece, score) for piece, score in trained]


def t5() -> Any:
    return T5Tokenizer(vocab=pieces(), extra_ids=0)


def xlnet() -> Any:
    names = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
    return XLNetTokenizer(vocab=[*((name, 0.0) for name in names), *pieces()[3:]])


SPACED = "Essay  score: 7 "


@pytest.mark.parametrize("make", [t5, xlnet])
def test_white_space_lost_in_encoding_is_a_limit_not_a_fault(make: Any) -> None:
    tokenizer = make()
    assert tokenizer.encode(SPACED, add_special_tokens=False) == tokenizer.encode(
        "Essay score: 7", add_special_tokens=False
    )
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert "trailing space " in vocabulary.changed_texts
    assert " leading space" not in vocabulary.changed_texts
    assert Speller(tokenizer, vocabulary).within(SPACED.encode()) is None
    for index, token in enumerate(vocabulary.tokens):
        if token is not None:
            decoded = tokenizer.decode([index], clean_up_tokenization_spaces=False)
            assert decoded.removeprefix(" ").encode() == token.removeprefix(b" ")


@pytest.mark.parametrize("make", [t5, xlnet])
def test_white_space_lost_in_encoding_can_be_written(make: Any) -> None:
    tokenizer = make()
    spec = ct.template("Essay  score: {x} ", x=ct.choice(["7", "10"]))
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    engine = Engine(spec.grammar, vocabulary)
    state, text = engine.start, b""
    while engine.cost(state):
        token = next(
            i
            for i in engine.allowed(state).tolist()
            if engine.cost(engine.advance(state, i)) < engine.cost(state)
        )
        state, text = engine.advance(state, token), text + (vocabulary.tokens[token] or b"")
    assert spec.matches(text.decode())


def test_a_space_that_t5_puts_after_an_added_token_is_a_limit_too() -> None:
    tokenizer = t5()
    tokenizer.add_tokens([AddedToken("es", special=False)])
    ids = tokenizer.encode("spaces,", add_special_tokens=False)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.spell(ids) == b" spaces ,"
    assert "MiXeD CaSe ALLCAPS snake_case camelCase" not in vocabulary.changed_texts


def test_a_tokenizer_that_keeps_white_space_has_no_limits() -> None:
    assert Vocabulary.from_tokenizer(tiny.byte_level()).changed_texts == ()
    assert Vocabulary.from_tokenizer(tiny.sentencepiece()).changed_texts == ()


def test_a_tag_added_to_t5_is_written_in_its_token() -> None:
    tokenizer = t5()
    tokenizer.add_tokens([AddedToken(t, special=False) for t in ("<answer>", "</answer>")])
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    engine = Engine(ct.template("<answer>{x}</answer>", x=ct.integer(0, 9)).grammar, vocabulary)
    assert engine.allowed(engine.start).tolist() == [tokenizer.convert_tokens_to_ids("<answer>")]


def test_time_stamps_that_decode_to_nothing_are_no_text() -> None:
    trained = json.loads(tiny.byte_level().backend_tokenizer.to_str())["model"]
    tokenizer = WhisperTokenizer(
        vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]]
    )
    stamps = [f"<|{place * 0.02:.2f}|>" for place in range(1501)]
    tokenizer.add_tokens([AddedToken(stamp, special=False) for stamp in stamps])
    tokenizer.add_tokens([AddedToken("    ", special=False), AddedToken("zz", special=False)])
    assert tokenizer.decode(tokenizer.convert_tokens_to_ids(stamps)) == ""
    tokens = token_bytes(tokenizer)
    ids = tokenizer.convert_tokens_to_ids
    assert {tokens[ids(stamp)] for stamp in stamps} == {None}
    assert tokens[ids("    ")] == b"    "
    assert tokens[ids("zz")] == b"zz"


class Ranks:
    """As `tiktoken.Encoding` is: bytes by rank, and no end of text unless it is called so."""

    def __init__(self, special: Mapping[str, int]) -> None:
        self._mergeable_ranks = {bytes([byte]): 255 - byte for byte in range(256)}
        self._special_tokens = dict(special)
        self.name = "ranks"

    @property
    def eot_token(self) -> int:
        return self._special_tokens["<|endoftext|>"]

    @property
    def n_vocab(self) -> int:
        return max(255, *self._special_tokens.values()) + 1

    def encode_ordinary(self, text: str) -> list[int]:
        return [self._mergeable_ranks[bytes([byte])] for byte in text.encode()]

    def encode(self, text: str) -> list[int]:
        return self.encode_ordinary(text)


def test_an_encoding_without_an_end_of_text_takes_the_ids_that_are_given() -> None:
    encoding = Ranks({"[BOS]": 256, "[EOS]": 258})
    assert end_id(encoding) is None
    vocabulary = Vocabulary.from_tokenizer(encoding, end_ids=[258])
    assert vocabulary.end_ids == {258}
    assert len(vocabulary) == vocabulary.width == 259
    assert vocabulary.tokens[256:] == (None, None, None)
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_tokenizer(encoding)
    assert str(caught.value) == (
        "tokenizer ranks has no end-of-sequence token; pass end_ids=[...] (the ids at which this "
        "model ends an answer)"
    )


def test_an_encoding_with_an_end_of_text_needs_none() -> None:
    assert Vocabulary.from_tokenizer(Ranks({"<|endoftext|>": 257})).end_ids == {257}


# ------------------------------------------------------------------ mistral-common


class Tekken:
    """Bytes after three special ids, as the tokenizer inside `MistralCommonBackend` counts them."""

    n_words = 5 + 256
    special = ("<unk>", "<s>", "</s>", "[INST]", "[/INST]")

    def is_special(self, token: int) -> bool:
        return token < len(self.special)

    def id_to_byte_piece(self, token: int) -> bytes:
        return b"" if self.is_special(token) else bytes([token - len(self.special)])


class Request:
    def __init__(self) -> None:
        self.tokenizer = Tekken()


class Mistral:
    def __init__(self) -> None:
        self.instruct_tokenizer = Request()


class Backend:
    """The calls of `MistralCommonBackend`, its refusals of unknown arguments included."""

    chat_template = None
    bos_token, eos_token, eos_token_id, unk_token_id = "<s>", "</s>", 2, 0
    all_special_ids = (0, 1, 2, 3, 4)

    def __init__(self) -> None:
        self.tokenizer = Mistral()

    def __len__(self) -> int:
        return Tekken.n_words

    def added_tokens_decoder(self) -> dict[int, Any]:
        raise NotImplementedError

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [1] * add_special_tokens + [5 + byte for byte in text.encode()]

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": self.encode(text, add_special_tokens)}

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        kept = [i for i in ids if i > 4 or not skip_special_tokens]
        shown = [bytes([i - 5]) if i > 4 else Tekken.special[i].encode() for i in kept]
        return b"".join(shown).decode("utf-8", "replace")

    def apply_chat_template(
        self,
        conversation: list[dict[str, str]],
        tokenize: bool = True,
        return_dict: bool = True,
        continue_final_message: bool = False,
    ) -> list[int]:
        assert tokenize
        assert not return_dict
        ids = [1]
        for message in conversation:
            said = self.encode(message["content"], add_special_tokens=False)
            if message["role"] == "user":
                ids += [3, *said, 4]
            elif message["role"] == "assistant":
                ids += said if continue_final_message else [*said, 2]
            else:
                raise ValueError("only user and assistant roles")
        return ids


ASKED = [{"role": "user", "content": "Hi"}]
ASKED_IDS = [1, 3, 5 + ord("H"), 5 + ord("i"), 4]


def test_a_wrapped_tokenizer_of_mistral_common_is_read() -> None:
    vocabulary = Vocabulary.from_tokenizer(Backend())
    assert vocabulary.tokens[:6] == (None, None, None, None, None, b"\0")
    assert vocabulary.tokens[-1] == b"\xff"
    assert vocabulary.end_ids == {2}
    assert vocabulary.spells is None


def test_its_chats_are_ids_not_text() -> None:
    tokenizer = Backend()
    assert list(prompt_ids(tokenizer, ASKED).ids) == ASKED_IDS
    begun = [*ASKED, {"role": "assistant", "content": "S"}]
    assert list(prompt_ids(tokenizer, begun).ids) == [*ASKED_IDS, 5 + ord("S")]
    template = prompt_format("template")
    assert template.encode("Hi", tokenizer) == ASKED_IDS
    assert template.render("Hi", tokenizer=tokenizer) == "<s>[INST]Hi[/INST]"
    with pytest.raises(GenerationError) as caught:
        prompt_ids(tokenizer, [{"role": "tool", "content": "x"}])
    assert "does not take prompt 0: only user and assistant roles" in str(caught.value)
    with pytest.raises(GenerationError, match="the tokenizer refuses this conversation"):
        template.encode("Hi", tokenizer, system="Be brief.")


def test_a_generator_answers_its_chats() -> None:
    asked: list[tuple[int, ...]] = []

    def rule(ids: Any) -> dict[int, float]:
        asked.append(tuple(ids))
        return {5 + ord("7"): 0.9}

    model = ScriptedModel(Tekken.n_words, rule)
    result = Generator(model, Backend())(ASKED, ct.integer(0, 9))
    assert result.value == 7
    assert asked[-1] == tuple(ASKED_IDS)


# ------------------------------------------------------------------ other processes


def test_a_vocabulary_crosses_process_borders() -> None:
    tokenizer = t5()
    tokenizer.add_tokens([AddedToken("es", special=False)])
    vocabulary = Vocabulary.from_tokenizer(tokenizer, width=150)
    spec = ct.regex("[a-i ]+")
    Engine(spec.grammar, vocabulary)  # with all that is made for it
    copy = pickle.loads(pickle.dumps(vocabulary))
    for name in ("tokens", "end_ids", "width", "store_bytes", "marks", "changed_texts"):
        assert getattr(copy, name) == getattr(vocabulary, name)
    here, there = Engine(spec.grammar, vocabulary), Engine(spec.grammar, copy)
    assert here.allowed(here.start).tolist() == there.allowed(there.start).tolist()
