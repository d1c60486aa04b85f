#!/usr/bin/env bash
# transformers 5.23.0, tokenizers 0.23.3: T5Tokenizer with an added token.
# Expected: a text that holds the added token comes back from encode and decode as it was.
# Happens: encoding puts a space after the added token, so with an added brace {"a": 1} becomes
# { "a": 1} in prompts and labels. Decoding is exact, and `legacy=False` changes nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0 tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import transformers
from transformers import T5Tokenizer

pieces = ["<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "▁b"]
for settings in ({}, {"legacy": False}):
    tokenizer = T5Tokenizer(vocab=[(piece, -2.0) for piece in pieces], extra_ids=0, **settings)
    tokenizer.add_tokens(["{"])
    back = tokenizer.decode(tokenizer.encode("a{b", add_special_tokens=False))
    print(f"transformers {transformers.__version__} {settings}: 'a{{b' comes back as {back!r}")
    assert back == "a{ b", "the behaviour has changed"
PYTHON
