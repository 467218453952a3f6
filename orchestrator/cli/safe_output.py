"""Safe output: the only way to print, so that no printed string can control the terminal.

Printed strings come from configs, command lines, files and errors, which anybody may have written.
The console sanitizes all of them, so that no caller can forget to.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.segment import Segment

from orchestrator.sanitize import harmless, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType
    from rich.text import Text


class HarmlessConsole(Console):
    """Prints strings literally, never as markup, and without terminal control characters.

    Colours and cursor movements come from rich: only the strings given to it are sanitized.
    """

    def __init__(self, *, width: int | None = None, file: IO[str] | None = None) -> None:
        super().__init__(width=width, file=file, markup=False, emoji=False, highlight=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, and replace each terminal control character in the result."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n" or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)

    def on_broken_pipe(self) -> None:
        """Let the error that is being handled pass: rich would exit, with the code of a failed run."""
        raise  # noqa: PLE0704 # rich calls this where it has caught the error


def on_one_line(text: Text) -> Text:
    """Return a text without the line breaks that values in it may have, keeping its colours."""
    text.plain = printable(text.plain)
    return text


def write(console: Console, text: str) -> None:
    """Write a string unchanged, or without control characters if the output is a terminal."""
    console.file.write(harmless(text) if console.is_terminal else text)
