"""Long tables: thousands of rows, printed in a fraction of the time that a table of ``rich`` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from orchestrator.cli.columns import new_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

Cell: TypeAlias = "tuple[str, str]"  # a printable text, and its style
_LONG: Final = 100
_GAP: Final = 2


def print_rows(headers: Sequence[str], rows: Sequence[Sequence[Cell]], console: Console) -> None:
    """Print a table; the lines of a long one are cut, and not wrapped, where a terminal ends."""
    if len(rows) <= _LONG:
        table = new_table(*headers, console=console)
        for row in rows:
            table.add_row(*(Text(text, style=style) for text, style in row))
        console.print(table)
        return
    cells = [[(header, "bold") for header in headers], *rows]
    widths = [max(_width(text) for text, _ in column) for column in zip(*cells, strict=True)]
    codes = {
        style: _codes(style, console) for style in {style for row in cells for _, style in row}
    }
    room = console.width
    lines = (_line(row, widths, codes, room) for row in cells)
    console.file.write("\n".join(lines) + "\n")


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _codes(style: str, console: Console) -> tuple[str, str]:
    """Return what a console writes before and after a text in a style."""
    with console.capture() as captured:
        console.print(Text("x", style=style), end="")
    before, _, after = captured.get().partition("x")
    return before, after


def _line(
    row: Sequence[Cell], widths: Sequence[int], codes: Mapping[str, tuple[str, str]], room: int
) -> str:
    parts = []
    for (text, style), width in zip(row, widths, strict=True):
        if room <= 0:
            break
        length = _width(text)
        shown = text if length <= room else f"{set_cell_size(text, room - 1)}…"
        before, after = codes[style]
        parts.append(f"{before}{shown}{after}{' ' * (width - length)}")
        room -= width + _GAP
    return (" " * _GAP).join(parts).rstrip(" ")
