"""A screen that is drawn repeatedly: earlier drawings do not fill what a terminal keeps above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.control import Control
from rich.segment import ControlType

if TYPE_CHECKING:
    from rich.console import Console


class RedrawnScreen:
    """Empties a terminal before each drawing; what is there before the first one is kept above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_drawn = False

    def begin(self) -> None:
        """Begin a drawing; without a terminal, they follow each other."""
        if not self._console.is_terminal:
            return
        if self._is_drawn:
            # Line by line: of a screen that is cleared as a whole, tmux and others keep the content.
            for line in range(self._console.height):
                move, erase = (ControlType.CURSOR_MOVE_TO, 0, line), (ControlType.ERASE_IN_LINE, 2)
                self._console.control(Control(move, erase))
            self._console.control(Control.home())
        else:
            self._console.clear()
        self._is_drawn = True
