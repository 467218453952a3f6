"""``orch run``: executes the plan; the same command again resumes it."""

from __future__ import annotations

import gc
import os
import time
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.at_end_summary import RunEnd, tell_at_end
from orchestrator.cli.broken_pipe import tolerate_loss
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.exit_message import (
    NOTHING_EXECUTED,
    close,
    describe_paused,
    end_settled,
    exit_code,
)
from orchestrator.cli.local_slots import find_resources, limit_to, take_turns
from orchestrator.cli.lookup import source_of
from orchestrator.cli.mlflow_reporter import finish_reporter, start_reporter
from orchestrator.cli.next_command import typed_command
from orchestrator.cli.run_launcher import choose_launcher
from orchestrator.cli.run_setup import choose_board, code_of, on_course, set_up
from orchestrator.cli.runs_of_other_hosts import declare_gone, tell_unproven
from orchestrator.cli.search_supply import (
    find_search,
    print_search,
    refuse_what_a_search_cannot,
)
from orchestrator.cli.setting_flags import parse_flags, with_flags
from orchestrator.cli.tables import print_summary, say_nothing_to_do
from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.execution.engine import Engine
from orchestrator.execution.ordering import arrange
from orchestrator.execution.stop_requests import StopLevel, StopRequests
from orchestrator.execution.visible_gpus import Nvml
from orchestrator.launchers.shared_memory_check import lack_of_shared_memory
from orchestrator.planning.load import load_plan
from orchestrator.rundir.lock_reach import LockTest
from orchestrator.rundir.records import now
from orchestrator.rundir.state import State
from orchestrator.runner.dropped_rank_variables import forget_ranks
from orchestrator.tracking.git_source import read_git_source
from orchestrator.tracking.store_variables import variables_for_programs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from orchestrator.config.orch_settings import Settings, Tracking
    from orchestrator.execution.events import Ended, ExecutionResult
    from orchestrator.execution.grid_forecast import Executed, Forecast
    from orchestrator.execution.peak_memory import PeakMemory
    from orchestrator.execution.protocols import Resources
    from orchestrator.execution.wall_time_limit import Worker
    from orchestrator.grid.identity import RunId
    from orchestrator.launchers.command import CommandLauncher
    from orchestrator.launchers.warm import WarmLauncher
    from orchestrator.planning.executable_plan import Work
    from orchestrator.planning.plan import Decision

_GARBAGE: Final = 700  # allocations before a garbage collection of the youngest generation


def run(options: argparse.Namespace, console: Console) -> int:
    """Execute the plan and return the exit code."""
    tolerate_loss(console)
    flags = parse_flags(options)
    load = partial(
        load_plan,
        source_of(options),
        only=options.only,
        adjust=lambda it: with_flags(it, flags),
    )
    planned = load()
    if options.host_is_gone:
        declare_gone(planned, options.host_is_gone)
        planned = load()
    settings = with_flags(planned.settings, flags)
    if settings.halving:
        from orchestrator.cli.halving_output import refuse_elsewhere  # noqa: PLC0415 # rarely set

        refuse_elsewhere(settings, options)
    refuse_what_a_search_cannot(planned, settings, is_prepared=options.prepare)
    if options.prepare:
        from orchestrator.cli.prepare_option import prepare  # noqa: PLC0415 # rarely asked for

        return prepare(planned, options, console)
    begin: Callable[[], object] = bool
    if options.rerun_changed:
        from orchestrator.cli.replace_runs import replace_changed  # noqa: PLC0415 # rarely asked for

        planned, begin = replace_changed(planned, options, console)
    if planned.settings.slurm:
        from orchestrator.cli.cluster_run import execute_on_cluster  # noqa: PLC0415 # clusters only

        return execute_on_cluster(planned, begin, options, console)
    if settings.halving:
        from orchestrator.cli.halving_output import apply_halving  # noqa: PLC0415 # as above

        planned = apply_halving(planned, settings)
    return execute(planned, begin, options, console)


