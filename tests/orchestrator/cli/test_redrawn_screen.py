"""A screen that is drawn again leaves nothing of the drawing before, neither on it nor above it."""

import io

from rich.console import Console

from orchestrator.cli.redrawn_screen import RedrawnScreen

ALL = "\x1b[2J"  # clears the screen, of which terminals keep what was on it


def test_later_drawings_erase_each_line() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, height=3)
    screen = RedrawnScreen(console)
    screen.begin()
    assert ALL in written.getvalue()
    written.truncate(0)
    screen.begin()
    told = written.getvalue()
    assert ALL not in told
    assert told.count("\x1b[2K") == 3
    assert told.endswith("\x1b[H")


def test_without_a_terminal_nothing_is_written() -> None:
    written = io.StringIO()
    RedrawnScreen(Console(file=written)).begin()
    assert not written.getvalue()
