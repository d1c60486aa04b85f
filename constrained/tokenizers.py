"""What each id of a tokenizer appends to a text, as bytes, for the families in use.

========================  =========================================================================
byte-level BPE            GPT-2, Llama 3, Qwen, SmolLM2, DeepSeek: one printable character per byte
SentencePiece             Llama 2, Gemma, T5: ``▁`` is a space, ``<0x0A>`` a byte where the decoder
                          falls back to bytes
tiktoken                  ``tiktoken.Encoding``, and slow tokenizers that hold its mergeable ranks
mistral-common            Tekken and SentencePiece, inside ``MistralCommonBackend``
========================  =========================================================================

The family is read from the tokenizer's own decoder, never from its class name, and then checked:
varied texts are encoded and the bytes of their ids must give the text back. Families that lose
text (WordPiece, end-of-word suffixes) fail that check and are refused. A tokenizer that changes
white space when it *encodes* (T5, XLNet) is none of these: what its ids spell is exact. Texts with
such white space have no spelling of its own, and prompts lose it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any

from constrained.errors import VocabularyError
from constrained.grammar.spelling import Spelling, spelling_of
from constrained.marks import added_tokens
from constrained.mistral import tekken_tokens, wrapped_tokenizer

__all__ = [
    "MAX_IDS",
    "PROBES",
    "check_spelling",
    "encode_plainly",
    "end_id",
    "spell_ids",
    "token_bytes",
    "tokenizer_name",
]

METASPACE = "▁"

MAX_IDS = 2**24
"""More token ids than any model has: a mask of so many takes 2 MiB."""

PROBES: tuple[str, ...] = (
    "Essay score: 10 / 10",
    " leading space",
    "trailing space ",
    "two  spaces,   three, and\ttabs\t\tand\n\nnewlines\r\n    indented",
    '{"name": "O\'Neil", "values": [1, 2.5, -3e10], "ok": true}\n',
    "def f(x):\n        return x**2  # comment\n",
    "naïve café, ß, Ω, œuvre; “quotes” … — dash",
    "e\u0301 n\u0303 a\u030a",
    "日本語のテキスト、中文字符。한국어",
    "😀 👩‍👩‍👧 🇪🇺 ✅",
    "العربية עברית हिन्दी ไทย",
    "1234567890 3.14 1,000,000 007",
    "MiXeD CaSe ALLCAPS snake_case camelCase",
    "<b>&amp;</b> \\n \\u00e9 %20 $x^2$ #tag @user",
)
"""Texts that a tokenizer must give back; between them they meet every kind of token."""


def tokenizer_name(tokenizer: Any) -> str:
    """The tokenizer's own name where it has one, else its class: for messages."""
    return getattr(tokenizer, "name_or_path", "") or getattr(
        tokenizer, "name", type(tokenizer).__name__
    )