def execute(  # noqa: PLR0913 # two of them only for orch rerun and orch work
    planned: Work,
    begin: Callable[[], object],
    options: argparse.Namespace,
    console: Console,
    *,
    is_summarized: bool = True,
    worker: Worker | None = None,
) -> int:
    """Execute a plan with the options of ``orch run``, and return the exit code.

    ``begin`` is called once everything that runs need is loaded, before the first one starts.
    ``is_summarized``: print a summary of the plan. ``worker``: SIGTERM or the end of its time is its orderly end.
    """
    settings, began = with_flags(planned.settings, parse_flags(options)), now()
    tracking = set_up(planned, options, console)
    search, failures = find_search(planned), end_settled(planned)
    total = search.count_open(planned) - len(failures)
    if not (total or _is_behind(planned, tracking)):
        return _do_nothing(planned, failures, options, console, is_summarized=is_summarized)
    to_start, source = planned.starts(), read_git_source(Path.cwd(), typed_command(options))
    stop_file = planned.experiment.stop_file()  # before joining, so that no later request is missed
    if worker and worker.is_withdrawn():  # checked now: a later request is in the stop file
        return _tell_withdrawn(console)
    resources = limit_to(worker, _join(planned, settings, total, tracking))
    _tell(planned, to_start, console, is_summarized=is_summarized and not options.quiet)
    forecast = _forecast(planned, resources, options, console)
    with (
        resources.daemon or nullcontext(),
        LockTest(planned.experiment.path, tell_waiting),
        StopRequests(_first_level(options), stop_file.news) as stop,
        closing(choose_launcher(settings, to_start, code_of(source))) as launcher,
    ):
        reporter = start_reporter(planned, source) if tracking.enabled else None
        if total:
            _load(launcher, stop, console)
        with choose_board(options, console, total) as board:
            usable = search.supplying(on_course(resources, planned, settings, board.show))
            engine = Engine(planned.experiment, launcher, board, usable, reporter)
            if not stop.asked:
                begin()
            todo = take_turns(arrange(to_start, settings.order), worker), planned.plan.waits()
            outcome, executed = _time(forecast, lambda: engine.execute(*todo, stop))
        if reporter and finish_reporter(reporter, planned, stop, console, options):
            outcome = replace(outcome, stopped=True)
        planned, outcome = search.after(planned, outcome, failures)
        outcome = replace(outcome, left=outcome.left + tell_unproven(planned, options, console))
        ending = exit_code(outcome, worker, is_in_order=stop.is_terminated or stop.is_out_of_time)
        tell_at_end(RunEnd(planned, outcome, began, ending), stop, options, console)
    return close(outcome, planned, options, console, ending, executed)


def _is_behind(planned: Work, tracking: Tracking) -> bool:
    """Return whether MLflow lacks something of the experiment."""
    if not tracking.enabled:
        return False
    from orchestrator.tracking.reporter_handle import find_backlog  # noqa: PLC0415 # nothing to execute

    return bool(find_backlog(planned.experiment, tracking).runs)


def _load(launcher: CommandLauncher | WarmLauncher, stop: StopRequests, console: Console) -> None:
    with console.status("loading what runs need") if console.is_terminal else nullcontext():
        launcher.warm_up(stop)


def _tell_withdrawn(console: Console) -> int:
    console.print("This pilot was withdrawn: nothing is left for it.")
    return ExitCode.DONE


def _time(
    forecast: Forecast | None, execute_plan: Callable[[], ExecutionResult]
) -> tuple[ExecutionResult, Executed]:
    """Execute a plan, and return also how long it took and was expected to take."""
    _collect_garbage_of_runs()
    started = time.monotonic()
    outcome = execute_plan()
    seconds = time.monotonic() - started
    from orchestrator.execution.grid_forecast import Executed  # noqa: PLC0415 # not before the first run

    return outcome, Executed(seconds, forecast)


