"""What is said where an optional package is missing: a command that works, here and elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import util
from pathlib import Path

import pytest

from constrained.cli import run
from constrained.consistency.report.needs import check_needs
from constrained.errors import MissingPackage
from constrained.packages import EXTRAS, remedy

ROOT = Path(__file__).parents[2]


def extras() -> dict[str, list[str]]:
    made: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]["optional-dependencies"]
    return made


def test_every_extra_is_known_with_its_packages() -> None:
    said = {name: one for name, one in extras().items() if name != "test"}
    names = {
        name: [re.split(r"[<>=!]", one)[0] for one in packages] for name, packages in said.items()
    }
    known = {
        name: [re.split(r"[<>=!]", one.strip("'"))[0] for one in packages]
        for name, packages in EXTRAS.items()
    }
    assert known == names


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (
            "hf",
            "pip install torch transformers safetensors gguf accelerate; in a clone: "
            "scripts/install hf",
        ),
        ("adapters", "pip install peft; in a clone: scripts/install adapters"),
        (
            "consistency",
            "pip install scipy pyyaml jinja2; in a clone: scripts/install consistency",
        ),
        ("parquet", "pip install pyarrow pandas 'numpy>=2'; in a clone: scripts/install parquet"),
        ("outlines", "pip install 'outlines>=1.3,<1.4'; in a clone: scripts/install outlines"),
        ("ray", "pip install ray; in a clone: scripts/install ray"),
        ("testing", "pip install pytest hypothesis; in a clone: scripts/install testing"),
    ],
)
def test_a_remedy_names_the_packages_and_the_script_of_a_clone(extra: str, text: str) -> None:
    assert remedy(extra) == text


def test_no_message_sends_people_to_a_registry_that_does_not_have_this_library() -> None:
    sources = [*(ROOT / "constrained").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    named = [
        p.name for p in sources if re.search(r"pip install '?constrained-lm", p.read_text("utf-8"))
    ]
    assert named == []


def test_one_install_serves_all_that_the_readme_shows() -> None:
    """`scripts/demo` and `scripts/install` alone: models, adapters, reports, property tests."""
    script = (ROOT / "scripts" / "install").read_text("utf-8")
    (default,) = re.findall(r"set -- (.*)", script)
    assert set(default.split()) == {"hf", "adapters", "consistency", "testing"}
    demo = (ROOT / "scripts" / "demo").read_text("utf-8")
    assert re.findall(r"^scripts/install *([^#\n]*)", demo, flags=re.MULTILINE) == [""]
    assert set(default.split()) < set(extras())
    for script in ("install", "demo"):
        check = ["bash", "-n", str(ROOT / "scripts" / script)]
        assert subprocess.run(check, check=False).returncode == 0


@pytest.mark.parametrize(
    ("package", "what"), [("scipy", "the report"), ("jinja2", "the HTML report")]
)
def test_a_run_asks_for_what_its_report_needs_before_it_scores(
    package: str,
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        'items: [{id: a, text: b}]\nprompts: ["{text}"]\nspec: {range: 0..3}\n', "utf-8"
    )
    monkeypatch.setitem(sys.modules, package, None)
    assert util.find_spec(package) is None
    assert run(["consistency", "run", str(plan)]) == 2
    message = f"{what} of a run needs the package {package} (run: {remedy('consistency')})"
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (tmp_path / "plan.db").exists()
    with pytest.raises(MissingPackage) as caught:
        check_needs()
    assert (str(caught.value), caught.value.package) == (message, package)
