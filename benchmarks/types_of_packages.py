"""Is every output of `json(Model)` read by the model, for all models of public packages?

    python benchmarks/types_of_packages.py openai anthropic mcp stac_pydantic openapi_pydantic

Each model is compiled, 20 examples are drawn and read. A row a package: models; models whose
examples are all read; models refused, by reason; examples that only a validator's own code refused
(the same model without that code reads them); examples refused otherwise, which should be 0.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

import constrained as ct
from constrained.errors import ConstrainedError, LimitExceeded, SpecError, TextRejected

EXAMPLES = 20


def models_of(package: str) -> Iterator[type[BaseModel]]:
    """The models that a package defines, each once."""
    root = importlib.import_module(package)
    names = [package]
    names += [
        one.name for one in pkgutil.walk_packages(root.__path__, f"{package}.", lambda _: None)
    ]
    seen = set()
    for name in sorted(names):
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit):  # what needs another package, or runs a program
            continue
        for thing in list(vars(module).values()):
            if not (isinstance(thing, type) and issubclass(thing, BaseModel)):
                continue
            if thing.__module__.startswith(package) and thing not in seen:
                seen.add(thing)
                yield thing


class Anything:
    """What is read where a class with code would be."""


def without_code(core: Any) -> Any:
    """A core schema without the functions of the package itself."""
    if isinstance(core, list | tuple):
        return type(core)(map(without_code, core))
    if not isinstance(core, dict):
        return core
    if str(core.get("type")).startswith("function-"):
        function = core["function"]["function"]
        if not str(getattr(function, "__module__", "pydantic")).startswith("pydantic"):
            inside = without_code(core["schema"]) if "schema" in core else {"type": "any"}
            return (
                {"type": "chain", "steps": [inside], "ref": core["ref"]}
                if "ref" in core
                else inside
            )
    kept = {key: without_code(value) for key, value in core.items() if key != "serialization"}
    if core.get("type") in ("model", "dataclass"):  # or the class would read as it always does
        kept |= {"cls": Anything, "post_init": None, "custom_init": False}
        kept = {key: value for key, value in kept.items() if value is not None}
    return kept


def is_code(model: type[BaseModel], text: str) -> bool:
    """Whether only a validator's own code refuses the text."""
    core = without_code(model.__pydantic_core_schema__)
    try:
        SchemaValidator(core).validate_json(text)
    except ValidationError:
        return False
    return True


def tried(model: type[BaseModel]) -> tuple[str, int, int]:
    """Why a model was refused, if it was; examples that code refused, and others."""
    code = other = 0
    try:
        spec = ct.json(model)
        for text in spec.examples(EXAMPLES):
            try:
                spec.parse(text)
            except TextRejected as error:
                if is_code(model, text):
                    code += 1
                else:
                    other += 1
                    if other == 1:
                        name = f"{model.__module__}.{model.__name__}"
                        print(f"  unread: {name}: {error}", file=sys.stderr)
    except (SpecError, LimitExceeded) as error:
        return getattr(error, "feature", type(error).__name__), 0, 0
    except ConstrainedError as error:
        return type(error).__name__, 0, 0
    return "", code, other


def main(packages: list[str]) -> None:
    warnings.simplefilter("ignore")
    print("| package | models | all examples read | refused | refused by code | unread |")
    print("|---|---|---|---|---|---|")
    for package in packages:
        start, reasons = time.perf_counter(), Counter[str]()
        models = read = codes = others = 0
        for model in models_of(package):
            reason, code, other = tried(model)
            models += 1
            read += not (reason or code or other)
            codes, others = codes + code, others + other
            if reason:
                reasons[reason] += 1
        refused = ", ".join(f"{name} {many}" for name, many in reasons.most_common()) or "0"
        print(f"| {package} | {models:,} | {read:,} | {refused} | {codes} | {others} |", flush=True)
        print(f"  {package}: {time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