def _forecast(
    planned: Work, resources: Resources, options: argparse.Namespace, console: Console
) -> Forecast | None:
    if planned.experiment.is_first():
        return None
    from orchestrator.cli.forecast_output import announce_forecast  # noqa: PLC0415 # not for the first runs

    return announce_forecast(planned, resources, options, console)


def _collect_garbage_of_runs() -> None:
    """Leave out the plan, which lives to the end: the garbage of each run must not accumulate."""
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def _first_level(options: argparse.Namespace) -> StopLevel:
    """Return what the first Ctrl-C asks for."""
    return StopLevel.DRAIN if options.drain else StopLevel.AT_CHECKPOINT


def _join(planned: Work, settings: Settings, total: int, tracking: Tracking) -> Resources:
    """Become an orchestrator of the experiment, and return what its runs may use.

    Raises:
        UsageError: Programs cannot be told where MLflow is.
    """
    gpus, shared = Nvml(), variables_for_programs(planned.experiment, tracking)
    control = planned.experiment.control_file()  # as the stop file, before joining
    found = gpus.found() if total else ()
    resources = find_resources(
        settings, gpus, found, total, control, shared, learn=partial(_learn_peaks, planned)
    )
    # Where a run is debugged it is exported, and what belongs to other runs would inherit it.
    os.environ.pop("ORCH_RUN_DIR", None)
    forget_ranks(os.environ)
    planned.experiment.prepare(tell_waiting)
    if not planned.experiment.join(tell_waiting):
        return resources
    orphans = frozenset(item.run.run_id for item in planned.plan.waits())
    return replace(resources, orphans=orphans)


def _learn_peaks(planned: Work) -> PeakMemory:
    from orchestrator.execution.past_peaks import learn_peaks  # noqa: PLC0415 # GPUs only

    return learn_peaks(planned)


def _tell(
    planned: Work, to_start: Sequence[Decision], console: Console, *, is_summarized: bool
) -> None:
    """Print a summary of the plan, if it is wanted, and a warning about the machine."""
    if is_summarized:
        _summarize(planned, console)
        if planned.halving:
            from orchestrator.cli.halving_output import print_halving  # noqa: PLC0415 # as above

            print_halving(planned, console)
        print_search(planned, console)
    ends = (*to_start[:1], *to_start[-1:])
    if lack := lack_of_shared_memory(decision.run.config for decision in ends):
        console.print(Text(lack, style="yellow"))


def _summarize(planned: Work, console: Console) -> None:
    """Print a summary of the plan, and how the code of runs that exist differs from that of now."""
    if not any(True for _ in planned.plan.decisions.observed()):
        print_summary(planned.plan, console, all_filters=False)
        return
    from orchestrator.planning.code_drift import find_drift  # noqa: PLC0415 # not for the first runs

    print_summary(planned.plan, console, find_drift(planned), all_filters=False)


def _do_nothing(
    planned: Work,
    failures: Mapping[RunId, Ended],
    options: argparse.Namespace,
    console: Console,
    *,
    is_summarized: bool,
) -> int:
    if planned.experiment.replaced.run_ids():  # of a rerun that was killed when it was done
        planned.experiment.prepare(tell_waiting)
    if is_summarized and not options.quiet:
        _summarize(planned, console)
    if failures:
        outcome = replace(NOTHING_EXECUTED, ended=failures)
        return close(outcome, planned, options, console, exit_code(outcome))
    count, paused = len(planned.plan.decisions), planned.count_paused()
    failed = planned.count_paused_failed()
    told = say_nothing_to_do(count)
    if paused:
        others = describe_paused(paused, failed, planned, options)
        told = (
            f"Nothing to do: {planned.plan.states[State.DONE]} of {count} runs are done, {others}"
        )
    console.print(Text(told), soft_wrap=True)
    outcome = replace(NOTHING_EXECUTED, paused=paused, paused_failed=failed)
    return close(outcome, planned, options, console, ExitCode.DONE, is_told=True)
