"""The watch over pilots: what ``orch run`` does with ``orch.slurm`` until every run is settled."""

from __future__ import annotations

import select
import signal
import time
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.pilots_output import describe_counts
from orchestrator.config.slurm_settings import OnInterrupt
from orchestrator.errors import IncoherentLocksError
from orchestrator.execution.events import ExecutionResult
from orchestrator.execution.stop_requests import StopLevel

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.cli.boards import PlainBoard
    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.slurm.pilots import Pilots
    from orchestrator.slurm.watched_runs import WatchedRuns
    from orchestrator.tracking.reporter_handle import ReporterProcess

_TICK: Final = 0.25
_BETWEEN: Final = 2.0  # seconds from one look at what pilots say to the next
_LAST_WORDS: Final = 10.0  # seconds for the last command of Slurm


class ClusterWatch:
    """Watches runs and pilots until every run is settled, or the user leaves."""

    def __init__(  # noqa: PLR0913, PLR0917 # what it joins
        self,
        pilots: Pilots,
        runs: WatchedRuns,
        board: PlainBoard,
        console: Console,
        stop: StopRequests,
        reporter: ReporterProcess | None,
        *,
        is_detached: bool = False,
        is_quiet: bool = False,
    ) -> None:
        self.pilots = pilots
        self.runs = runs
        self.stop = stop
        self.is_detached = is_detached
        self._tells_changes = not (
            console.is_terminal or is_quiet
        )  # a live board shows them anyway
        self._board = board
        self._console = console
        self._reporter = reporter
        self._told = self._note = ""
        self._is_withdrawn = False
        self._look_at = 0.0

    def execute(self) -> ExecutionResult:
        """Watch, and return how every run ended.

        Raises:
            IncoherentLocksError: A pilot says that locks do not reach from host to host.
            OSError: A file of the pilots cannot be written, or no process can be started.
        """
        self.pilots.resume()
        if self.is_detached:
            self.pilots.submit_all()
        while not self._is_over():
            select.select([self.stop], [], [], _TICK)
            self.stop.look()
            moment = time.monotonic()
            for event in self.runs.look(moment):
                self._board.show(event)
            self.pilots.tend(self.runs.startable, moment)
            self._heed_refusal(moment)
            self._tell()
            self._board.refresh(self.runs.snapshot(self._note, moment))
            if self._reporter:
                self._reporter.tend()
            if (self.stop.asked and not self._leaves_now) or self.pilots.gave_up:
                self._withdraw()
        if not self.is_detached:
            self._withdraw()
            self._wait_for_slurm()
        gave_up = "" if self.runs.is_settled else self.pilots.gave_up
        return ExecutionResult(self.runs.ended, self.runs.left, self.stop.interrupts, gave_up)

    def _heed_refusal(self, moment: float) -> None:
        """End if a pilot says that the experiment cannot be executed by several hosts."""
        if moment < self._look_at:
            return
        self._look_at = moment + _BETWEEN
        if why := self.pilots.refusal:
            self._withdraw()
            self._wait_for_slurm()
            raise IncoherentLocksError(why)

    def _is_over(self) -> bool:
        if self.runs.is_settled:
            self.is_detached = False
            return True
        if self.stop.asked and self._leaves_now:
            self.is_detached = True
            return True
        if self.is_detached and self.pilots.gave_up:
            self.is_detached = False  # there is nothing to leave behind
        if self.is_detached:
            return self.pilots.is_content
        is_ending = self.stop.asked or bool(self.pilots.gave_up)
        if is_ending or not self.runs.startable:
            is_idle = not self.runs.live and not (self.pilots.live and is_ending)
            return is_idle and (is_ending or not self.runs.left) and not self.pilots.is_busy
        return False

    @property
    def _leaves_now(self) -> bool:
        """Whether this process leaves the pilots alone, after a signal."""
        if not self.stop.by_signals:
            return False
        is_canceled = self.pilots.settings.on_interrupt is OnInterrupt.CANCEL
        if not (is_canceled and self.stop.last_signal == signal.SIGINT):
            return True
        return self.stop.by_signals is StopLevel.AT_ONCE

    def _withdraw(self) -> None:
        """Let nothing more start, and let all pilots end where the user pressed Ctrl-C for that."""
        if self._is_withdrawn or self.pilots.is_busy:
            return
        self._is_withdrawn = True
        if self.stop.by_signals:
            self.pilots.ask_to_stop()
        self.pilots.withdraw()

    def _wait_for_slurm(self) -> None:
        until = time.monotonic() + _LAST_WORDS
        while self.pilots.is_busy and time.monotonic() < until:
            self.pilots.tend(0, time.monotonic())
            select.select([self.stop], [], [], _TICK)

    def _tell(self) -> None:
        """Tell the user of trouble once, and in a log of the pilots whenever they change."""
        trouble = self.pilots.trouble
        if trouble and trouble != self._told:
            self._console.print(Text(f"   pilots  {trouble}", style="yellow"), soft_wrap=True)
        self._told = trouble
        if not self.pilots.is_known:
            return
        note = describe_pilots(self.pilots)
        if note != self._note and self._tells_changes:
            self._console.print(Text(f"   pilots  {note or 'none'}"), soft_wrap=True)
        self._note = note


def describe_pilots(pilots: Pilots) -> str:
    """Return how many pilots run and wait, on one line; empty without pilots."""
    return describe_counts(pilots.live, pilots.waiting, pilots.jobs)
