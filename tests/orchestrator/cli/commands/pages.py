"""Reads the page of ``orch report`` with the standard library's parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_EMPTY = frozenset(("meta", "br", "wbr", "use", "path", "rect", "image", "stop"))


@dataclass
class Table:
    caption: str = ""
    headers: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[list[float | None]] = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        at = self.headers.index(name)
        return [row[at] for row in self.rows]

    def column_of_numbers(self, name: str) -> list[float | None]:
        at = self.headers.index(name)
        return [row[at] for row in self.numbers]


class Page(HTMLParser):
    """The tables, the text and all tags and attributes of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.headings: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(content)
        self.close()

    def table(self, caption: str) -> Table:
        (found,) = (table for table in self.tables if caption in table.caption)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _EMPTY:
            self._open.append(tag)
        match tag:
            case "table":
                self.tables.append(Table())
            case "h3":
                self.headings.append("")
            case "th":
                self.tables[-1].headers.append("")
            case "tr" if "tbody" in self._open:
                self.tables[-1].rows.append([])
                self.tables[-1].numbers.append([])
            case "td":
                number = dict(attrs).get("data-v")
                self.tables[-1].rows[-1].append("")
                self.tables[-1].numbers[-1].append(None if number is None else float(number))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] in ("script", "style"):
            return
        self.text += data
        if "td" in self._open:
            self.tables[-1].rows[-1][-1] += data
        elif "th" in self._open:
            self.tables[-1].headers[-1] += data
        elif "caption" in self._open:
            self.tables[-1].caption += data
        elif "h3" in self._open:
            self.headings[-1] += data
