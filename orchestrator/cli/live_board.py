"""The live board of a terminal: one line per slot, and the progress bar below.

Imported only for a terminal: what draws it takes as long to import as some runs take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.constrain import Constrain
from rich.live import Live as LiveDisplay
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from orchestrator.cli.boards import PlainBoard, describe_metrics, describe_pace
from orchestrator.cli.safe_output import on_one_line
from orchestrator.execution.events import Adopted, Advanced, AttemptStarted
from orchestrator.grid.identity import short

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from orchestrator.execution.events import Event, ExecutionSnapshot, Live

_OF_OTHERS: Final = "of another process"
_NAME: Final = 10  # minimum columns for the values that distinguish a run
_BESIDE_NAME: Final = 30
_ROWS_BESIDES: Final = 4  # the bar, and some finished runs above the slots
_ECHOES: Final = 5  # columns for ^C, twice
_NARROW: Final = 60  # columns; on narrower terminals the bar takes the full width


class LiveBoard(PlainBoard):
    """Prints finished runs as lines, and below them one line per slot and the progress bar."""

    def __init__(self, console: Console, total: int) -> None:
        super().__init__(console, total)
        self._bar = Progress(
            TextColumn("[bold]runs[/]"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[pace]}", style="dim"),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task("runs", total=total, pace="")
        self._display = LiveDisplay(self._last_line(), console=console, refresh_per_second=8)

    def show(self, event: Event) -> None:
        """Print the event above the bar; a live run, and how far it comes, has a line of its own."""
        if isinstance(event, AttemptStarted | Adopted | Advanced):
            return
        super().show(event)
        self._bar.update(self._task, completed=self._ended, total=self._whole)

    def refresh(self, snapshot: ExecutionSnapshot) -> None:
        """Redraw the slots and the bar."""
        rows = Table.grid(padding=(0, 2), expand=True)
        # The run, its progress and some of its metrics stay visible on the narrowest terminal.
        widest = max(_NAME, self._console.width - _BESIDE_NAME)
        rows.add_column(no_wrap=True, min_width=8)
        rows.add_column(no_wrap=True, overflow="ellipsis", max_width=widest)
        rows.add_column(no_wrap=True, justify="right")
        rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        has_gpus = any(item.started.slot.gpu for item in snapshot.live)
        if has_gpus:
            rows.add_column(no_wrap=True)
        live = sorted(snapshot.live, key=lambda item: item.started.slot.number)
        # Leaves space for the bar below the slots and the last finished runs above them.
        room = max(1, self._console.height - _ROWS_BESIDES)
        number = len(live) + len(snapshot.elsewhere)
        most = room if number <= room else room - 1
        for item in live[:most]:
            gpu = item.started.slot.gpu
            rows.add_row(
                Text(short(item.started.run.run_id), style="cyan"),
                Text(self._name(item.started.run.naming)),
                Text(_count(item)),
                on_one_line(Text(describe_metrics(item.metrics), style="dim")),
                *([Text(f"GPU {gpu.number}" if gpu else "CPU", style="dim")] if has_gpus else []),
            )
        for each in snapshot.elsewhere[: max(0, most - len(live))]:
            told = describe_metrics(each.progress.metrics) if each.progress else ""
            rows.add_row(
                Text(short(each.run.run_id), style="cyan"),
                Text(self._name(each.run.naming)),
                Text(
                    f"{each.progress.iteration}/{each.progress.iterations}" if each.progress else ""
                ),
                on_one_line(Text(f"{_OF_OTHERS}  {told}", style="dim")),
                *([Text("")] if has_gpus else []),
            )
        if (more := number - most) > 0:
            rows.add_row(Text("..."), Text(f"{more} more", style="dim"))
        unit = "" if self._console.width <= _NARROW else " runs"
        pace = "  ".join(filter(None, (snapshot.note, describe_pace(snapshot.pace, unit))))
        self._bar.update(self._task, pace=pace)
        self._display.update(Group(rows, self._last_line()), refresh=True)

    def _last_line(self) -> Constrain:
        """Return the bar, narrower than the terminal: an echoed ^C must not wrap to a new line."""
        width = self._console.width
        return Constrain(self._bar, width - _ECHOES if width > _NARROW else width)

    def __enter__(self) -> Self:
        """Start the live display."""
        self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the live display, leaving the bar without an estimate."""
        self._bar.update(self._task, pace="")
        self._display.update(self._last_line())
        self._display.stop()


def _count(live: Live) -> str:
    saved = live.progress
    if saved is None:  # or it reports nothing but metrics
        return "" if live.metrics else "starting"
    return f"{saved.iteration}/{saved.iterations}"
