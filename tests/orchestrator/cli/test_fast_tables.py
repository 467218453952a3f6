"""A long table has the columns of a short one; its lines end where the terminal does."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from orchestrator.cli.fast_tables import Column, print_columns


def printed(columns: list[Column], width: int = 1000, *, colours: bool = False) -> list[str]:
    text = io.StringIO()
    system = "standard" if colours else None
    console = Console(file=text, width=width, color_system=system, force_terminal=colours)
    print_columns(columns, console)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def rows(count: int) -> list[Column]:
    return [
        Column("run", [f"{n:08}" for n in range(count)]),
        Column("state", ["done", "failed"] * (count // 2), ["green", "red"] * (count // 2)),
        Column("why", ["because " * 10] * count, "dim"),
    ]


@pytest.mark.parametrize("width", [1000, 200])
def test_long_and_short_tables_are_aligned_alike(width: int) -> None:
    assert printed(rows(300), width)[:51] == printed(rows(50), width)


def test_line_ends_where_the_terminal_does_whatever_is_in_it() -> None:
    wide = [Column("run", ["名前" * 20] * 200), Column("x", ["x"] * 200)]
    for width in (10, 39, 40, 41, 80, 81, 82):
        for table in (wide, rows(200)):
            assert {cell_len(line) <= width for line in printed(table, width)} == {True}


def test_colours_are_those_of_the_console() -> None:
    assert printed(rows(200), 200, colours=True)[1].split()[1] == "\x1b[32mdone\x1b[0m"
    assert "\x1b" not in "".join(printed(rows(200)))


def test_long_keys_are_headers_of_several_lines_where_a_terminal_has_no_room() -> None:
    columns = [Column("run", ["a"] * 200), Column("validation/accuracy", ["0.5"] * 200)]
    assert printed(columns, 23, colours=True)[:3] == [
        "\x1b[1m\x1b[0m     \x1b[1mvalidation/\x1b[0m",
        "\x1b[1mrun\x1b[0m  \x1b[1maccuracy\x1b[0m",
        "a    0.5",
    ]
    whole = "\x1b[1mrun\x1b[0m  \x1b[1mvalidation/accuracy\x1b[0m"
    assert printed(columns, 24, colours=True)[0] == whole
    assert printed(columns)[0] == "run  validation/accuracy"


@pytest.mark.parametrize("width", [23, 24])
def test_headers_of_long_and_short_tables_are_broken_alike(width: int) -> None:
    def first_lines(count: int) -> list[str]:
        names = [Column("run", ["a"] * count), Column("validation/accuracy", ["0.5"] * count)]
        bare = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(printed(names, width, colours=True)))
        return [line.rstrip() for line in bare.splitlines()[:3]]

    assert first_lines(200) == first_lines(50)