def byte_characters() -> dict[str, int]:
    """The printable character that byte-level BPE writes for each byte (256 entries, one to one).

    Bytes that are printable in Latin-1 stand for themselves, the others for the characters from
    U+0100 on, in order (GPT-2, Radford et al. 2019).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


def byte_level_reader() -> Callable[[str], bytes]:
    """Token text to bytes under byte-level BPE; a token outside its alphabet is plain text."""
    alphabet = byte_characters()
    table = {chr(code): "\uffff" for code in range(0x80, 0x100)}
    table |= {character: chr(byte) for character, byte in alphabet.items()}
    translation = str.maketrans(table)

    def read(token: str) -> bytes:
        try:
            return token.translate(translation).encode("latin-1")
        except UnicodeEncodeError:
            return token.encode("utf-8")

    return read


def sentencepiece_reader(*, byte_fallback: bool) -> Callable[[str], bytes]:
    """Token text to bytes under SentencePiece."""
    fallback = {f"<0x{byte:02X}>": bytes([byte]) for byte in range(256)} if byte_fallback else {}

    def read(token: str) -> bytes:
        return fallback.get(token) or token.replace(METASPACE, " ").encode("utf-8")

    return read


def _parts(component: Any, key: str) -> list[dict[str, Any]]:
    """The description of a decoder or normaliser, sequences flattened; empty when there is none."""
    if component is None:
        return []
    described = json.loads(component.__getstate__())
    pending, flat = [described], []
    while pending:
        part = pending.pop(0)
        if part.get("type") == "Sequence":
            pending = [*part[key], *pending]
        else:
            flat.append(part)
    return flat


def _reader_of(tokenizer: Any, backend: Any) -> Callable[[str], bytes]:
    """How the decoder of a fast tokenizer turns one token's text into bytes."""
    decoder = _parts(backend.decoder, "decoders")
    kinds = {part["type"] for part in decoder}
    if "ByteLevel" in kinds:
        return byte_level_reader()
    spaces = any(
        part["type"] == "Metaspace"
        or (part["type"] == "Replace" and part["pattern"] == {"String": METASPACE})
        for part in decoder
    )
    if spaces or "ByteFallback" in kinds:
        return sentencepiece_reader(byte_fallback="ByteFallback" in kinds)
    if kinds:
        raise VocabularyError(
            f"tokenizer {tokenizer_name(tokenizer)}: its decoder ({', '.join(sorted(kinds))}) does "
            "not keep the text as it was, so masks over its tokens could not be exact; use a "
            "byte-level BPE, SentencePiece or tiktoken tokenizer"
        )
    return lambda token: token.encode("utf-8")


def _room(ids: Iterable[int]) -> int:
    """How many ids there are up to the greatest; `VocabularyError` for more than any model has."""
    size = max(ids, default=-1) + 1
    if size > MAX_IDS:
        raise VocabularyError(
            f"the tokenizer has the id {size - 1:,}, and models have at most {MAX_IDS:,} ids; "
            "look for a wrong id in its files"
        )
    return size


def _by_id(vocabulary: Mapping[str, int], read: Callable[[str], bytes]) -> list[bytes | None]:
    tokens: list[bytes | None] = [None] * _room(vocabulary.values())
    for token, index in vocabulary.items():
        tokens[index] = read(token)
    return tokens


def _ranks_of(tokenizer: Any) -> Mapping[bytes, int] | None:
    """The mergeable ranks of a tiktoken encoding, or of a slow tokenizer that holds one."""
    for holder in (tokenizer, *(getattr(tokenizer, n, None) for n in ("tokenizer", "model"))):
        for name in ("mergeable_ranks", "_mergeable_ranks"):
            ranks = getattr(holder, name, None)
            if isinstance(ranks, Mapping):
                return ranks
    return None


def _raw_tokens(tokenizer: Any) -> list[bytes | None]:
    """Every id's bytes, before special and added tokens are set apart."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        vocabulary = backend.get_vocab(with_added_tokens=False)
        return _by_id(vocabulary, _reader_of(tokenizer, backend))
    inner = wrapped_tokenizer(tokenizer)
    if inner is not None and (known := tekken_tokens(inner)) is not None:
        return known
    ranks = _ranks_of(tokenizer)
    if ranks is not None:
        tokens: list[bytes | None] = [None] * _room(ranks.values())
        for data, index in ranks.items():
            tokens[index] = bytes(data)
        return tokens
    model = getattr(tokenizer, "sp_model", None) or getattr(inner, "_model", None)
    if model is not None:
        read = sentencepiece_reader(byte_fallback=True)
        ids = range(model.get_piece_size())
        unused = {
            i for i in ids if model.is_control(i) or model.is_unknown(i) or model.is_unused(i)
        }
        return [None if i in unused else read(model.id_to_piece(i)) for i in ids]
    if isinstance(getattr(tokenizer, "byte_decoder", None), Mapping):
        return _by_id(tokenizer.get_vocab(), byte_level_reader())
    raise VocabularyError(
        f"tokenizer {tokenizer_name(tokenizer)}: {type(tokenizer).__name__} shows neither a fast "
        "backend, nor mergeable ranks, nor a SentencePiece model, so what its ids spell is "
        "unknown; load the fast tokenizer, or build Vocabulary(tokens, end_ids=...) from bytes"
    )


def _added_text(tokenizer: Any, content: str) -> str:
    """The text of an added token: SentencePiece decoders turn its ``▁`` into spaces too."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    byte_level = any(part["type"] == "ByteLevel" for part in _parts(decoder, "decoders"))
    return content if byte_level or decoder is None else content.replace(METASPACE, " ")


