"""The pages of the documentation: their examples run, their links lead somewhere."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(page: Path) -> doctest.DocTest:
    """The `>>>` lines of a page's Python blocks as one session."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    session = "\n".join(block for block in blocks if block.lstrip().startswith(">>>"))
    name = str(page.relative_to(ROOT))
    return doctest.DocTestParser().get_doctest(session, {}, name, name, 0)


def cases() -> list:
    """One case per page that has examples; slow where a page loads a real model."""
    found = []
    for page in PAGES:
        test = examples(page)
        if test.examples:
            slow = any('load_model("smollm2"' in example.source for example in test.examples)
            found.append(pytest.param(test, marks=[pytest.mark.slow] * slow, id=test.name))
    return found


@pytest.mark.parametrize("test", cases())
def test_the_examples_of_a_page_show_what_happens(test):
    output: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=output.append)
    assert not failed, "".join(output)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_page_can_be_found_from_the_index():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    linked = set(re.findall(r"\]\(([^)#\s]+)", index))
    pages = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/[!d]*/**/*.md")}
    assert pages - linked == set()
