"""Links: what the documentation points to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doc_pages import DOCS, ROOT, pages, read_anchors, read_links, without_code

PACKAGES = ("orch", "orchestrator", "trainer")
OTHERS = ("CHANGELOG.md", "benchmarks/README.md", "tests/faults/README.md")
LINKED = [*pages(), *(ROOT / name for name in OTHERS)]
OUTSIDE = ("http://", "https://", "mailto:")


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    """A file that was moved, or a heading that was reworded, is noticed where it is pointed to."""
    dead = []
    for line, target in read_links(page):
        if target.startswith(OUTSIDE):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in read_anchors(file)):
            dead.append(f"{page.name}, line {line}: {target}")
    assert not dead


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    """A module that was renamed is noticed on the pages that name it."""
    text = without_code(page)
    named = re.findall(r"`((?:orch|orchestrator|trainer|tests|benchmarks)/[\w/]+\.\w+)`", text)
    if page.name == "architecture.md":  # its tables name modules within a package
        modules = {path.name for each in PACKAGES for path in (ROOT / each).rglob("*.py")}
        assert not set(re.findall(r"`(\w+\.py)`", text)) - modules
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_page_can_be_reached_from_the_readme() -> None:
    """A page that nothing leads to is not read."""
    reached, new = set(), {ROOT / "README.md"}
    while new:
        page = new.pop()
        reached.add(page)
        targets = (target.partition("#")[0] for _, target in read_links(page))
        local = (each for each in targets if each.endswith(".md") and not each.startswith(OUTSIDE))
        new |= {(page.parent / each).resolve() for each in local} - reached
    assert set(DOCS.rglob("*.md")) <= reached
