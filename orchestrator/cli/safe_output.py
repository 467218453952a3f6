"""Safe output: the only way to print, so that no printed string can control the terminal.

Printed strings come from configs, command lines, files and errors, which anybody may have written.
The console sanitizes all of them, so that no caller can forget to.
"""

from __future__ import annotations

import os
import re
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from orchestrator.sanitize import harmless, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType

_DEEPER: Final = 4  # columns


class HarmlessConsole(Console):
    """Prints strings literally, never as markup, and without terminal control characters.

    Colours and cursor movements come from rich: only the strings given to it are sanitized.
    """

    def __init__(self, *, width: int | None = None, file: IO[str] | None = None) -> None:
        # With NO_COLOR, rich would still print bold and dim, which terminals show in colours of their own.
        colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
        super().__init__(
            width=width,
            file=file,
            color_system=colours,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, and replace each terminal control character in the result."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n" or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 # those of rich
        """Print as rich does, but indent what does not fit on a line of text, and break no word.

        A path that is longer than the terminal is wide can be copied from it.
        """
        text = objects[0] if len(objects) == 1 and not options else None
        if self.is_terminal and isinstance(text, str | Text):
            text = Text(text) if isinstance(text, str) else text
            lines = text.split("\n", allow_blank=True)
            if any(line.cell_len > self.width for line in lines):
                wrapped = (part for line in lines for part in wrap(line, self.width))
                super().print(Text("\n").join(wrapped), soft_wrap=True)
                return
        super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Let the error that is being handled pass: rich would exit, with the code of a failed run."""
        raise  # noqa: PLE0704 # rich calls this where it has caught the error


def wrap(line: Text, width: int, column: int | None = None) -> list[Text]:
    """Return the lines that a line needs in a width, without breaking words.

    All but the first are indented: up to ``column``, or else deeper than the first, but at most by half of
    the width.
    """
    if line.cell_len <= width:
        return [line]
    indent = len(line.plain) - len(line.plain.lstrip(" "))
    deeper = Text(" " * min(indent + _DEEPER if column is None else column, width // 2))
    breaks, begun, room = [], indent, width - indent
    for word in re.finditer(r"\S+", line.plain):
        # Behind a label there is always a word, also one that is too long for any line.
        if (
            word.start() > max(begun, column or 0)
            and cell_len(line.plain[begun : word.end()]) > room
        ):
            begun, room = word.start(), width - len(deeper)
            breaks.append(begun)
    first, *others = line.divide(breaks)
    return [first, *(deeper + each for each in others)]


def print_hanging(line: Text, column: int, console: Console) -> None:
    """Print a line, on a terminal with what does not fit below the text that begins at a column."""
    lines = wrap(line, console.width, column) if console.is_terminal else [line]
    for each in lines:
        console.print(each, soft_wrap=True)


def on_one_line(text: Text) -> Text:
    """Return a text without the line breaks that values in it may have, keeping its colours."""
    text.plain = printable(text.plain)
    return text


def write(console: Console, text: str) -> None:
    """Write a string unchanged, or without control characters if the output is a terminal."""
    console.file.write(harmless(text) if console.is_terminal else text)
