"""``orch status``: the states, progress and metrics of an experiment's runs, or of all experiments."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from orchestrator.cli.absent_runs import no_runs_in
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.experiment_table import print_experiments
from orchestrator.cli.json_text import write_json
from orchestrator.cli.pilots_output import pilots_as_json, print_pilots
from orchestrator.cli.redrawn_screen import RedrawnScreen
from orchestrator.cli.run_json import states_as_json, status_as_json, summary_as_json
from orchestrator.cli.status_source import open_source
from orchestrator.cli.status_table import print_status
from orchestrator.cli.tables import ROWS_WITHOUT_ASKING, count_of, note, pronoun_of
from orchestrator.execution.live_usage import UNKNOWN, look_at
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.execution.visible_gpus import Nvml
from orchestrator.planning.best_runs import best_reports
from orchestrator.planning.named_reports import name_reports
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.cli.status_source import Seen
    from orchestrator.execution.live_usage import LiveResources
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.experiment_status import ExperimentStatus
    from orchestrator.rundir.run_summary import Report

_BETWEEN: Final = 2.0
_READABLE: Final = 1000  # runs, as indented JSON
_LOOKED_INTO: Final = 5  # runs that the grid does not name; reading a config takes milliseconds
_KEYS: Final = 3
# Of many runs, those that are not listed unless they are asked for.
_QUIET: Final = (State.DONE, State.PENDING)


def status(options: argparse.Namespace, console: Console) -> int:
    """Print the states of the runs, once or repeatedly while a process executes them.

    Raises:
        OrchestratorError: The config or the condition is wrong, or no run has the metric.
    """
    look = open_source(options)
    if not options.watch:
        seen = look()
        _print(seen, options, console)
        return ExitCode.HALTED if _halts(seen, options) else 0
    screen = RedrawnScreen(console)
    with StopRequests() as stop:
        while True:
            seen = look()
            if not options.json:
                screen.begin()
            _print(seen, options, console)
            console.file.flush()
            if _halts(seen, options):
                return ExitCode.HALTED
            if not seen.is_live:
                return 0
            select.select([stop], [], [], _BETWEEN)
            if stop.asked:
                return ExitCode.INTERRUPTED


def _halts(seen: Seen, options: argparse.Namespace) -> bool:
    return any(seen.states[State(state)] for state in options.halt_on)


def _print(seen: Seen, options: argparse.Namespace, console: Console) -> None:
    if options.json:
        _print_json(seen, options, console)
        return
    status = seen.status
    if status is not None and (status.existing or status.pending):
        _print_runs(seen, status, options, console)
    if status is not None and not (status.existing or status.experiment.run_ids()):
        told = f"{no_runs_in(status.experiment)}. Start them with orch run."
        console.print(told)
    if status is not None:
        print_pilots(status.experiment.path, console)
    own = status.experiment.experiment_id if status is not None else None
    if status is None or any(it.experiment.experiment_id != own for it in seen.experiments):
        print_experiments(seen.experiments, console)


def _print_runs(
    seen: Seen, status: ExperimentStatus, options: argparse.Namespace, console: Console
) -> None:
    counts = status.count(with_others=options.all)
    number = sum(counts.values())
    total: int | None = number
    states, most = _states(options), options.top
    if options.all or options.state or most is not None or number <= ROWS_WITHOUT_ASKING:
        total = None  # nothing is left out that was not chosen
    else:
        most = ROWS_WITHOUT_ASKING
        states = states if options.sort else [state for state in states if state not in _QUIET]
    chosen = _choose(status, options, states, most, with_others=options.all)
    halved = seen.halved
    standings = halved.standings(chosen) if halved else {}
    named = name_reports(chosen, status.experiment, status.pending)
    print_status(
        named,
        console,
        counts=counts,
        paused=status.count_paused(with_others=options.all),
        total=total,
        live=_live(chosen),
        standings=standings,
    )
    for line in halved.describe() if halved else ():
        console.print(note(line))
    if status.others and not options.all:
        those = count_of(status.others, "other run")
        live = status.count(with_others=True)[State.RUNNING] - counts[State.RUNNING]
        running = f", {live} of them running" if live else ""
        them = pronoun_of(status.others)
        told = f"{those} of the experiment{running}{_difference_of_others(seen)}"
        console.print(note(f"{told}: --all lists {them} as well"))


def _difference_of_others(seen: Seen) -> str:
    """Return in which keys runs differ that the grid does not name, as far as a look into a few tells."""
    if seen.planned is None:
        return ""
    from orchestrator.planning.former_runs import look_back  # noqa: PLC0415 # few grids have others

    changes = look_back(seen.planned, _LOOKED_INTO).changes
    keys = [*dict.fromkeys(change.key for change in changes)]
    more = f" and {len(keys) - _KEYS} more" if len(keys) > _KEYS else ""
    return f", of another {', '.join(keys[:_KEYS])}{more}" if keys else ""


def _print_json(seen: Seen, options: argparse.Namespace, console: Console) -> None:
    rows = []
    if (status := seen.status) is not None:
        chosen = _choose(status, options, _states(options), options.top, with_others=True)
        live = _live(chosen)
        standings = seen.halved.standings(chosen) if seen.halved else {}
        rows = [
            status_as_json(
                report,
                live.get(report.run_id, UNKNOWN),
                in_grid=status.is_in_grid(report.run_id),
                standing=standings.get(report.run_id),
            )
            for report in chosen
        ]
    content = {
        "schema": 1,
        "states": states_as_json(seen.states),
        "runs": rows,
        "experiments": [summary_as_json(each) for each in seen.experiments],
        "halving": seen.halved and seen.halved.as_json(),
        "pilots": [] if status is None else pilots_as_json(status.experiment.path),
    }
    # One line per repetition with --watch, for programs that read lines. So are many runs, of which indenting
    # takes a seventh of the time.
    indent = None if options.watch or len(rows) > _READABLE else 2
    write_json(console, content, indent=indent)


def _states(options: argparse.Namespace) -> Sequence[State]:
    return [State(state) for state in options.state] or list(State)


def _live(reports: Sequence[Report]) -> dict[RunId, LiveResources]:
    nvml = Nvml()
    running = (report for report in reports if report.seen.state is State.RUNNING)
    return {report.run_id: look_at(report.seen, nvml) for report in running}


def _choose(
    status: ExperimentStatus,
    options: argparse.Namespace,
    states: Sequence[State],
    most: int | None,
    *,
    with_others: bool,
) -> Sequence[Report]:
    """Return the reports on the runs to list, by a metric if one is named.

    Raises:
        UsageError: No run has this metric.
    """
    if options.sort is None:
        return status.reports(states, with_others=with_others, most=most)
    return best_reports(status, options.sort, most, states, with_others=with_others)
