"""The terminal: the one way by which text reaches it, so that none of it can steer it.

What is printed holds text from configs, command lines, files and errors, which anybody may have
written. A property of the writers is never forgotten, as a call at each place would be.
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
    """Prints text as it is, never as markup, and without what could steer a terminal.

    The colours and the cursor movements are rich's own: only what it is given to print is looked at.
    """

    def __init__(self, *, width: int | None = None, file: IO[str] | None = None) -> None:
        super().__init__(width=width, file=file, markup=False, emoji=False, highlight=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, and replace in what is rendered each character that a terminal would obey."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n" or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)


def on_one_line(text: Text) -> Text:
    """Return a text without the line breaks that a value in it may have; its colours stay."""
    text.plain = printable(text.plain)
    return text


def write(console: Console, text: str) -> None:
    """Write text that programs read, as it is; onto a terminal without what could steer it."""
    console.file.write(harmless(text) if console.is_terminal else text)
