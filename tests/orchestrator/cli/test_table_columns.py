"""Tables show as many columns as fit on the terminal, and never cut a number."""

import io

import pytest
from rich.console import Console

from orchestrator.cli.table_columns import (
    cell_of,
    fit_axes,
    fit_columns,
    keys_of,
    new_table,
    print_table,
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


@pytest.mark.parametrize("is_terminal", [False, True])
def test_lines_of_a_table_in_a_file_have_no_blanks_at_their_ends(*, is_terminal: bool) -> None:
    """They would be changes in a file that is under version control."""
    on = console(is_terminal=is_terminal)
    table = new_table("name", "why")
    table.add_row("a", "short")
    table.add_row("b", "much longer")
    print_table(table, on)
    lines = on.file.getvalue().splitlines()  # type: ignore[attr-defined] # a StringIO
    assert (lines == ["name  why", "a     short", "b     much longer"]) is not is_terminal


def test_width_counts_headers_cells_and_gaps() -> None:
    rows = [{"lr": 0.1, "name": "long name"}, {"lr": 0.25}]
    fitted = fit_axes(rows, ["lr", "name"], 0, console())
    assert fitted.widths == {"lr": 4, "name": 9}
    assert fitted.width == (2 + 4) + (2 + 9)


@pytest.mark.parametrize(("width", "name", "other"), [(200, 64, 30), (80, 39, 30), (60, 24, 25)])
def test_values_that_a_terminal_has_no_room_for_are_cut(width: int, name: int, other: int) -> None:
    """The widest first, in the middle, and never the numbers of other axes."""
    rows = [{"name": "a" * 63 + "z", "other": "b" * 30, "lr": 1}, {"name": "c", "lr": 0.001}]
    fitted = fit_axes(rows, ["name", "other", "lr"], 0, console(width))
    assert fitted.widths == {"name": name, "other": other, "lr": 5}
    cell = fitted.cells_of(rows[0])[0].plain
    assert len(cell) == name
    assert (cell[0], cell[-1]) == ("a", "z")


def test_last_axes_are_left_out_where_there_is_no_room_at_all() -> None:
    """The first stays recognizable."""
    rows = [{"name": "a" * 64, "lr": 0.001, "seed": 0}]
    fitted = fit_axes(rows, ["name", "lr", "seed"], 500, console())
    assert (fitted.widths, fitted.left_out) == ({"name": 9}, 2)


KEYS = ["model.encoder.transformers.dropout", "model.decoder.transformers.dropout", "seed"]


@pytest.mark.parametrize(
    ("taken", "first"),
    [
        (44, KEYS[0]),
        (54, "encoder…\ndropout"),
        (56, "enc…er…\ndropout"),
    ],
)
def test_long_keys_are_shortened_to_what_tells_them_apart(taken: int, first: str) -> None:
    """And then in the middle, before an axis is left out."""
    fitted = fit_axes([dict.fromkeys(KEYS, 0.1)], KEYS, taken, console(is_terminal=True))
    assert fitted.headers == [first, first.replace("enc", "dec"), "seed"]
    assert fitted.left_out == 0


def test_table_has_the_headers_that_fit() -> None:
    """No line of them is broken a second time."""
    screen = console(is_terminal=True)
    fitted = fit_axes([dict.fromkeys(KEYS, 0.1)], KEYS, 56, screen)
    table = new_table("run", *fitted.headers, "why")
    table.add_row("1234abcd", *fitted.cells_of(dict.fromkeys(KEYS, 0.1)), "w" * 40)
    print_table(table, screen)
    assert [str(column.header) for column in table.columns] == ["run", *fitted.headers, "why"]


@pytest.mark.parametrize(("width", "lines"), [(45, 2), (44, 3)])
def test_header_is_broken_only_where_the_whole_table_does_not_fit_otherwise(
    width: int, lines: int
) -> None:
    """With every reason on one line: 45 characters here."""
    screen = console(width, is_terminal=True)
    table = new_table("run", "validation/accuracy", "why")
    table.add_row("1234abcd", "0.5", "no process yet")
    print_table(table, screen)
    printed = screen.file.getvalue().splitlines()  # type: ignore[attr-defined] # a StringIO
    assert len(printed) == lines
    assert ("validation/accuracy" in printed[0]) is (lines == 2)


def test_table_in_a_file_has_whole_keys() -> None:
    fitted = fit_axes([dict.fromkeys(KEYS, 0.1)], KEYS, 0, console(10_000))
    assert fitted.headers == KEYS


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


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.1, 0.1000000001], ["0.1", "0.1000000001"]),
        ([0.123456, 0.2], ["0.1235", "0.2"]),
        ([1, 1.00001, True], ["1", "1.00001", "true"]),
        ([0.1, 0.1 + 2**-56], ["0.1", "0.10000000000000002"]),
        ([12345.6, 12345.7, "12345.6"], ["12345.6", "12345.7", '"12345.6"']),
        ([0.5, 0.5, None], ["0.5", "0.5", "null"]),
    ],
)
def test_numbers_of_a_column_have_the_digits_that_tell_them_apart(
    values: list[object], texts: list[str]
) -> None:
    """Two rows never look alike because of rounding."""
    rows = [{"lr": value} for value in values]
    fitted = fit_axes(rows, ["lr"], 0, console())
    assert fitted.texts_of("lr", rows) == texts
    assert [fitted.cells_of(row)[0].plain for row in rows] == texts
    assert fitted.widths == {"lr": max(map(len, texts))}


def test_axis_that_a_run_does_not_have_is_an_empty_cell() -> None:
    fitted = fit_axes([{"b": 1}, {"a": 2}], ["a", "b"], 0, console())
    assert [str(cell) for cell in fitted.cells_of({"b": 1})] == ["", "1"]


def test_keys_are_in_order_of_first_occurrence() -> None:
    assert keys_of([{"b": 1}, {"a": 1, "b": 2}]) == ["b", "a"]


def test_only_the_reason_may_wrap() -> None:
    table = new_table("lr", "why")
    assert [column.no_wrap for column in table.columns] == [True, False]


def test_control_characters_of_a_value_are_not_printed() -> None:
    (cell,) = fit_axes([{"a": "\x1b[2J"}], ["a"], 0, console()).cells_of({"a": "\x1b[2J"})
    assert cell.plain.isprintable()


@pytest.mark.parametrize(
    ("width", "header"), [(10, "iterations"), (9, "iteratio-\nns"), (6, "itera-\ntions")]
)
def test_word_of_a_header_is_broken_before_it_is_cut(width: int, header: str) -> None:
    taken = 80 - 2 - width
    fitted = fit_axes([{"iterations": 10}], ["iterations"], taken, console(is_terminal=True))
    assert fitted.headers == [header]