def token_bytes(tokenizer: Any) -> tuple[bytes | None, ...]:
    """What each id appends to a text, None for special and unused ids.

    Added tokens that are not special count as text: the tokenizer itself turns that text into
    them. Those that it decodes to nothing (the time stamps of Whisper) spell nothing. Raises
    `VocabularyError` for a tokenizer of an unknown or lossy family.
    """
    tokens = _raw_tokens(tokenizer)
    added = added_tokens(tokenizer)
    special = set(getattr(tokenizer, "all_special_ids", ()))
    special |= {index for index, token in added.items() if token.special}
    size = getattr(tokenizer, "n_vocab", 0)
    size = _room((size - 1 if isinstance(size, int) else -1, *added, *special))
    tokens += [None] * (size - len(tokens))
    for index, token in added.items():
        tokens[index] = _added_text(tokenizer, token.content).encode("utf-8")
    for index in special:
        tokens[index] = None
    for index in _written_otherwise(tokenizer, tokens, sorted(added.keys() - special)):
        tokens[index] = None
    return tuple(token or None for token in tokens)


def _written_otherwise(tokenizer: Any, tokens: list[bytes | None], ids: list[int]) -> list[int]:
    """Those of the ids that the tokenizer decodes to nothing, between two others."""
    words = (index for index, token in enumerate(tokens) if token is not None and token.isalnum())
    between = next((index for index in words if index not in ids), None)
    if not ids or between is None:
        return []

    def decoded(middle: list[int]) -> str:
        return str(tokenizer.decode(middle, clean_up_tokenization_spaces=False))

    together = [between, *(i for index in ids for i in (index, between))]
    if decoded(together) == b"".join(tokens[i] or b"" for i in together).decode("utf-8"):
        return []  # the usual case, in one go
    nothing = decoded([between, between])
    return [index for index in ids if decoded([between, index, between]) == nothing]


def end_id(tokenizer: Any) -> int | None:
    """The id of the end of sequence that a tokenizer names; None when it names none."""
    for name in ("eos_token_id", "eot_token"):
        try:
            value = getattr(tokenizer, name)
        except (AttributeError, KeyError):  # an encoding without <|endoftext|> raises KeyError
            continue
        if value is not None:
            return int(value)
    return None


def _must_spell(tokenizer: Any) -> bool:
    """Whether it is a `tiktoken.Encoding`, which panics at a byte that is none of its tokens."""
    return hasattr(tokenizer, "encode_ordinary")


