"""Translate the modules that read formats to C, with mypyc: `to_c.py FOLDER`, run by CMake.

What they do is in Python, and Python runs it where a build leaves this out; compiled, a large JSON
Schema is read in three quarters of the time. Writes C files into FOLDER, and `modules.cmake`, which
names the extension modules to make of them. Types are checked elsewhere (`mypy` in scripts/test).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TRANSLATED = (
    "constrained/spec/json_formats.py",
    "constrained/spec/json_text.py",
    "constrained/spec/numbers_automaton.py",
    "constrained/spec/numbers_json.py",
    "constrained/spec/numbers_magnitude.py",
    "constrained/spec/json_schema/*.py",
    "constrained/spec/regex/*.py",
)

LEFT = {"__init__.py", "holes.py", "pieces.py", "syntax.py"}
"""Packages' fronts, where little happens; frozen values, which lose slots and copies by it."""

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
    return [str(path.relative_to(ROOT)) for path in paths if path.name not in LEFT]


def main(folder: Path) -> None:
    """Write the C files of all translated modules, and what CMake must know."""
    from mypyc.build import mypycify

    folder.mkdir(parents=True, exist_ok=True)
    options = [*OPTIONS, f"--cache-dir={folder / 'cache'}"]
    os.chdir(ROOT)
    extensions = mypycify(options + sources(), group_name=LIBRARY, target_dir=str(folder))
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
