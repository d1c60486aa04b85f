#!/usr/bin/env bash
# pydantic 2.14.3: a model with a Literal of an Enum member.
# Expected: the model reads the JSON that it wrote, and that its own JSON Schema allows.
# Happens: `Literal[Suit.HEARTS]` is written "h" and its schema says {"const": "h"}, but reading "h" is an
# error; of a `str` subclass the same is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydantic==2.14.3
"$folder/venv/bin/python" - <<'PYTHON'
from enum import Enum
from typing import Literal

import pydantic


class Suit(Enum):
    HEARTS = "h"


class SuitText(str, Enum):
    HEARTS = "h"


print("pydantic", pydantic.VERSION)
found = {}
for kind in (Suit, SuitText):
    model = pydantic.create_model("Card", suit=(Literal[kind.HEARTS], ...))
    written = model(suit=kind.HEARTS).model_dump_json()
    schema = model.model_json_schema()["properties"]["suit"]
    try:
        found[kind.__name__] = repr(model.model_validate_json(written))
    except pydantic.ValidationError as error:
        found[kind.__name__] = str(error).splitlines()[2].strip()
    print(f"{kind.__name__}: written {written}, schema {schema}, read again: {found[kind.__name__]}")
changed = "Input should be" not in found["Suit"] or "Card(" not in found["SuitText"]
raise SystemExit(changed)
PYTHON
