"""The columns of tables: their headers and cells, and how many fit on a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.grid.config_values import show
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

NOTE_WIDTH: Final = 26  # at least, where something is noted
_NARROW: Final = 14  # a value is not cut to fewer characters
_MAY_BREAK: Final = ("why", "excluded by", "note")


def new_table(*headers: str, console: Console) -> Table:
    """Return an empty table with these headers."""
    from rich.table import Table  # noqa: PLC0415 # large plans show no table, and need not wait for it

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        # On a line that is too long only the reason may wrap, never a number.
        is_text = header in _MAY_BREAK
        table.add_column(Text(_header(header, console)), no_wrap=not is_text, overflow="ellipsis")
    return table


def _header(name: str, console: Console) -> str:
    """Return a header, on a terminal with line breaks after separators such as ``/`` and ``.``."""
    name = printable(name)
    return re.sub(r"([/._])(?=.)", r"\1\n", name) if console.is_terminal else name


def fit_columns(columns: Mapping[str, Sequence[str]], taken: int, console: Console) -> list[str]:
    """Return the names of the first columns that fit beside ``taken`` characters."""
    fitting: list[str] = []
    for name, cells in columns.items():
        taken += _room_for(name, cells, console)
        if taken > console.width:
            break
        fitting.append(name)
    return fitting


def fit_axes(
    rows: Iterable[Mapping[str, object]], axes: Sequence[str], taken: int, console: Console
) -> dict[str, int]:
    """Return the width of the column of each axis beside ``taken`` characters, without gaps.

    Where a terminal has no room for all of them, the widest are made narrower first.
    """
    headers = {axis: max(map(len, _header(axis, console).split("\n"))) for axis in axes}
    widths = dict(headers)
    for values in rows:
        for axis in axes:
            if axis in values:
                widths[axis] = max(widths[axis], len(cell_of(values[axis])))
    least = {axis: min(widths[axis], max(headers[axis], _NARROW)) for axis in axes}
    excess = taken + width_with_gaps(widths) - console.width
    while excess > 0 and (wider := [axis for axis in axes if widths[axis] > least[axis]]):
        widths[max(wider, key=widths.__getitem__)] -= 1
        excess -= 1
    return widths


def width_with_gaps(widths: Mapping[str, int]) -> int:
    """Return the width of columns in characters, gaps included."""
    return sum(2 + width for width in widths.values())


def first_column(columns: Mapping[str, Sequence[str]], console: Console) -> int:
    """Return the room that the first of these columns needs, gap included."""
    return next((_room_for(name, cells, console) for name, cells in columns.items()), 0)


def _room_for(name: str, cells: Sequence[str], console: Console) -> int:
    return 2 + max(map(len, (*_header(name, console).split("\n"), *cells)))


def keys_of(overrides: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the keys that any of the runs has, in order of first occurrence."""
    return list(dict.fromkeys(key for values in overrides for key in values))


def cells_of(
    overrides: Mapping[str, object], axes: Sequence[str], widths: Mapping[str, int]
) -> list[Text]:
    """Return the cells of a row: the value of each axis, cut in its middle if it is too wide."""
    return [Text(*texts_of([overrides], axis, widths[axis])) for axis in axes]


def texts_of(rows: Iterable[Mapping[str, object]], axis: str, width: int) -> list[str]:
    """Return the text of an axis in each row, as these cells have it."""
    return [
        _cut(printable(cell_of(values[axis])), width) if axis in values else "" for values in rows
    ]


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def cell_of(value: object) -> str:
    """Return a value in the short form that tables show."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else show(value)
