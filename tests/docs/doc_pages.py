"""The pages of the documentation, as what a test can read: code blocks, tables, links and headings.

A page is plain Markdown. HTML comments, which readers do not see, say what the tests need to know:

- ``<!-- project: NAME -->``: the page begins in a copy of ``tests/docs/projects/NAME``; ``demo`` is
  the repository's own ``conf/``, and ``demo without tracking`` does not report to MLflow.
- ``<!-- not run: REASON -->`` before a code block: the block is only read.
- ``<!-- loosely -->`` before a console block: each line shown occurs in the output, in any order and
  with any decimal numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!-- ((?:(?!-->).)*) -->\s*\Z", re.DOTALL)
_PROJECT = re.compile(r"<!-- project: ([\w -]+?) -->")
_FILE = re.compile(r"(?:# @package \S+\n)?# (\S+\.(?:py|yaml))(?:$|:)", re.MULTILINE)
_HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: ``line`` is that of its fence, ``remark`` the comment in front of it.

    ``span`` is where its text begins and ends in the page.
    """

    language: str
    text: str
    line: int
    remark: str
    span: tuple[int, int]

    @property
    def file(self) -> str:
        """The file that it is the content of, if it begins with a comment that names one."""
        found = _FILE.match(self.text)
        return found[1] if found else ""


def pages() -> list[Path]:
    """Return all pages with something to check, the repository's own first."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def read_blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    for found in _FENCE.finditer(text):
        before = _COMMENT.search(text[: found.start()])
        remark = before[1] if before else ""
        line = text.count("\n", 0, found.start()) + 1
        blocks.append(Block(found[1], found[2], line, remark, found.span(2)))
    return blocks


def project_of(page: Path) -> str:
    """Return the project that a page begins with; an empty text for an empty folder."""
    found = _PROJECT.search(page.read_text(encoding="utf-8"))
    return found[1] if found else ""


def read_links(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the targets of a page's links, with their lines; code has none."""
    for number, line in enumerate(without_code(page).split("\n"), 1):
        for found in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            yield number, found[1]


def read_anchors(page: Path) -> set[str]:
    """Return what can stand behind the # of a link to a page, as GitHub names headings."""
    anchors: set[str] = set()
    for found in _HEADING.finditer(without_code(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found[2]).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        others = sum(each == slug or each.startswith(f"{slug}-") for each in anchors)
        anchors.add(f"{slug}-{others}" if slug in anchors else slug)
    return anchors


def read_tables(page: Path) -> dict[str, list[list[str]]]:
    """Return the rows of all tables under each heading, without their heads; cells lose their marks."""
    tables: dict[str, list[list[str]]] = {}
    heading = ""
    lines = without_code(page).split("\n")
    for at, line in enumerate(lines):
        if found := _HEADING.match(line):
            heading = found[2].replace("`", "")
        is_row = line.startswith("|") and not line.startswith(("|--", "| --", "|:-"))
        is_head = at + 1 < len(lines) and lines[at + 1].startswith(("|--", "| --", "|:-"))
        if is_row and not is_head:
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            tables.setdefault(heading, []).append([cell.strip() for cell in cells])
    return tables


def without_code(page: Path) -> str:
    """Return a page's text with empty lines in place of its code blocks."""
    text = page.read_text(encoding="utf-8")
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
