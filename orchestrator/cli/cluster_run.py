"""``orch run`` with ``orch.slurm``: pilots execute the runs, and this process watches them."""

from __future__ import annotations

import select
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.at_end_summary import RunEnd, tell_at_end
from orchestrator.cli.cluster_watch import ClusterWatch, describe_pilots
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.exit_message import NOTHING_EXECUTED, close, exit_code
from orchestrator.cli.gpu_hour_limit import refuse_too_many_hours
from orchestrator.cli.mlflow_reporter import finish_reporter, start_reporter
from orchestrator.cli.next_command import next_command, typed_command, words_of
from orchestrator.cli.pilots_output import tell_unexported
from orchestrator.cli.prepare_option import command_line_of, refuse_to_leave_runs
from orchestrator.cli.run_setup import choose_board, set_up
from orchestrator.cli.runs_of_other_hosts import tell_unproven
from orchestrator.cli.setting_flags import parse_flags, with_flags
from orchestrator.cli.tables import print_summary, say_nothing_to_do
from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.config.slurm_settings import SlurmSettings
from orchestrator.execution.grid_forecast import Executed
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.planning.code_drift import find_drift
from orchestrator.planning.work_file import prepare_work
from orchestrator.rundir.lock_reach import LockTest
from orchestrator.rundir.records import now
from orchestrator.rundir.state import State
from orchestrator.slurm.batch_script import PilotCommand
from orchestrator.slurm.commands import Slurm, require_slurm
from orchestrator.slurm.pilots import Pilots
from orchestrator.slurm.submission_records import PilotsFolder
from orchestrator.slurm.watched_runs import WatchedRuns
from orchestrator.tracking.git_source import read_git_source
from orchestrator.tracking.reporter_handle import Patience, find_backlog

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from orchestrator.config.orch_settings import Settings, Tracking
    from orchestrator.execution.events import ExecutionResult
    from orchestrator.planning.load import Planned
    from orchestrator.tracking.reporter_handle import ReporterProcess

_TICK: Final = 0.25


def execute_on_cluster(
    planned: Planned,
    begin: Callable[[], object],
    options: argparse.Namespace,
    console: Console,
    *,
    is_summarized: bool = True,
) -> int:
    """Submit pilots for the runs of a plan and watch them; return the exit code.

    ``begin`` is called once no other process submits pilots, before the runs are prepared.
    ``is_summarized``: print a summary of the plan.

    Raises:
        UsageError: This host cannot submit jobs, locks do not reach to another host, or pilots will
            execute other runs.
        RunDirectoryError: The experiment's folder cannot be written.
        OSError: A file of the pilots cannot be written.
    """
    settings, began = with_flags(planned.settings, parse_flags(options)), now()
    require_slurm()
    tracking = set_up(planned, options, console)
    if is_summarized and not options.quiet:
        print_summary(planned.plan, console, find_drift(planned), all_filters=False)
    total = len(planned.plan.decisions) - planned.plan.states[State.DONE]
    if not (total or (tracking.enabled and find_backlog(planned.experiment, tracking).runs)):
        console.print(say_nothing_to_do(len(planned.plan.decisions)))
        return close(NOTHING_EXECUTED, planned, options, console, ExitCode.DONE, is_told=True)
    tell_unexported(planned, settings.slurm or SlurmSettings(), console)
    refuse_too_many_hours(planned, options.max_gpu_hours)
    experiment, folder = planned.experiment, PilotsFolder(planned.experiment.path)
    stop_file = experiment.stop_file()  # before joining, so that no later request is missed
    experiment.prepare(tell_waiting)
    with ExitStack() as at_end, StopRequests(news=stop_file.news) as stop:
        if not _become_controller(folder, stop):
            return ExitCode.INTERRUPTED
        at_end.callback(folder.leave)
        refuse_to_leave_runs(planned)
        begin()
        prepare_work(planned, command_line_of(options), parse_flags(options), tell_waiting)
        experiment.join(tell_waiting)
        at_end.enter_context(LockTest(experiment.path, tell_waiting))
        parts = _pilots(planned, settings, folder), _runs(planned, settings)
        return _watch(planned, parts, stop, tracking, (began, total), options, console)


def _watch(  # noqa: PLR0913, PLR0917 # what it joins
    planned: Planned,
    parts: tuple[Pilots, WatchedRuns],
    stop: StopRequests,
    tracking: Tracking,
    beginning: tuple[str, int],
    options: argparse.Namespace,
    console: Console,
) -> int:
    """Watch pilots and runs to the end, or leave them; return the exit code.

    ``beginning`` is when this process began, and how many runs were open then.
    """
    source = read_git_source(Path.cwd(), typed_command(options))
    reporter = start_reporter(planned, source) if tracking.enabled else None
    began, total = beginning
    with choose_board(options, console, total) as board:
        flags = {"is_detached": options.detach, "is_quiet": options.quiet}
        watch = ClusterWatch(*parts, board, console, stop, reporter, **flags)
        outcome, executed = _time(watch.execute)
    if watch.is_detached:
        return _leave(watch, reporter, options, console)
    planned.experiment.tear_down()
    if reporter and finish_reporter(reporter, planned, stop, console, options):
        outcome = replace(outcome, stopped=True)
    outcome = replace(outcome, left=outcome.left + tell_unproven(planned, options, console))
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
    again = next_command(options, *words_of(options))
    text = (
        f"{describe_pilots(watch.pilots) or 'No pilot'}; {watch.runs.left} runs are left. They go on."
        f" Watch and replace the pilots with {again}; end them with {next_command(options, 'stop')}."
    )
    console.print(Text(text), soft_wrap=True)
    return ExitCode.INTERRUPTED if watch.stop.asked else ExitCode.DONE
