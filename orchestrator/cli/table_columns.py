"""The columns of tables: their headers and cells, and how many fit on a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.text import Text

from orchestrator.grid.config_values import is_number, label_of
from orchestrator.grid.short_keys import short_keys
from orchestrator.rundir.records import as_metric
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

NOTE_WIDTH: Final = 26  # at least, where something is noted
_NARROW: Final = 14  # a value is not cut to fewer characters
_NARROWEST: Final = 9  # unless there is no other way; the numbers of tables have no more
_NARROWEST_HEADER: Final = 6
_GAP: Final = 2
_LONGEST_WORD: Final = 20  # of a header, on a terminal
_MAY_BREAK: Final = ("why", "excluded by", "note")
_DIGITS: Final = 4
_ALL_DIGITS: Final = 17  # of a float


def new_table(*headers: str) -> Table:
    """Return an empty table with these headers, which :func:`print_table` breaks where it has to."""
    from rich.table import Table  # noqa: PLC0415 # large plans show no table, and need not wait for it

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        # On a line that is too long only the reason may wrap, never a number.
        is_text = header in _MAY_BREAK
        text = Text("\n".join(lines_of_header(header)))
        table.add_column(text, no_wrap=not is_text, overflow="ellipsis")
    return table


def print_table(table: Table, console: Console) -> None:
    """Print a table; in a file or a pipe its lines have no blanks at their ends.

    Where a terminal has no room for the headers and all cells as they are, the headers are broken.
    """
    if console.is_terminal:
        headers = [Text("\n".join(break_header(str(it.header), console))) for it in table.columns]
        if headers != [it.header for it in table.columns] and not _fits(table, console):
            for column, header in zip(table.columns, headers, strict=True):
                column.header = header
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    console.file.write("".join(f"{line.rstrip(' ')}\n" for line in lines))


def _fits(table: Table, console: Console) -> bool:
    """Return whether a terminal has room for a table without wrapping or cutting anything."""
    columns = ((*str(it.header).split("\n"), *map(str, it.cells)) for it in table.columns)
    widths = [max(map(cell_len, texts)) for texts in columns]
    return sum(widths) + _GAP * (len(widths) - 1) <= console.width


def lines_of_header(name: str) -> list[str]:
    """Return the lines of a header that is not broken."""
    return [printable(line) for line in name.split("\n")]


def break_header(name: str, console: Console) -> list[str]:
    """Return the lines of a header, which on a terminal end after separators such as ``/`` and ``.``."""
    lines = lines_of_header(name)
    if not console.is_terminal:
        return lines
    broken = (re.sub(r"([/._])(?=.)", r"\1\n", line).split("\n") for line in lines)
    return [_cut(line, _LONGEST_WORD) for each in broken for line in each]


@dataclass(frozen=True, slots=True)
class AxisColumns:
    """The columns of the axes that a table has room for, and the number of axes that are left out.

    ``widths`` are without gaps, and those of headers that are broken; ``headers`` have several lines where
    a key is shortened. ``digits`` are those of the numbers.
    """

    widths: Mapping[str, int]
    headers: Sequence[str]
    left_out: int
    digits: Mapping[str, int]

    @property
    def width(self) -> int:
        """The width of all of them in characters, gaps included."""
        return _width_with_gaps(self.widths)

    def cells_of(self, values: Mapping[str, object]) -> list[Text]:
        """Return the cells of a row: the value of each axis, cut in its middle if it is too wide."""
        return [Text(*self.texts_of(axis, [values])) for axis in self.widths]

    def texts_of(self, axis: str, rows: Iterable[Mapping[str, object]]) -> list[str]:
        """Return the text of an axis in each row, cut in its middle if it is too wide."""
        width, digits = self.widths[axis], self.digits[axis]
        return [
            _cut(printable(cell_of(values[axis], digits)), width) if axis in values else ""
            for values in rows
        ]


def fit_axes(
    rows: Sequence[Mapping[str, object]],
    axes: Sequence[str],
    taken: int,
    console: Console,
    *,
    spare: int = 0,
) -> AxisColumns:
    """Return the columns of the axes beside ``taken`` characters.

    Where a terminal has no room for all of them, the widest values and headers are made narrower first. If
    that does not suffice, the last axes are left out.

    Args:
        rows: The values of each row.
        axes: The axes.
        taken: The characters that the other columns take.
        console: The console.
        spare: How many of these characters they need not have.
    """
    headers = {axis: _width_of(break_header(axis, console)) for axis in axes}
    digits = digits_by_axis(rows, axes)
    values = {
        axis: _width_of([cell_of(it[axis], digits[axis]) for it in rows if axis in it])
        for axis in axes
    }
    widths = {axis: max(headers[axis], values[axis]) for axis in axes}
    excess = 0
    for narrow, more in ((_NARROW, 0), (_NARROWEST, spare)):
        least = {
            it: max(min(values[it], narrow), min(headers[it], _NARROWEST_HEADER)) for it in axes
        }
        excess = taken - more + _width_with_gaps(widths) - console.width
        while excess > 0 and (wider := [axis for axis in axes if widths[axis] > least[axis]]):
            widths[max(wider, key=widths.__getitem__)] -= 1
            excess -= 1
    while excess > 0 and len(widths) > 1:
        excess -= _GAP + widths.popitem()[1]
    names = short_keys(axes)
    fitted = [_fit_header(it, names[it], width, console) for it, width in widths.items()]
    return AxisColumns(widths, fitted, len(axes) - len(widths), digits)


def _fit_header(key: str, short: str, width: int, console: Console) -> str:
    """Return the header of an axis: the key, or if it is too wide, what tells it from other keys."""
    if _width_of(break_header(key, console)) <= width:
        return key
    lines = break_header(short.replace("…", "…\n"), console)
    return "\n".join(piece for line in lines for piece in _break_word(line, width))


def _break_word(word: str, width: int) -> list[str]:
    """Return a word on one line, or on two with a hyphen; if it is even longer, cut in its middle."""
    if width < len(word) < 2 * width and word.isalnum():
        return [f"{word[: width - 1]}-", word[width - 1 :]]
    return [_cut(word, width)]


def _width_of(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _width_with_gaps(widths: Mapping[str, int]) -> int:
    return sum(_GAP + width for width in widths.values())


def fit_columns(columns: Mapping[str, Sequence[str]], taken: int, console: Console) -> list[str]:
    """Return the names of the first columns that fit beside ``taken`` characters."""
    fitting: list[str] = []
    for name, cells in columns.items():
        taken += _room_for(name, cells, console)
        if taken > console.width:
            break
        fitting.append(name)
    return fitting


def first_column(columns: Mapping[str, Sequence[str]], console: Console) -> int:
    """Return the room that the first of these columns needs, gap included."""
    return next((_room_for(name, cells, console) for name, cells in columns.items()), 0)


def _room_for(name: str, cells: Sequence[str], console: Console) -> int:
    return _GAP + _width_of((*break_header(name, console), *cells))


def keys_of(overrides: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the keys that any of the runs has, in order of first occurrence."""
    return list(dict.fromkeys(key for values in overrides for key in values))


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def cell_of(value: object, digits: int = _DIGITS) -> str:
    """Return a value in the short form that tables show."""
    if isinstance(value, float):
        return repr(value) if digits == _ALL_DIGITS else f"{value:.{digits}g}"
    return str(value) if type(value) is int else label_of(value)  # as many are, of 10,000 runs


def digits_of(values: Iterable[object]) -> int:
    """Return with how many digits the numbers of a column are shown: four, or as many as tell them apart."""
    numbers = {value for value in values if is_number(value)}
    for digits in range(_DIGITS, _ALL_DIGITS):
        if len({cell_of(number, digits) for number in numbers}) == len(numbers):
            return digits
    return _ALL_DIGITS


def digits_by_axis(rows: Sequence[Mapping[str, object]], axes: Iterable[str]) -> dict[str, int]:
    """Return the digits of each axis in a table with these rows, of which some may lack a value."""
    return {axis: digits_of(row[axis] for row in rows if axis in row) for axis in axes}


def metric_cell(value: float | str) -> str:
    """Return a metric in the short, printable form that tables show: NaN and the infinities as in JSON."""
    if type(value) is float and isfinite(value):  # as nearly all are, of 10,000 runs
        return f"{value:.4g}"
    told = as_metric(value)
    return f"{told:.4g}" if isinstance(told, float) else str(told)
