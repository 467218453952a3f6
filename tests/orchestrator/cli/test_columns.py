"""Tables show as many columns as fit on the terminal, and never cut a number."""

import io

import pytest
from rich.console import Console

from orchestrator.cli.columns import (
    cell_of,
    cells_of,
    fit_axes,
    fit_columns,
    keys_of,
    new_table,
    width_with_gaps,
)


def console(width: int = 80, *, is_terminal: bool = False) -> Console:
    return Console(width=width, file=io.StringIO(), force_terminal=is_terminal)


def test_columns_that_fit_are_shown() -> None:
    columns = {"a": ["1.000"], "bb": ["2"], "c": ["3" * 30]}
    assert fit_columns(columns, 0, console(40)) == ["a", "bb"]
    assert fit_columns(columns, 0, console(43)) == ["a", "bb", "c"]
    assert fit_columns(columns, 35, console(40)) == []


def test_long_headers_break_on_a_terminal_only() -> None:
    """A table in a file stays one line per row."""
    columns = {"validation/accuracy": ["0.5"]}
    assert fit_columns(columns, 0, console(14, is_terminal=True)) == ["validation/accuracy"]
    assert fit_columns(columns, 0, console(14)) == []


def test_width_counts_headers_cells_and_gaps() -> None:
    rows = [{"lr": 0.1, "name": "long name"}, {"lr": 0.25}]
    widths = fit_axes(rows, ["lr", "name"], 0, console())
    assert widths == {"lr": 4, "name": 9}
    assert width_with_gaps(widths) == (2 + 4) + (2 + 9)


@pytest.mark.parametrize(("width", "name", "other"), [(200, 64, 30), (80, 39, 30), (60, 24, 25)])
def test_values_that_a_terminal_has_no_room_for_are_cut(width: int, name: int, other: int) -> None:
    """The widest first, in the middle, and never the numbers of other axes."""
    rows = [{"name": "a" * 63 + "z", "other": "b" * 30, "lr": 1}, {"name": "c", "lr": 0.001}]
    widths = fit_axes(rows, ["name", "other", "lr"], 0, console(width))
    assert widths == {"name": name, "other": other, "lr": 5}
    cell = cells_of(rows[0], ["name"], widths)[0].plain
    assert len(cell) == name
    assert (cell[0], cell[-1]) == ("a", "z")


def test_values_stay_recognizable_where_there_is_no_room_at_all() -> None:
    rows = [{"name": "a" * 64, "lr": 0.001}]
    assert fit_axes(rows, ["name", "lr"], 500, console()) == {"name": 14, "lr": 5}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456789, "0.1235"),
        (1e-7, "1e-07"),
        (3, "3"),
        ("a b", "a b"),
        (None, "null"),
        (True, "true"),
    ],
)
def test_cell_is_short(value: object, text: str) -> None:
    assert cell_of(value) == text


def test_axis_that_a_run_does_not_have_is_an_empty_cell() -> None:
    assert [str(cell) for cell in cells_of({"b": 1}, ["a", "b"], {"a": 1, "b": 1})] == ["", "1"]


def test_keys_are_in_order_of_first_occurrence() -> None:
    assert keys_of([{"b": 1}, {"a": 1, "b": 2}]) == ["b", "a"]


def test_only_the_reason_may_wrap() -> None:
    table = new_table("lr", "why", console=console())
    assert [column.no_wrap for column in table.columns] == [True, False]


def test_control_characters_of_a_value_are_not_printed() -> None:
    (cell,) = cells_of({"a": "\x1b[2J"}, ["a"], {"a": 9})
    assert cell.plain.isprintable()