def encode_plainly(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text on its own: nothing added before or after it."""
    if _must_spell(tokenizer):
        return list(tokenizer.encode_ordinary(text))
    return list(tokenizer.encode(text, add_special_tokens=False))


def spell_ids(tokens: tuple[bytes | None, ...], ids: Iterable[int]) -> bytes | None:
    """The bytes that ids append; None when one of them is special, unused or unknown."""
    parts = [tokens[i] if i < len(tokens) else None for i in ids]
    known = [part for part in parts if part is not None]
    return b"".join(known) if len(known) == len(parts) else None


def _expected(tokenizer: Any, text: str) -> set[bytes]:
    """The byte strings that stand for `text`: itself, normalised, with the prefix space."""
    forms = {text}
    normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    if normalizer is not None:
        forms.add(normalizer.normalize_str(text).replace(METASPACE, " "))
    forms |= {" " + form for form in forms}
    return {form.encode("utf-8") for form in forms}


def _keeps_words(joined: bytes, text: bytes) -> bool:
    """Whether they differ in white space only, and what it parts in the text stays apart."""
    words, others = text.split(), joined.split()
    if b"".join(words) != b"".join(others):
        return False
    return set(accumulate(map(len, words))) <= set(accumulate(map(len, others)))


def _decodes(tokenizer: Any, ids: list[int], joined: bytes) -> bool:
    """Whether the tokenizer decodes ids to just these bytes; it may drop a space before them."""
    plain = {} if _must_spell(tokenizer) else {"clean_up_tokenization_spaces": False}
    decoded = str(tokenizer.decode(ids, **plain))
    return decoded.encode("utf-8").removeprefix(b" ") == joined.removeprefix(b" ")


def check_spelling(tokenizer: Any, tokens: tuple[bytes | None, ...]) -> tuple[str, ...]:
    """Encode `PROBES` and compare; `VocabularyError` names the token and the text that differ.

    Returns the texts of which the tokenizer, in encoding, keeps all but the white space beside and
    between its words (T5 drops doubled spaces, and puts one after an added token): decoding is
    exact for them, so it is a limit and no fault. A text with a character that the tokenizer cannot
    spell at all is passed over.
    """
    unknown = getattr(tokenizer, "unk_token_id", None)
    spelling = spelling_of(tokens)
    changed: list[str] = []
    passed_over = 0
    for text in PROBES:
        if spelling is not None and _must_spell(tokenizer) and not spelling.joins(text.encode()):
            passed_over += 1
            continue
        ids = encode_plainly(tokenizer, text)
        if unknown is not None and unknown in ids:
            passed_over += 1
            continue
        joined = spell_ids(tokens, ids)
        expected = _expected(tokenizer, text)
        if joined in expected:
            continue
        if spelling is not None and any(joined in _spelled(form, spelling) for form in expected):
            passed_over += 1  # without a token for what is unknown, it is dropped
            continue
        if (
            joined is not None
            and any(_keeps_words(joined, form) for form in expected)
            and _decodes(tokenizer, ids, joined)
        ):
            changed.append(text)
            continue
        culprit, spelled = _first_difference(tokens, ids, text.encode("utf-8"))
        raise VocabularyError(
            f"tokenizer {tokenizer_name(tokenizer)}: token {culprit} spells {spelled!r}, "
            f"which does not fit the text {text!r} that it encodes (all of it: {joined!r}); masks "
            "over these tokens could not be exact, so the tokenizer is refused"
        )
    if passed_over == len(PROBES):
        _check_decoding(tokenizer, tokens)
    return tuple(changed)


def _spelled(text: bytes, spelling: Spelling) -> set[bytes]:
    """The text less the bytes, or less the characters, that no tokens can be joined to."""
    characters = "".join(c for c in text.decode("utf-8") if c in spelling.characters)
    return {bytes(byte for byte in text if byte in spelling.single), characters.encode("utf-8")}


def _check_decoding(tokenizer: Any, tokens: tuple[bytes | None, ...]) -> None:
    """Where no text can be encoded: whether words are decoded as they are joined."""
    words = [i for i, token in enumerate(tokens) if token is not None and token.isalnum()][:20]
    ids = [*words, *reversed(words)]
    joined = spell_ids(tokens, ids) or b""
    if ids and not _decodes(tokenizer, ids, joined):
        raise VocabularyError(
            f"tokenizer {tokenizer_name(tokenizer)}: it has tokens for none of the texts tried, "
            f"and decodes the ids {ids[:4]}... otherwise than to {joined[:40]!r}; masks over these "
            "tokens could not be exact, so the tokenizer is refused"
        )


def _first_difference(
    tokens: tuple[bytes | None, ...], ids: list[int], text: bytes
) -> tuple[int, bytes | None]:
    """The first token whose bytes leave `text`, and those bytes."""
    position = 0
    for place, index in enumerate(ids):
        spelled = tokens[index] if index < len(tokens) else None
        if spelled is None:
            return index, None
        piece = spelled[1:] if place == 0 and spelled[:1] == b" " != text[:1] else spelled
        if text[position : position + len(piece)] != piece:
            return index, spelled
        position += len(piece)
    return (ids[-1], tokens[ids[-1]]) if ids else (-1, None)
