"""Translate the modules that read formats to C, with mypyc: `to_c.py FOLDER`, run by CMake.

What they do is in Python, and Python runs it where a build leaves this out; compiled, a large JSON
Schema is read in three quarters of the time. Writes C files into FOLDER, and `modules.cmake`, which
names the extension modules to make of them. Types are checked elsewhere (`mypy` in scripts/test).
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TRANSLATED = (
    "constrained/grammar/build.py",
    "constrained/grammar/nodes.py",
    "constrained/spec/json_formats.py",
    "constrained/spec/json_text.py",
    "constrained/spec/numbers_automaton.py",
    "constrained/spec/numbers_doubles.py",
    "constrained/spec/numbers_json.py",
    "constrained/spec/numbers_magnitude.py",
    "constrained/spec/numbers_scientific.py",
    "constrained/spec/numbers_signed.py",
    "constrained/spec/json_schema/*.py",
    "constrained/spec/regex/*.py",
)

LIBRARY = "constrained_formats"
"""All code goes into this extension, with "__mypyc" added; the modules only lead there.

It stands beside the package: mypyc works out from its place where the modules are.
"""

OPTIONS = (
    "--config-file=",
    "--no-site-packages",  # other packages' types would take minutes to read
    "--ignore-missing-imports",
    "--follow-imports=silent",
)


def sources() -> list[str]:
    """The files of all modules that are translated, below the project's folder."""
    paths = [path for pattern in TRANSLATED for path in sorted(ROOT.glob(pattern))]
    return [str(path.relative_to(ROOT)) for path in paths if path.name != "__init__.py"]


TEXT = r"PyDoc_STR\((?P<text>\"[^\"]*\"|NULL)\)"
FUNCTION = re.compile(r"\(PyCFunction\)CPyPy_(?P<name>\w+),\s*METH_[A-Z_| ]+, " + TEXT)
CLASS = re.compile(r"CPyType_(?P<name>\w+)_template_ = \{[^{}]*\.tp_doc = " + TEXT)
"""Functions and classes in a C file: module and name, and the signature for `help`, if any."""


def docstrings() -> Iterator[tuple[str, str]]:
    """The docstrings of classes and functions, with their names as C has them."""
    for source in sources():
        module = source.removesuffix(".py").replace("/", "___")
        stack = [(module, ast.parse((ROOT / source).read_text(encoding="utf-8")).body)]
        for place, body in stack:
            for node in body:
                if isinstance(node, ast.ClassDef):
                    stack.append((f"{place}___{node.name}", node.body))
                if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                    yield f"{place}___{node.name}", ast.get_docstring(node) or ""


def with_docstrings(code: str) -> str:
    """The C code with docstrings after the signatures: mypyc leaves them out, `help` needs them."""
    known: dict[str, str] = {}
    for name, text in docstrings():
        while "___" in name:  # names in C begin with as much of the path as tells modules apart
            known[name] = text
            name = name.partition("___")[2]

    def documented(found: re.Match[str]) -> str:
        text = known.get(found["name"], "").encode()
        plain = set(range(32, 127)) - set(b'"\\?')
        shown = "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text)
        signature = found["text"].strip('"').removesuffix("NULL")
        start, end = (place - found.start() for place in found.span("text"))
        return f'{found[0][:start]}"{signature}{shown}"{found[0][end:]}' if text else found[0]

    return CLASS.sub(documented, FUNCTION.sub(documented, code))


def main(folder: Path) -> None:
    """Write the C files of all translated modules, and what CMake must know."""
    from mypyc.build import mypycify

    folder.mkdir(parents=True, exist_ok=True)
    options = [*OPTIONS, f"--cache-dir={folder / 'cache'}"]
    os.chdir(ROOT)
    extensions = mypycify(options + sources(), group_name=LIBRARY, target_dir=str(folder))
    for written in folder.glob("*.c"):
        code = with_docstrings(written.read_text(encoding="utf-8"))
        written.write_text(code, encoding="utf-8")
    paths = ";".join(str(ROOT / path) for path in sources())
    lines = [f'set(translated_from "{paths}")', "set(extensions)"]
    lines += [
        f'list(APPEND extensions "{extension.name}")\n'
        f'set({extension.name}_sources "{";".join(extension.sources)}")'
        for extension in extensions
    ]
    lines.append(f'set(runtime_headers "{";".join(extensions[0].include_dirs)}")')
    (folder / "modules.cmake").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
