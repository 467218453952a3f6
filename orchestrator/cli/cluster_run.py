"""``orch run`` with ``orch.slurm``: pilots execute the runs, and this process watches them."""

from __future__ import annotations

import select
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.end_summary import RunEnd, tell_at_end
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gpu_hours import refuse_too_many_hours
from orchestrator.cli.next_command import next_command
from orchestrator.cli.pilots_output import describe_counts
from orchestrator.cli.prepare_output import command_line_of
from orchestrator.cli.run_ending import NOTHING_EXECUTED, close, exit_code
from orchestrator.cli.run_reporter import finish_reporter, start_reporter
from orchestrator.cli.run_setup import choose_board, set_up
from orchestrator.cli.runs_of_other_hosts import tell_unproven
from orchestrator.cli.setting_flags import parse_flags, with_flags
from orchestrator.cli.tables import print_summary
from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.config.slurm_settings import OnInterrupt, SlurmSettings
from orchestrator.errors import IncoherentLocksError
from orchestrator.execution.events import ExecutionResult
from orchestrator.execution.forecast import Executed
from orchestrator.execution.stop import StopLevel, StopRequests
from orchestrator.planning.drift import find_drift
from orchestrator.planning.prepared_work import prepare_work
from orchestrator.rundir.lock_reach import LockTest
from orchestrator.rundir.records import now
from orchestrator.rundir.state import State
from orchestrator.slurm.batch_script import PilotCommand
from orchestrator.slurm.commands import Slurm, require_slurm
from orchestrator.slurm.pilots import Pilots
from orchestrator.slurm.tokens import PilotsFolder
from orchestrator.slurm.watched_runs import WatchedRuns
from orchestrator.tracking.git_source import read_git_source
from orchestrator.tracking.reporter_handle import Patience, find_backlog

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from orchestrator.cli.board import PlainBoard
    from orchestrator.config.settings import Settings
    from orchestrator.planning.load import Planned
    from orchestrator.tracking.reporter_handle import ReporterProcess

_TICK: Final = 0.25
_BETWEEN: Final = 2.0  # seconds from one look at what pilots say to the next
_LAST_WORDS: Final = 10.0  # seconds for the last command of Slurm


def execute_on_cluster(planned: Planned, options: argparse.Namespace, console: Console) -> int:
    """Submit pilots for the runs of a plan and watch them; return the exit code.

    Raises:
        UsageError: This host cannot submit jobs, or locks do not reach to another host.
        RunDirectoryError: The experiment's folder cannot be written.
        OSError: A file of the pilots cannot be written.
    """
    settings, began = with_flags(planned.settings, parse_flags(options)), now()
    require_slurm()
    tracking = set_up(planned, options, console, executes_here=False)
    if not options.quiet:
        print_summary(planned.plan, console, find_drift(planned))
    total = len(planned.plan.decisions) - planned.plan.states[State.DONE]
    if not (total or (tracking.enabled and find_backlog(planned.experiment, tracking).runs)):
        console.print(f"Nothing to do: all {len(planned.plan.decisions)} runs are done.")
        return close(NOTHING_EXECUTED, planned, options, console, ExitCode.DONE)
    refuse_too_many_hours(planned, options.max_gpu_hours)
    experiment, folder = planned.experiment, PilotsFolder(planned.experiment.path)
    stop_file = experiment.stop_file()  # before joining, so that no later request is missed
    experiment.prepare(tell_waiting)
    with ExitStack() as at_end, StopRequests(news=stop_file.news) as stop:
        if not _become_controller(folder, stop):
            return ExitCode.INTERRUPTED
        at_end.callback(folder.leave)
        prepare_work(planned, command_line_of(options), parse_flags(options), tell_waiting)
        experiment.join(tell_waiting)
        at_end.enter_context(LockTest(experiment.path, tell_waiting))
        source = read_git_source(Path.cwd(), next_command(options, "run"))
        reporter = start_reporter(planned, source) if tracking.enabled else None
        with choose_board(options, console, total) as board:
            parts = _pilots(planned, settings, folder), _runs(planned, settings), board
            watch = ClusterWatch(*parts, console, stop, reporter, is_detached=options.detach)
            outcome, executed = _time(watch.execute)
        if watch.is_detached:
            return _leave(watch, reporter, options, console)
        if reporter and finish_reporter(reporter, planned, stop, console, options):
            outcome = replace(outcome, stopped=True)
        left = outcome.left + tell_unproven(planned, options, console)
        outcome = replace(outcome, left=left)
        ending = exit_code(outcome)
        tell_at_end(RunEnd(planned, outcome, began, ending), stop, options, console)
    return close(outcome, planned, options, console, ending, executed)


def _time(execute: Callable[[], ExecutionResult]) -> tuple[ExecutionResult, Executed]:
    started = time.monotonic()
    outcome = execute()
    return outcome, Executed(time.monotonic() - started)


def _pilots(planned: Planned, settings: Settings, folder: PilotsFolder) -> Pilots:
    slurm = settings.slurm or SlurmSettings()
    command = PilotCommand(planned.experiment.path.resolve(), Path.cwd(), slurm.runs)
    return Pilots(folder, Slurm(), slurm, command, planned.experiment.experiment_id)


def _runs(planned: Planned, settings: Settings) -> WatchedRuns:
    retries = settings.policy.retries
    return WatchedRuns(planned.experiment, planned.plan.decisions, retries)


def _become_controller(folder: PilotsFolder, stop: StopRequests) -> bool:
    """Wait until no other ``orch run`` submits pilots; return whether the user did not interrupt."""
    has_told = False
    while not folder.become_controller():
        if not has_told:
            has_told = True
            tell_waiting("another orch run submits the pilots of this experiment")
        select.select([stop], [], [], _TICK)
        stop.look()
        if stop.asked:
            return False
    return True


def _leave(
    watch: ClusterWatch,
    reporter: ReporterProcess | None,
    options: argparse.Namespace,
    console: Console,
) -> int:
    """Print what goes on without this process, and return the exit code."""
    if reporter:
        reporter.finish(Patience(), give_up=lambda: True)
    again = next_command(options, "run")
    text = (
        f"{describe_pilots(watch.pilots) or 'No pilot'}; {watch.runs.left} runs are left. They go on."
        f" Watch and replace the pilots with {again}; end them with {next_command(options, 'stop')}."
    )
    console.print(Text(text), soft_wrap=True)
    return ExitCode.INTERRUPTED if watch.stop.asked else ExitCode.DONE


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
    ) -> None:
        self.pilots = pilots
        self.runs = runs
        self.stop = stop
        self.is_detached = is_detached
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
        if note != self._note and not self._console.is_terminal:
            self._console.print(Text(f"   pilots  {note or 'none'}"), soft_wrap=True)
        self._note = note


def describe_pilots(pilots: Pilots) -> str:
    """Return how many pilots run and wait, on one line; empty without pilots."""
    return describe_counts(pilots.live, pilots.waiting, pilots.jobs)
