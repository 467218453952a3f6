"""Long tables: thousands of rows, printed in a fraction of the time that a table of ``rich`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from orchestrator.cli.table_columns import break_header, lines_of_header, new_table, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

_LONG: Final = 100
_GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: printable texts, and the style of each, or one style for all of them."""

    header: str
    texts: Sequence[str]
    styles: Sequence[str] | str = ""

    @property
    def style_of_each(self) -> Sequence[str]:
        """The style of each text."""
        return [self.styles] * len(self.texts) if isinstance(self.styles, str) else self.styles


def print_columns(columns: Sequence[Column], console: Console) -> None:
    """Print a table; the lines of a long one are cut, and not wrapped, where a terminal ends."""
    if len(columns[0].texts) > _LONG:
        lines = zip(*_fit_columns(columns, console), strict=True)
        console.file.write("".join(f"{_GAP.join(line).rstrip(' ')}\n" for line in lines))
        return
    table = new_table(*(column.header for column in columns))
    cells = (zip(each.texts, each.style_of_each, strict=True) for each in columns)
    for row in zip(*cells, strict=True):
        table.add_row(*(Text(text, style=style) for text, style in row))
    print_table(table, console)


def _fit_columns(columns: Sequence[Column], console: Console) -> Iterator[list[str]]:
    """Yield the cells of each column that begins before the terminal ends, all as wide as the widest."""
    headers = _headers_of(columns, console)
    height, room = max(map(len, headers)), console.width
    for column, header in zip(columns, headers, strict=True):
        if room <= 0:
            return
        texts = [*[""] * (height - len(header)), *header, *column.texts]
        lengths = _lengths_of(texts)
        width = max(lengths)
        if width > room:
            texts = [
                text if length <= room else f"{set_cell_size(text, room - 1)}…"
                for text, length in zip(texts, lengths, strict=True)
            ]
        styles = [*["bold"] * height, *column.style_of_each]
        codes = {style: _codes(style, console) for style in set(styles)}
        if any(map(any, codes.values())):
            texts = [
                f"{before}{text}{after}"
                for text, (before, after) in zip(texts, map(codes.__getitem__, styles), strict=True)
            ]
        if lengths == [*map(len, texts)]:  # texts in a style are longer than what is seen of them
            yield [text.ljust(width) for text in texts]
        else:
            yield [
                f"{text}{' ' * (width - length)}"
                for text, length in zip(texts, lengths, strict=True)
            ]
        room -= width + len(_GAP)


def _headers_of(columns: Sequence[Column], console: Console) -> list[list[str]]:
    """Return the lines of each header: broken only where the terminal has no room for the table otherwise."""
    whole = [lines_of_header(column.header) for column in columns]
    broken = [break_header(column.header, console) for column in columns]
    if whole == broken:
        return whole
    widths = [
        max(_lengths_of([*header, *column.texts]))
        for header, column in zip(whole, columns, strict=True)
    ]
    fits = sum(widths) + len(_GAP) * (len(widths) - 1) <= console.width
    return whole if fits else broken


def _lengths_of(texts: Sequence[str]) -> list[int]:
    """Return how many cells of a terminal each text takes."""
    return [*map(len if all(map(str.isascii, texts)) else cell_len, texts)]


def _codes(style: str, console: Console) -> tuple[str, str]:
    """Return what a console writes before and after a text in a style; empty texts if nothing."""
    with console.capture() as captured:
        console.print(Text("x", style=style), end="")
    before, _, after = captured.get().partition("x")
    return before, after
